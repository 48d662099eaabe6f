#!/usr/bin/env python3
"""What is in a recording: `tone.py FILE.wav HERTZ` prints its loudness and the share of its power at a frequency.

Reads 16-bit PCM WAV, also one whose header was never finished (a recorder that was stopped). The loudest half second
counts, so that silence before and after does not matter.
"""
import array
import math
import sys


def samples(path):
    data = open(path, "rb").read()
    if data[:4] != b"RIFF":
        sys.exit(f"{path} is no WAV file")
    channels, rate, at = 1, 48000, 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"fmt ":
            channels = int.from_bytes(data[at + 10 : at + 12], "little")
            rate = int.from_bytes(data[at + 12 : at + 16], "little")
        if kind == b"data":
            body = data[at + 8 :]
            pcm = array.array("h", body[: len(body) // (2 * channels) * 2 * channels])
            return rate, [s / 32768 for s in pcm[::channels]]
        at += 8 + length + length % 2
    sys.exit(f"{path} holds no sound")


def goertzel(sound, rate, hertz):
    """Share of the power at `hertz`, 0…1."""
    k = 2 * math.cos(2 * math.pi * hertz / rate)
    last = before = 0.0
    for s in sound:
        last, before = s + k * last - before, last
    power = last * last + before * before - k * last * before
    total = sum(s * s for s in sound)
    return 2 * power / (total * len(sound)) if total else 0.0


def share(sound, rate, hertz):
    """The same over pieces of 20 ms: what a playout buffer stretches is out of step with itself."""
    step = rate // 50
    pieces = [sound[i : i + step] for i in range(0, len(sound) - step + 1, step)]
    powers = [sum(s * s for s in piece) for piece in pieces]
    total = sum(powers)
    return sum(goertzel(piece, rate, hertz) * p for piece, p in zip(pieces, powers)) / total if total else 0.0


def rms(sound):
    return math.sqrt(sum(s * s for s in sound) / len(sound)) if sound else 0.0


rate, sound = samples(sys.argv[1])
half = rate // 2
parts = [sound[i : i + half] for i in range(0, max(1, len(sound) - half), half)]
loudest = max(parts, key=rms) if parts else []
print(f"{len(sound) / rate:.2f} {rms(loudest):.5f} {share(loudest, rate, float(sys.argv[2])):.3f}")
