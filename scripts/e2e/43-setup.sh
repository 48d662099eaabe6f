#!/usr/bin/env bash
# Check my setup, in a window, with a microphone and a loudspeaker of a PulseAudio server of our own. Where nothing of the
# loudspeaker comes back, headphones are found; where it does, 40 ms later and a quarter as loud, the echo is found and
# removed; with cancellation switched off it is found and not removed. And one hears oneself two seconds later.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/sound.bash"
source "$(dirname "$0")/windows.bash"

# Where "Check my setup" is on the first screen, with the notice about STUN servers read.
check_at="898 604"

# settings CANCELLATION: what Ann chose the last time.
settings() {
    mkdir -p "$tmp/ann-config"
    echo "{\"notice_seen\": true, \"ice_servers\": [], \"echo_cancellation\": $1}" >"$tmp/ann-config/settings.json"
}

# begins: the window, with a check under way.
begins() {
    export VISAVIS_LOG=visavis_call=debug
    app ann --camera pattern --microphone annmic --speaker annspeaker --name Ann
    until_true 20 "the first screen" at_home ann
    read -r x y <<<"$check_at"
    on ann mousemove "$x" "$y"
    on ann click 1
    until_true 20 "the call with the echo peer" grep -q '"connected"' "$tmp/ann.log"
    until_true 20 "the picture that comes back" grep -q '"first-frame"' "$tmp/ann.log"
}

# test_for_echo: what came of it goes to the variable outcome.
test_for_echo() {
    local before
    before=$(grep -c "test for echo is over" "$tmp/ann.log" || true)
    on ann key t
    another() { (($(grep -c "test for echo is over" "$tmp/ann.log") > before)); }
    until_true 20 "the end of the test" another
    outcome=$(grep "test for echo is over" "$tmp/ann.log" | tail -n 1 | sed 's/\x1b\[[0-9;]*m//g; s/.*outcome=//')
}
left() { sed -E 's/.*left_db: (-?[0-9.]+(e-?[0-9]+)?).*/\1/' <<<"$outcome"; }

ends() {
    on ann key Escape
    until_true 10 "the first screen again" at_home ann
    kill -TERM "$pid_ann"
    ends_with "$pid_ann" 0 "the window"
}

screen ann
settings true
begins
# A tone is said and comes back.
paplay -d annfeed "$tmp/tone.wav" >"$tmp/paplay.log" 2>&1 &
says=$!
pids+=($!)
comes_back() {
    result=$(heard ann 3 1000)
    holds "length > 2 and 0.01 < level < 0.5 and share > 0.8" "$result"
}
until_true 30 "one's own tone at the loudspeaker" comes_back
ok "what is said comes back (level and share: ${result#* })"
kill "$says"
wait "$says" || true
# What was said last is still on its way.
quiet() { holds "level < 0.001" "$(heard ann 2 1000)"; }
until_true 20 "silence" quiet
test_for_echo
[[ $outcome == *Silent* ]] || fail "with a microphone that gives nothing but zeros: $outcome"
ok "a microphone that gives nothing but zeros: $outcome"
# Something is heard of the room, and nothing of the loudspeaker.
paplay --volume=13107 -d annfeed "$tmp/tone.wav" >"$tmp/paplay.log" 2>&1 &
says=$!
pids+=($!)
sounds() { pactl list short sink-inputs | grep -q .; }
until_true 10 "the room" sounds
test_for_echo
kill "$says"
wait "$says" || true
[[ $outcome == *Headphones* ]] || fail "without an echo: $outcome"
ok "without a way from loudspeaker to microphone: $outcome"

pactl load-module module-loopback source=annspeaker.monitor sink=annfeed latency_msec=40 adjust_time=0 >"$tmp/loopback.txt"
loops() { pactl list short sink-inputs | grep -q module-loopback; }
until_true 10 "the way from loudspeaker to microphone" loops
pactl set-sink-input-volume "$(pactl list short sink-inputs | awk '/module-loopback/ { print $1; exit }')" -12dB
test_for_echo
[[ $outcome == *Echo\(* ]] || fail "with an echo: $outcome"
python3 -c "import sys; sys.exit(not $(left) <= -25)" || fail "the echo is not removed: $outcome"
ok "with one: $outcome"
ends

settings false
: >"$tmp/ann.log"
begins
test_for_echo
[[ $outcome == *Echo\(* ]] || fail "without cancellation: $outcome"
python3 -c "import sys; sys.exit(not $(left) > -6)" || fail "without cancellation it is removed: $outcome"
ok "without cancellation: $outcome"
ends
