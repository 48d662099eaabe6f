#!/usr/bin/env python3
"""Reads the clock strip of a picture that fills the width of a window: `strip.py FILE.gray WIDTH`.

FILE holds 8-bit grey rows of the window's width, from its top. Prints the milliseconds modulo 2^24 of the first row
whose checksum holds; exits with 1 where there is none.
"""
import sys


def crc8(value):
    crc = 0xFF
    for byte in value.to_bytes(3, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


width = int(sys.argv[2])
data = open(sys.argv[1], "rb").read()
found = {}
for y in range(len(data) // width):
    row = data[y * width : (y + 1) * width]
    word = 0
    for block in range(32):
        word = word << 1 | (row[(2 * block + 1) * width // 64] > 127)
    ms, crc = word >> 8, word & 0xFF
    # A strip is many rows high; a chance hit is one row.
    if crc8(ms) == crc and word not in (0, 0xFFFFFFFF):
        found[ms] = found.get(ms, 0) + 1
        if found[ms] >= 4:
            print(ms)
            sys.exit(0)
sys.exit(1)
