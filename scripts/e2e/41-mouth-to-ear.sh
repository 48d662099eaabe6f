#!/usr/bin/env bash
# How long sound takes from a microphone to the other side's loudspeaker, through a PulseAudio server of our own: bursts
# of a tone are played into one peer's microphone and looked for in what the other's loudspeaker is given. What the two
# virtual devices take counts. Figures are printed. Checked is that the bursts are heard, and that the quickest tenth,
# which a busy machine delays least, is as quick as it should be.
# `chrt -r 1` before the script gives figures on a machine that is busy.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/sound.bash"
built examples/headless_peer visavis-server

# Forty milliseconds of 1 kHz, every 300 to 400 ms.
python3 - "$tmp/bursts.wav" <<'PY'
import array
import math
import sys
import wave

with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(48000)
    sound = array.array("h")
    for n in range(300):
        sound.extend(int(0.5 * 32767 * math.sin(2 * math.pi * 1000 * i / 48000)) for i in range(1920))
        sound.extend([0] * (48 * (260 + n * 37 % 100)))
    out.writeframes(sound.tobytes())
PY

"$bin/visavis-server" --listen 127.0.0.1:0 >"$tmp/server.log" 2>&1 &
pids+=($!)
until_true 10 "the server's address" grep -qsE '127\.0\.0\.1:[1-9]' "$tmp/server.log"
address=$(grep -oE '127\.0\.0\.1:[1-9][0-9]*' "$tmp/server.log" | head -n 1)

# peer NAME FD OPTIONS…: a peer that obeys what is written to the descriptor.
peer() {
    local who=$1 fd=$2
    shift 2
    rm -f "$tmp/$who.in" "$tmp/$who.log"
    mkfifo "$tmp/$who.in"
    "$bin/examples/headless_peer" --server "ws://$address" --bind 127.0.0.1 --size 320x180 --wait --no-dtx \
        --report "$tmp/$who.json" --microphone "${who}mic" --speaker "${who}speaker" "$@" \
        <"$tmp/$who.in" >"$tmp/$who.log" 2>&1 &
    pids+=($!)
    eval "exec $fd>$tmp/$who.in"
}

paplay -d annfeed "$tmp/bursts.wav" >"$tmp/paplay.log" 2>&1 &
pids+=($!)
for frame in 20 10 auto; do
    peer ann 5 --open --audio-frame "$frame"
    ann=$!
    peer bob 6 --audio-frame "$frame"
    bob=$!
    until_true 20 "Ann" grep -qx ready "$tmp/ann.log"
    until_true 20 "Bob" grep -qx ready "$tmp/bob.log"
    echo join >&5
    until_true 10 "the room" has "$tmp/ann.log" '"event":"joined"'
    echo join >&6
    for who in ann bob; do until_true 20 "$who's connection" has "$tmp/$who.log" '"event":"connected"'; done
    # The first seconds are the path's beginning.
    python3 "$(dirname "$0")/ear.py" annfeed.monitor bobspeaker.monitor 6 >"$tmp/early.txt"
    read -r count p50 p95 p10 < <(python3 "$(dirname "$0")/ear.py" annfeed.monitor bobspeaker.monitor 10)
    # ear.py finds none that is more than 230 ms late.
    ((count >= 12)) || fail "packets of $frame ms: only $count bursts were heard (p50 $p50 ms, p95 $p95 ms)"
    case $frame in 20) most=110 ;; *) most=100 ;; esac
    python3 -c "import sys; sys.exit(not $p10 <= $most)" ||
        fail "packets of $frame ms: even the quickest tenth takes $p10 ms (p50 $p50 ms)"
    ok "packets of $frame ms: $count bursts from mouth to ear, p50 $p50 ms, p95 $p95 ms, p10 $p10 ms"
    echo stop >&5
    ends_with "$ann" 0 "Ann's process"
    ends_with "$bob" 0 "Bob's process"
done
