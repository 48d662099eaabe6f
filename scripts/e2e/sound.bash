# A PulseAudio server of our own: Ann and Bob each have a loudspeaker, and a microphone behind whose grille we can play.
# To be sourced after common.bash.
# shellcheck shell=bash
need pulseaudio pactl paplay parec python3

export XDG_RUNTIME_DIR=$tmp/run HOME=$tmp
unset PULSE_SERVER DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS
mkdir -m 700 "$XDG_RUNTIME_DIR"
sinks=()
for who in ann bob; do
    sinks+=(-L "module-null-sink sink_name=${who}speaker rate=48000 channels=2")
    sinks+=(-L "module-null-sink sink_name=${who}feed rate=48000 channels=1")
    sinks+=(-L "module-remap-source source_name=${who}mic master=${who}feed.monitor")
done
pulseaudio -n --daemonize=no --exit-idle-time=-1 --use-pid-file=no -L module-native-protocol-unix "${sinks[@]}" \
    >"$tmp/pulse.log" 2>&1 &
pids+=($!)
until_true 10 "PulseAudio" pactl info >/dev/null 2>&1
until_true 10 "the microphones" bash -c "pactl list short sources | grep -q bobmic"

python3 - "$tmp/tone.wav" <<'PY'
import array
import math
import sys
import wave

with wave.open(sys.argv[1], "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(48000)
    tone = (int(0.3 * 32767 * math.sin(2 * math.pi * 1000 * i / 48000)) for i in range(60 * 48000))
    out.writeframes(array.array("h", tone).tobytes())
PY

# heard NAME SECONDS HERTZ: "LENGTH LOUDNESS SHARE" of what comes out of somebody's loudspeaker.
heard() {
    timeout "$2" parec -d "$1speaker.monitor" --format=s16le --rate=48000 --channels=1 --file-format=wav "$tmp/heard.wav" \
        || [[ $? -eq 124 ]]
    python3 "$(dirname "$0")/tone.py" "$tmp/heard.wav" "$3"
}
holds() { python3 -c "import sys; length, level, share = map(float, sys.argv[2].split()); sys.exit(not ($1))" "$1" "$2"; }
