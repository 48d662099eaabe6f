#!/usr/bin/env python3
"""mDNS from the other side, for scripts: `listen` writes down what is said, `flood` says what is not true.

    mdns.py listen FILE                 each packet as a line: source, hex; `ready` on standard output when it listens
    mdns.py told FILE                   what was said, as lines: TYPE TTL NAME DATA
    mdns.py flood ROOM COUNT ADDRESS FILE
                                        COUNT apps that do not exist say that they hold a room, whenever somebody asks, and
                                        there is garbage between; who believes them and connects is a line in FILE
"""

import random
import selectors
import socket
import struct
import sys
import threading

GROUP, PORT = "224.0.0.251", 5353
SERVICE = "_visavis._tcp.local"
TYPES = {1: "A", 12: "PTR", 16: "TXT", 28: "AAAA", 33: "SRV"}


def joined():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("", PORT))
    index = next(index for index, name in socket.if_nameindex() if name != "lo")
    member = struct.pack("4s4si", socket.inet_aton(GROUP), b"\0" * 4, index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member)
    return sock


def name(packet, at):
    labels, after = [], None
    while packet[at]:
        if packet[at] >= 0xC0:
            after = after or at + 2
            at = struct.unpack_from("!H", packet, at)[0] & 0x3FFF
            continue
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), after or at + 1


def records(packet):
    _, flags, questions, *counts = struct.unpack_from("!6H", packet)
    at = 12
    for _ in range(questions):
        asked, at = name(packet, at)
        yield ("question", 0, asked, "")
        at += 4
    for _ in range(sum(counts)):
        owner, at = name(packet, at)
        kind, _, ttl, length = struct.unpack_from("!HHIH", packet, at)
        at += 10
        data = packet[at : at + length]
        if kind == 12:
            data = name(packet, at)[0]
        elif kind == 33:
            data = f"{struct.unpack_from('!H', packet, at + 4)[0]} {name(packet, at + 6)[0]}"
        elif kind == 16:
            entries, here = [], 0
            while here < length:
                entries.append(data[here + 1 : here + 1 + data[here]].decode())
                here += 1 + data[here]
            data = " ".join(entries)
        else:
            data = data.hex()
        at += length
        yield (TYPES.get(kind, str(kind)), ttl, owner, data)


def listen(path):
    sock = joined()
    with open(path, "w", buffering=1) as file:
        print("ready", flush=True)
        while True:
            packet, source = sock.recvfrom(9000)
            file.write(f"{source[0]} {packet.hex()}\n")


def told(path):
    for line in open(path):
        for kind, ttl, owner, data in records(bytes.fromhex(line.split()[1])):
            print(kind, ttl, owner, data)


def wire(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def record(owner, kind, data):
    return wire(owner) + struct.pack("!HHIH", kind, 1, 120, len(data)) + data


def fake(number, room, address):
    instance, host = f"{number:016x}.{SERVICE}", f"visavis-{number:016x}.local"
    text = f"room={room}".encode()
    answers = [
        record(SERVICE, 12, wire(instance)),
        record(instance, 33, struct.pack("!HHH", 0, 0, 7460 + number % 10) + wire(host)),
        record(instance, 16, bytes([len(text)]) + text),
        record(host, 1, socket.inet_aton(address)),
    ]
    return struct.pack("!6H", 0, 0x8400, 0, len(answers), 0, 0) + b"".join(answers)


def count_visitors(path):
    doors = selectors.DefaultSelector()
    for port in range(7460, 7470):
        door = socket.create_server(("", port))
        doors.register(door, selectors.EVENT_READ)

    def watch():
        held = []
        with open(path, "w", buffering=1) as file:
            while True:
                for key, _ in doors.select():
                    visitor, source = key.fileobj.accept()
                    held.append(visitor)
                    file.write(f"{source[0]}\n")

    threading.Thread(target=watch, daemon=True).start()


def flood(room, count, address, path):
    count_visitors(path)
    sock, dice = joined(), random.Random(1)
    packets = [fake(number, room, address) for number in range(int(count))]
    garbage = [dice.randbytes(dice.randrange(0, 1400)) for _ in range(300)]
    for packet in packets[:20]:
        garbage += [packet[:cut] for cut in range(0, len(packet), 7)]
    print("ready", flush=True)
    while True:
        question, source = sock.recvfrom(9000)
        if len(question) < 12 or question[2] & 0x80:
            continue
        for packet in packets[:500] + garbage + packets[500:]:
            sock.sendto(packet, source)
        for packet in packets[:200]:
            sock.sendto(packet, (GROUP, PORT))


if __name__ == "__main__":
    {"listen": listen, "told": told, "flood": flood}[sys.argv[1]](*sys.argv[2:])
