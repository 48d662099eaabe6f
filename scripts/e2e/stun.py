"""A STUN server (RFC 8489) in a few lines: tells whoever asks where the question came from. One argument: the port."""

import socket
import struct
import sys

COOKIE = 0x2112A442

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
print("listening", flush=True)
while True:
    request, (host, port) = server.recvfrom(2048)
    if len(request) < 20 or request[:2] != b"\x00\x01":
        continue
    address = struct.unpack("!I", socket.inet_aton(host))[0]
    mapped = struct.pack("!HHBBHI", 0x0020, 8, 0, 1, port ^ COOKIE >> 16, address ^ COOKIE)
    server.sendto(struct.pack("!HHI", 0x0101, len(mapped), COOKIE) + request[8:20] + mapped, (host, port))
    print(f"told {host}", flush=True)
