"""What a headless peer's report and its loudspeaker's file say about an interruption.

    back REPORT SINCE         ms from SINCE (Unix ms) until a picture was shown that was captured after it
    old REPORT SINCE AGE      how many pictures were shown after SINCE that were older than AGE ms
    settled REPORT SINCE AGE  ms from SINCE until the last such picture
    shown REPORT FROM TO      how many pictures were shown between two moments
    silence WAV               longest silence in ms, leading and trailing silence left out
"""

import array
import json
import math
import sys
import wave


def frames(report):
    """Moments of capture and of showing, in Unix ms."""
    with open(report) as file:
        return [(row[0], row[1]) for row in json.load(file)["frames"]]


def silence(path):
    with wave.open(path) as file:
        block = file.getframerate() // 100 * file.getnchannels()
        samples = array.array("h", file.readframes(file.getnframes()))
    loud = []
    for start in range(0, len(samples) - block, block):
        loud.append(math.sqrt(sum(s * s for s in samples[start : start + block]) / block))
    heard = [i for i, level in enumerate(loud) if level > 0.1 * sorted(loud)[len(loud) * 3 // 4]]
    return 10 * max((b - a - 1 for a, b in zip(heard, heard[1:])), default=0)


def main():
    what, path, *rest = sys.argv[1:]
    if what == "silence":
        print(silence(path))
        return
    first, *more = (float(x) for x in rest)
    rows = frames(path)
    if what == "back":
        print(round(min((shown - first for captured, shown in rows if captured >= first), default=99999)))
    elif what == "shown":
        print(sum(first <= shown < more[0] for _, shown in rows))
    else:
        old = [shown for captured, shown in rows if shown >= first and shown - captured > more[0]]
        print(len(old) if what == "old" else round(max(old, default=first) - first))


main()
