#!/usr/bin/env bash
# The echo of a loudspeaker beside a microphone, through a PulseAudio server of our own: what Bob's loudspeaker plays comes
# back into his microphone, quieter and later. Ann speaks. Without voice processing she hears herself; with it what is
# left is at least 30 dB down.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/sound.bash"
built examples/headless_peer visavis-server

# Syllables of a made-up voice: buzz and breath of changing pitch and colour, with pauses between words.
python3 - "$tmp/voice.wav" <<'PY'
import array
import math
import random
import sys
import wave

random.seed(7)
RATE = 48000
sound = array.array("h")
phase, low, band = 0.0, 0.0, 0.0
while len(sound) < 60 * RATE:
    length = int(RATE * random.uniform(0.12, 0.28))
    pitch, colour = random.uniform(95, 190), random.uniform(400, 2600)
    f = 2 * math.sin(math.pi * colour / RATE)
    breath = random.choice([0.02, 0.02, 0.4])
    for i in range(length):
        phase = (phase + pitch / RATE) % 1.0
        raw = (2 * phase - 1) + breath * random.uniform(-1, 1)
        # A resonance (state-variable filter, Q of 4) stands for the mouth.
        low += f * band
        band += f * (raw - low - band / 4)
        edge = min(i, length - 1 - i) / (0.03 * RATE)
        sound.append(int(32767 * 0.12 * min(1.0, edge) * max(-2.0, min(2.0, band + 0.3 * low))))
    if random.random() < 0.3:
        sound.extend([0] * int(RATE * random.uniform(0.05, 0.3)))
with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(RATE)
    out.writeframes(sound.tobytes())
PY

# level SOURCE SECONDS: mean level of what a source gives, in dB below full scale, no less than −120.
level() {
    timeout "$2" parec -d "$1" --raw --format=s16le --rate=48000 --channels=1 --latency-msec=20 >"$tmp/level.raw" || true
    python3 - "$tmp/level.raw" <<'PY'
import array
import math
import sys

data = open(sys.argv[1], "rb").read()
sound = array.array("h", data[: len(data) // 2 * 2])
square = sum(s * s for s in sound) / max(1, len(sound)) / 32768**2
print(round(10 * math.log10(max(square, 1e-12)), 1))
PY
}

"$bin/visavis-server" --listen 127.0.0.1:0 >"$tmp/server.log" 2>&1 &
pids+=($!)
until_true 10 "the server's address" grep -qsE '127\.0\.0\.1:[1-9]' "$tmp/server.log"
address=$(grep -oE '127\.0\.0\.1:[1-9][0-9]*' "$tmp/server.log" | head -n 1)

# Bob's room: 40 ms from his loudspeaker to his microphone, a quarter as loud. Left alone the module would change the rate
# of what it passes every 10 s to hold its delay; no room does.
pactl load-module module-loopback source=bobspeaker.monitor sink=bobfeed latency_msec=40 adjust_time=0 >"$tmp/loopback.txt"
loops() { pactl list short sink-inputs | grep -q module-loopback; }
until_true 10 "the way from Bob's loudspeaker to his microphone" loops
pactl set-sink-input-volume "$(pactl list short sink-inputs | awk '/module-loopback/ { print $1; exit }')" -12dB

# peer NAME FD OPTIONS…: a peer that obeys what is written to the descriptor.
peer() {
    local who=$1 fd=$2
    shift 2
    rm -f "$tmp/$who.in" "$tmp/$who.log"
    mkfifo "$tmp/$who.in"
    "$bin/examples/headless_peer" --server "ws://$address" --bind 127.0.0.1 --camera none --wait --no-dtx \
        --report "$tmp/$who.json" --microphone "${who}mic" --speaker "${who}speaker" "$@" \
        <"$tmp/$who.in" >"$tmp/$who.log" 2>&1 &
    pids+=($!)
    eval "exec $fd>$tmp/$who.in"
}

declare -A heard
for voice in without with; do
    paplay -d annfeed "$tmp/voice.wav" >"$tmp/paplay.log" 2>&1 &
    speaks=$!
    pids+=($!)
    peer ann 5 --open
    ann=$!
    if [[ $voice == with ]]; then peer bob 6 --voice; else peer bob 6; fi
    bob=$!
    until_true 20 "Ann" grep -qx ready "$tmp/ann.log"
    until_true 20 "Bob" grep -qx ready "$tmp/bob.log"
    echo join >&5
    until_true 10 "the room" has "$tmp/ann.log" '"event":"joined"'
    echo join >&6
    for who in ann bob; do until_true 20 "$who's connection" has "$tmp/$who.log" '"event":"connected"'; done
    # The canceller learns the room from what is said meanwhile.
    level annspeaker.monitor 8 >/dev/null
    at_bob=$(level bobspeaker.monitor 3)
    heard[$voice]=$(level annspeaker.monitor 5)
    echo "$voice voice processing: Bob's loudspeaker $at_bob dBFS, Ann hears herself at ${heard[$voice]} dBFS"
    python3 -c "import sys; sys.exit(not $at_bob > -45)" || fail "Bob's loudspeaker plays nothing of Ann ($at_bob dBFS)"
    # What is silent altogether has no echo either: Bob is heard when he speaks himself.
    kill "$speaks"
    wait "$speaks" || true
    paplay -d bobfeed "$tmp/voice.wav" >"$tmp/paplay.log" 2>&1 &
    speaks=$!
    pids+=($!)
    level annspeaker.monitor 3 >/dev/null
    of_bob=$(level annspeaker.monitor 4)
    kill "$speaks"
    wait "$speaks" || true
    python3 -c "import sys; sys.exit(not $of_bob > -45)" || fail "$voice voice processing Bob is not heard ($of_bob dBFS)"
    echo "$voice voice processing: Ann hears Bob at $of_bob dBFS"
    echo stop >&5
    ends_with "$ann" 0 "Ann's process"
    ends_with "$bob" 0 "Bob's process"
done
python3 -c "import sys; sys.exit(not ${heard[without]} > -50)" || fail "without cancellation no echo came back (${heard[without]} dBFS)"
python3 -c "import sys; sys.exit(not ${heard[without]} - ${heard[with]} >= 30)" ||
    fail "what is left of the echo is only $(python3 -c "print(round(${heard[without]} - ${heard[with]}, 1))") dB down"
ok "Ann hears herself at ${heard[without]} dBFS without voice processing, at ${heard[with]} with it"
