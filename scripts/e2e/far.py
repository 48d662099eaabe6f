"""A network whose machines are far from each other: a switch that passes each frame on after a while.

far.py MS PORT…: runs until it is killed. PORTs are interfaces of this namespace, each the end of somebody's cable.
"""

import heapq
import select
import socket
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
LONGEST = 65536


def main():
    delay, ports = float(sys.argv[1]) / 1000, []
    for name in sys.argv[2:]:
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        port.bind((name, 0))
        port.setblocking(False)
        ports.append(port)
    known, waiting, count = {}, [], 0
    print("listening", flush=True)
    while True:
        patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for port in select.select(ports, [], [], patience)[0]:
            try:
                frame, address = port.recvfrom(LONGEST)
            except OSError:
                continue
            if address[2] == PACKET_OUTGOING:
                continue
            known[frame[6:12]] = port
            count += 1
            heapq.heappush(waiting, (time.monotonic() + delay, count, port, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, came_by, frame = heapq.heappop(waiting)
            to = known.get(frame[:6])
            for port in [to] if to else ports:
                if port is not came_by:
                    try:
                        port.send(frame)
                    except OSError:
                        # A cable that was pulled, or a frame that is too long.
                        pass


main()
