#!/usr/bin/env python3
"""How much later bursts of a tone are in one PulseAudio source than in another: `ear.py MOUTH EAR SECONDS`.

Records both at once and prints how many bursts were found in both, and of the delay the median, the 95th and the 10th
percentile in milliseconds. The moment of a sample is when the recorder had it, by this machine's clock, at the best of all chunks;
both recorders ask for the same short fragments, so what recording takes is the same in both.
"""
import array
import os
import selectors
import subprocess
import sys
import time

RATE = 48000
# A millisecond of sound louder than this share of the loudest belongs to a burst…
LOUD = 0.3
# …and to a new one after so many milliseconds of less.
QUIET_MS = 60
# No burst is looked for further behind than this; they are further apart.
LONGEST_MS = 230


def record(sources, seconds):
    """Samples of each source, and the moment of its first."""
    selector = selectors.DefaultSelector()
    recorders, data, begins = [], {}, {}
    for source in sources:
        command = ["parec", "-d", source, "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=5"]
        recorder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        recorders.append(recorder)
        data[source], begins[source] = bytearray(), float("inf")
        selector.register(recorder.stdout, selectors.EVENT_READ, source)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and selector.get_map():
        for key, _ in selector.select(0.5):
            chunk = os.read(key.fileobj.fileno(), 65536)
            now = time.monotonic()
            if not chunk:
                selector.unregister(key.fileobj)
                continue
            data[key.data] += chunk
            begins[key.data] = min(begins[key.data], now - len(data[key.data]) / 2 / RATE)
    for recorder in recorders:
        recorder.terminate()
        recorder.wait()
    return [(array.array("h", bytes(data[s][: len(data[s]) // 2 * 2])), begins[s]) for s in sources]


def onsets(sound, begin):
    """Milliseconds at which bursts begin, by the clock of `begin`."""
    step = RATE // 1000
    loud = [max(map(abs, sound[i : i + step]), default=0) for i in range(0, len(sound), step)]
    # The loudest but for a few: a click is no burst.
    top = sorted(loud)[-max(1, len(loud) // 200)] if loud else 0
    if top < 300:
        return []
    limit, quiet, found = LOUD * top, 0, []
    for ms, level in enumerate(loud):
        if level < limit:
            quiet += 1
            continue
        if quiet >= QUIET_MS:
            piece = sound[ms * step : (ms + 1) * step]
            first = next(i for i, s in enumerate(piece) if abs(s) >= limit)
            found.append(begin * 1000 + ms + first * 1000 / RATE)
        quiet = 0
    return found


mouth, ear = (onsets(*recorded) for recorded in record(sys.argv[1:3], float(sys.argv[3])))
delays = []
for said in mouth:
    heard = [at - said for at in ear if 0 <= at - said < LONGEST_MS]
    if heard:
        delays.append(heard[0])
delays.sort()
at = lambda share: delays[min(len(delays) - 1, int(share * len(delays)))] if delays else float("nan")
print(f"{len(delays)} {at(0.5):.1f} {at(0.95):.1f} {at(0.1):.1f}")
