#!/usr/bin/env bash
# Windows for real: two apps, each on an X server of its own, in a network that is nothing but loopback, place a call by
# a click and typing. What one's camera sees now is on the other's screen; mute, video off and hanging up reach the
# other side; a window that is told to close ends properly.
source "$(dirname "$0")/common.bash"
need import python3
built examples/headless_peer
source "$(dirname "$0")/windows.bash"
unset XDG_RUNTIME_DIR
devices=(--camera pattern --microphone tone --speaker none)

# click NAME X Y
click() { on "$1" mousemove "$2" "$3" sleep 0.7 click 1; } # The bar of a call fades in first.

# strip NAME: the moment, in milliseconds, at which what fills NAME's window was captured by the other's camera.
strip() {
    local display=display_$1
    DISPLAY=${!display} import -silent -window root -crop "${width}x140+0+0" -depth 8 "gray:$tmp/$1.gray" 2>>"$tmp/import.log"
    python3 "$(dirname "$0")/strip.py" "$tmp/$1.gray" "$width"
}
sees() { strip "$1" >"$tmp/$1.strip"; }
sees_nothing() { ! sees "$1"; }
# age NAME: of what was read last, in milliseconds.
age() { echo $((($(date +%s%3N) - $(cat "$tmp/$1.strip")) & 0xFFFFFF)); }
# sees_lately NAME: what else is on a screen passes for a strip now and then, and hardly ever for one of the last seconds.
sees_lately() { sees "$1" && (($(age "$1") < 10000)); }

# advances NAME: the picture of the other side moves with the clock.
advances() {
    local who=$1 first second age
    until_true 30 "the other's picture on $who's screen" sees_lately "$who"
    first=$(cat "$tmp/$who.strip")
    sleep 0.5
    until_true 5 "another picture on $who's screen" sees_lately "$who"
    second=$(cat "$tmp/$who.strip")
    age=$(age "$who")
    (((second - first & 0xFFFFFF) >= 300 && (second - first & 0xFFFFFF) < 10000)) ||
        fail "the picture on $who's screen went from $first to $second ms in half a second"
    # Taking and reading the screenshot is part of it.
    ((age < 3000)) || fail "what $who's screen shows is $age ms old"
    ok "$who sees the other, $age ms old by the time the screenshot was read"
}

screen ann
screen bob
app ann "${devices[@]}" --start --name Ann
app bob "${devices[@]}" --name Bob
until_true 20 "a code on standard output" code_of ann
code=$(head -n 1 "$tmp/ann.out")
# Into the field "Join with a code or a link", as somebody would who is told the words. Without a window manager the
# first keys may come before the window has the focus, so it is looked at whether they had effect.
until_true 20 "Bob's first screen" at_home bob
for _ in 1 2 3; do
    click bob 846 364
    on bob key ctrl+a
    on bob type --delay 40 "${code//-/ }"
    on bob key Return
    for _ in $(seq 30); do
        at_home bob || break 2
        sleep 0.1
    done
done
advances bob
advances ann

# Video off at one: the picture leaves the other's screen, and comes back.
on bob key v
until_true 10 "Bob's picture to leave Ann's screen" sees_nothing ann
advances bob
on bob key v
advances ann
ok "video off and on again shows on the other's screen"

# Closed in mid-call.
kill -TERM "$pid_bob"
ends_with "$pid_bob" 0 "the window that was told to close"
until_true 10 "the end of the call on Ann's screen" sees_nothing ann
kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "the other window"
ok "closing a window ends the call and both processes with 0"

# The same against a peer that tells what reaches it.
app ann "${devices[@]}" --start --name Ann
until_true 20 "another code" code_of ann
code=$(head -n 1 "$tmp/ann.out")
mkfifo "$tmp/carl.in"
(isolated "$bin/examples/headless_peer" --room "$code" --name Carl --camera pattern --microphone tone --wait --report "$tmp/carl.json") \
    <"$tmp/carl.in" >"$tmp/carl.log" 2>&1 &
carl=$!
pids+=("$carl")
exec 5>"$tmp/carl.in"
until_true 20 "Carl" grep -qx ready "$tmp/carl.log"
echo join >&5
until_true 20 "Carl's connection" has "$tmp/carl.log" '"event":"connected"'
advances ann
click ann 384 626
until_true 10 "Carl to hear that Ann is muted" has "$tmp/carl.log" '"muted":true'
on ann key m
until_true 10 "Carl to hear that Ann speaks again" has "$tmp/carl.log" '"muted":false'
on ann key v
until_true 10 "Carl to hear that Ann shows nothing" has "$tmp/carl.log" '"on":false'
on ann key v
until_true 10 "Carl to hear that Ann shows herself" has "$tmp/carl.log" '"on":true'
echo "video off" >&5
until_true 10 "Carl's picture to leave Ann's screen" sees_nothing ann
echo "video on" >&5
advances ann
ok "mute and video off, by click and key, reach the other side, and its own reach the window"
click ann 716 626
until_true 10 "Carl to hear that Ann hung up" has "$tmp/carl.log" '"event":"peer-left"'
ends_with "$carl" 0 "Carl's process"
ok "hanging up by click reaches the other side"
kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "the window"
