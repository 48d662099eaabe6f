"""Calls between two headless peers in two network namespaces, one after the other; says how long each took.

A call's time is from the newcomer's `join` to the moment when both are connected. Where one is slow, the moments
within it are printed too; with RUST_LOG set, what the peers log is in the folder given by --logs.
"""

import argparse
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time

# Nobody waits longer than this for anything; calls that never connect end by themselves before.
PATIENCE = 40


class Peer:
    """A headless peer in a namespace, and the events that it has told so far."""

    def __init__(self, options, namespace, name, extra):
        self.report_file = os.path.join(options.logs, f"{name}.json")
        self.log = open(os.path.join(options.logs, f"{name}.log"), "w")
        program = os.path.join(options.bin, "examples", "headless_peer")
        command = ["ip", "netns", "exec", namespace, program, "--wait", "--server", options.server]
        command += ["--camera", "none", "--microphone", "tone", "--report", self.report_file] + extra
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def until(self, wanted):
        """The moment (Unix ms) at which it happened; None where the peer ended first."""
        limit = time.monotonic() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0.1, limit - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                return None
            if line == wanted:
                return 0
            if line.startswith("{"):
                event = json.loads(line)
                if event.get("event") == wanted:
                    return event["t"]
                if event.get("event") == "ended":
                    return None

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self):
        """Hangs up; returns the moments of the call."""
        begun = time.monotonic()
        try:
            self.process.stdin.close()
            self.process.wait(PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.took_to_end = time.monotonic() - begun
        try:
            with open(self.report_file) as report:
                return json.load(report)["t"]
        except (OSError, ValueError):
            return {}


def call(options, number, extra):
    """One call: seconds until both are connected, or None, and what is known about it."""
    near = Peer(options, options.near, f"{number:03}-near", ["--open"] + extra)
    far = Peer(options, options.far, f"{number:03}-far", extra)
    try:
        near.until("ready")
        far.until("ready")
        near.say("join")
        near.until("joined")
        far.say("join")
        moments = [peer.until("connected") for peer in (far, near)]
    finally:
        times = {"far": far.stop(), "near": near.stop()}
    options.slowest_end = max(options.slowest_end, far.took_to_end, near.took_to_end)
    found, heard = times["far"].get("ice"), times["far"].get("peer_joined")
    if found and heard:
        options.paths.append(found - heard)
    begun = times["far"].get("join")
    if begun is None or None in moments:
        return None, times, begun
    return (max(moments) - begun) / 1000, times, begun


def main():
    parser = argparse.ArgumentParser()
    for option in ("bin", "near", "far", "server", "logs"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--within", type=float, default=4.0, help="seconds that no call may take longer than")
    parser.add_argument("--median", type=float, default=None, help="seconds that half of them may not take longer than")
    parser.add_argument("--most", type=float, default=None, help="seconds that one in ten may take longer than")
    parser.add_argument("--first", type=int, default=0, help="number of the first call")
    parser.add_argument("--ended", type=float, default=10, help="seconds that no peer may take to end")
    parser.set_defaults(slowest_end=0, paths=[])
    options, extra = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    took, wrong = [], []
    for number in range(options.first, options.first + options.calls):
        seconds, times, begun = call(options, number, extra)
        took.append(float("inf") if seconds is None else seconds)
        if seconds is None or seconds > 1:
            since = {
                side: {what: round(t - begun) for what, t in moments.items() if t and begun}
                for side, moments in times.items()
            }
            print(f"call {number}: {'never' if seconds is None else f'{seconds:.2f} s'}; ms since join: {since}")
    print("ms from join to connected:", *(f"{1000 * s:.0f}" for s in took))
    print("ms from offer to path:", *(f"{ms:.0f}" for ms in options.paths))
    median = statistics.median(took)
    print(f"{len(took)} calls: median {1000 * median:.0f} ms, slowest {1000 * max(took):.0f} ms")
    late = sum(s > options.within for s in took)
    if late:
        wrong.append(f"{late} of {len(took)} calls took longer than {options.within} s")
    if options.median is not None and median > options.median:
        wrong.append(f"half of the calls took longer than {options.median} s")
    if options.most is not None and sum(s > options.most for s in took) > len(took) / 10:
        wrong.append(f"more than one call in ten took longer than {options.most} s")
    print(f"slowest end: {1000 * options.slowest_end:.0f} ms")
    if options.slowest_end > options.ended:
        wrong.append(f"a peer took longer than {options.ended} s to end")
    for line in wrong:
        print("wrong:", line)
    sys.exit(bool(wrong))


main()
