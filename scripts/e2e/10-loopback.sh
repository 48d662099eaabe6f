#!/usr/bin/env bash
# Two whole peers in one process, in the profile that developers build: 720p at 28 pictures a second or more both ways,
# sound and a message carried.
source "$(dirname "$0")/common.bash"
need python3
built examples/loopback_call

"$bin/examples/loopback_call" --seconds 8 --json >"$tmp/result.json" 2>"$tmp/loopback.log" || fail "loopback_call ended with $?"
python3 - "$tmp/result.json" <<'PY' || fail "$(cat "$tmp/result.json")"
import json
import sys

result = json.load(open(sys.argv[1]))
wrong = []


def check(holds, what):
    if not holds:
        wrong.append(what)


for way in ("a_to_b", "b_to_a"):
    video, audio = result[way]["video"], result[way]["audio"]
    check(video["fps"] >= 28, f"{way}: {video['fps']:.1f} pictures a second")
    check((video["width"], video["height"]) == (1280, 720), f"{way}: {video['width']}x{video['height']}")
    check(video["frames_decoded"] > 200, f"{way}: {video['frames_decoded']} pictures")
    check(video["latency_ms"]["p50"] < 400, f"{way}: latency {video['latency_ms']}")
    check(video["psnr_db"]["mean"] > 28, f"{way}: PSNR {video['psnr_db']}")
    check(0 < audio["delay_ms"]["p50"] < 600, f"{way}: sound delay {audio['delay_ms']}")
    print(
        f"{way}: {video['fps']:.1f} fps, latency p50 {video['latency_ms']['p50']:.0f} ms, "
        f"sound delay p50 {audio['delay_ms']['p50']:.0f} ms"
    )
check(result["data"]["round_trip_ms"] is not None, "no message came back")
for line in wrong:
    print("wrong:", line)
sys.exit(bool(wrong))
PY
ok "720p both ways, sound and messages"
