"""Judges what the two peers of call.sh printed: one line `ok …` or `FAILED …` for each check.

usage: judge_call.py SERIAL-LOG
"""

import json
import re
import sys

log = open(sys.argv[1], errors="replace").read()
call = log.partition("=== call\n")[2].partition("\n=== ")[0].splitlines()


def check(holds, what, seen=""):
    print("ok     " if holds else "FAILED ", what, "" if holds else f": {seen}")


def lines_of(peer):
    return [line.removeprefix(f"{peer} ") for line in call if line.startswith(f"{peer} ")]


def report_of(peer):
    found = [line.removeprefix("report ") for line in lines_of(peer) if line.startswith("report {")]
    return json.loads(found[0]) if found else {"stats": []}


def events_of(peer):
    return [json.loads(line) for line in lines_of(peer) if line.startswith("{")]


vain = [line for line in call if line.startswith("waited in vain")]
check(call and not vain, "call: every step came about", vain)
ann, bob, heard = events_of("ann"), events_of("bob"), report_of("bob")["stats"]

# One word for each change, and none between: what is wrong stays shown while the camera is tried again.
words = [event["state"] for event in ann if event["event"] == "camera"]
wanted = ["opening", "busy", "running", "unplugged", "running", "stalled", "running", "stalled"]
check(words[: len(wanted)] == wanted, "call: the camera is busy, unplugged and stalled, and taken back each time", words)

video = [(event["t"], event["on"]) for event in bob if event["event"] == "peer-video"]
check(
    [on for _, on in video] == [False, True] * 3 + [False],
    "call: the other side knows when there is a camera",
    video,
)
names = [event["event"] for event in ann + bob]
check("reconnecting" not in names, "call: it goes on all the while", names)


def decoded(moment):
    """Pictures decoded up to a moment."""
    return max((s["inbound-rtp.video"]["framesDecoded"] for s in heard if s["t"] <= moment), default=0)


seen = [decoded(off) - decoded(on) for (on, yes), (off, _) in zip(video, video[1:]) if yes]
check(len(seen) == 3 and min(seen) > 0, "call: pictures come again each time", seen)
print("        pictures after busy, unplugged, stalled:", seen)


def sound(moment):
    """Bytes of sound received up to a moment."""
    return max((s["inbound-rtp.audio"]["bytesReceived"] for s in heard if s["t"] <= moment), default=0)


stretches = [sound(end) - sound(begin) for (begin, _), (end, _) in zip(video, video[1:])]
check(stretches and min(stretches) > 0, "call: sound goes on, with the camera and without", stretches)
print("        bytes of sound from change to change:", stretches)

for peer, limit in (("ann", 500), ("bob", 10**6)):
    ended = [re.fullmatch(rf"{peer} ended with 0(?: after (\d+) hundredths)?", line) for line in call]
    ended = [int(match[1] or 0) for match in ended if match]
    what = "ends in time, though its camera hangs" if peer == "ann" else "ends"
    check(ended and ended[0] <= limit, f"call: {peer} {what}", [line for line in call if "ended" in line])
    if peer == "ann":
        print("        it took", ended, "hundredths")
