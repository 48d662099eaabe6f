#!/usr/bin/env bash
# A call of half an hour, at 15 pictures a second and 640x360, in which nothing grows: memory, threads, open files.
source "$(dirname "$0")/../common.bash"
need python3
built examples/loopback_call

seconds=${VISAVIS_LONG_SECONDS:-1800}
"$bin/examples/loopback_call" --seconds "$seconds" --size 640x360 --fps 15 --json >"$tmp/result.json" 2>"$tmp/loopback.log" ||
    fail "loopback_call ended with $?"
python3 - "$tmp/result.json" <<'PY' || fail "$(cat "$tmp/result.json")"
import json
import sys

result = json.load(open(sys.argv[1]))
early, end = result["resources"]["early"], result["resources"]["end"]
wrong = []
# Idle helper threads of the runtimes come and go, at most eight for each of two peers.
if end["threads"] > early["threads"] + 16:
    wrong.append(f"threads: {early['threads']} -> {end['threads']}")
if end["fds"] > early["fds"]:
    wrong.append(f"open files: {early['fds']} -> {end['fds']}")
# The allocator keeps what it once had; 64 bytes lost with each packet would show as more than that.
if end["rss_mb"] > early["rss_mb"] + 8:
    wrong.append(f"memory: {early['rss_mb']:.1f} -> {end['rss_mb']:.1f} MB")
for way in ("a_to_b", "b_to_a"):
    video, audio = result[way]["video"], result[way]["audio"]
    print(
        f"{way}: {video['fps']:.2f} fps, latency p50 {video['latency_ms']['p50']:.1f} p95 {video['latency_ms']['p95']:.1f}"
        f" max {video['latency_ms']['max']:.0f} ms, sound delay p50 {audio['delay_ms']['p50']:.1f} ms,"
        f" {audio['concealed_pct']:.3f} % concealed"
    )
    if video["fps"] < 14:
        wrong.append(f"{way}: {video['fps']:.2f} pictures a second")
print(f"{early} -> {end}, {result['cpu_s_per_s']:.2f} cores")
for line in wrong:
    print("wrong:", line)
sys.exit(bool(wrong))
PY
ok "$seconds s: memory, threads and open files do not grow"
