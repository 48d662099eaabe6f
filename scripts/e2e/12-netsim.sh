#!/usr/bin/env bash
# Two whole peers in one process on emulated links: picture and sound get through both ways on a lossy one and on one
# that changes, the figures are there under their names, and nonsense is refused with one line.
source "$(dirname "$0")/common.bash"
need python3
built examples/netsim

refused() {
    local code=0
    "$bin/examples/netsim" "$@" >"$tmp/refused.out" 2>"$tmp/refused.err" || code=$?
    [[ $code -eq 2 ]] || fail "$* ended with $code instead of 2"
    [[ $(wc -l <"$tmp/refused.err") -eq 1 && ! -s $tmp/refused.out ]] || fail "$*: $(cat "$tmp/refused.err")"
}
refused --scenario moon
refused --loss 2
refused --at 15
refused --speed 3

"$bin/examples/netsim" --scenario burst10 --seconds 8 --json >"$tmp/result.json" 2>"$tmp/netsim.log" ||
    fail "netsim ended with $?"
"$bin/examples/netsim" --rate 2M --queue 300 --delay 20 --at 4:rate=600k --seconds 9 --json \
    >>"$tmp/result.json" 2>>"$tmp/netsim.log" || fail "netsim ended with $?"
python3 - "$tmp/result.json" <<'PY' || fail "$(cat "$tmp/result.json")"
import json
import sys

results = [json.loads(line) for line in open(sys.argv[1])]
wrong = []


def check(holds, what):
    if not holds:
        wrong.append(what)


check([r["scenario"] for r in results] == ["burst10", "link"], "other scenarios than asked for")
for result in results:
    check(result["join_to_first_frame_ms"] > 0 and result["cpu_s_per_s"] > 0, "no join time, or no CPU")
    for way in ("a_to_b", "b_to_a"):
        d, where = result[way], f"{result['scenario']} {way}"
        check(d["pictures"]["shown"] > 40, f"{where}: {d['pictures']}")
        check(d["audio"]["packets_received"] > 100, f"{where}: {d['audio']}")
        check(0 <= d["audio"]["concealed_pct"] < 60 and d["audio"]["buffer_ms"] > 0, f"{where}: {d['audio']}")
        check(d["width_last_10s"] in (320, 480, 640, 960, 1280), f"{where}: {d['width_last_10s']} wide")
        check(0 < d["latency_ms"]["p50"] <= d["latency_ms"]["p95"] <= d["latency_ms"]["max"], f"{where}: latency")
        check(20 <= d["kbps"] < 3200 and 1 < d["fps"] < 40, f"{where}: {d['kbps']} kbps, {d['fps']} fps")
        check(d["gaps_150"] >= 0 and d["gaps_150_s"] >= 0, f"{where}: gaps")
        check({"p50", "max_abs"} <= d["lip_sync_ms"].keys() and "s_to_full_size" in d, f"{where}: {sorted(d)}")
burst, changing = results
for way in ("a_to_b", "b_to_a"):
    check(burst[way]["lost"] > 20, f"only {burst[way]['lost']} packets lost in bursts")
    check(burst[way]["latency_ms"]["p50"] > 25, "faster than the delay")
    check(changing[way]["change"]["latency_peak_ms"] > 20, f"{changing[way]['change']}")
    # What gets through cannot be more than the link lets through: 600 kbit/s but for the first second of the window.
    check(changing[way]["kbps"] < 1300, f"{changing[way]['kbps']} kbps got through")
for line in wrong:
    print("wrong:", line)
sys.exit(bool(wrong))
PY
ok "calls on emulated links, with figures; nonsense refused"
