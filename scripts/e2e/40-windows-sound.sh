#!/usr/bin/env bash
# Two windows in a call as two people have it: a microphone and a loudspeaker each, of a PulseAudio server of our own,
# and a picture file as camera. A tone played into one's microphone comes out of the other's loudspeaker; after a
# press of M it does not.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/sound.bash"
source "$(dirname "$0")/windows.bash"

# Two seconds of a bright bar that wanders over grey: somebody's camera.
python3 - "$tmp/camera.y4m" <<'PY'
import sys

width, height = 320, 180
with open(sys.argv[1], "wb") as out:
    out.write(b"YUV4MPEG2 W%d H%d F30:1 Ip A1:1 C420jpeg\n" % (width, height))
    for frame in range(60):
        row = bytes(200 if (x + 5 * frame) % width < 40 else 90 for x in range(width))
        out.write(b"FRAME\n" + row * height + bytes([110]) * (width * height // 4) + bytes([150]) * (width * height // 4))
PY

screen ann
screen bob
app ann --camera "file:$tmp/camera.y4m" --microphone annmic --speaker annspeaker --name Ann --start
until_true 20 "a code on standard output" code_of ann
app bob --camera "file:$tmp/camera.y4m" --microphone bobmic --speaker bobspeaker --name Bob --join "$(head -n 1 "$tmp/ann.out")"

plays() {
    paplay -d "${1}feed" "$tmp/tone.wav" >"$tmp/paplay.log" 2>&1 &
    player=$!
    pids+=("$player")
}
stops() {
    kill "$player"
    wait "$player" || true
}
# reaches FROM TO: somebody's tone comes out of the other's loudspeaker.
reaches() {
    result=$(heard "$2" 3 1000)
    holds "length > 2 and 0.03 < level < 0.5 and share > 0.8" "$result"
}
silent() {
    result=$(heard "$1" 3 1000)
    holds "length > 1 and level < 0.001" "$result"
}

for pair in "ann bob" "bob ann"; do
    read -r from to <<<"$pair"
    plays "$from"
    # The call comes about meanwhile; opening a microphone takes a second or two.
    until_true 40 "$from's tone at $to's loudspeaker" reaches "$from" "$to"
    ok "$from's 1 kHz comes out of $to's loudspeaker (level and share: ${result#* })"
    on "$from" key m
    until_true 15 "silence at $to's loudspeaker" silent "$to"
    ok "after M nothing of it does"
    on "$from" key m
    until_true 15 "$from's tone again" reaches "$from" "$to"
    ok "after another M it does again"
    stops
done

kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "Ann's window"
kill -TERM "$pid_bob"
ends_with "$pid_bob" 0 "Bob's window"
ok "both windows ended with 0"
