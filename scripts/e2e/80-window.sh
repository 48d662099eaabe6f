#!/usr/bin/env bash
# The window itself, on a software renderer: how soon it is there, what it costs to leave it open, that no file keeps it
# from opening, that a call needs no mouse, and that a report of trouble gets onto the real clipboard without a name in
# it.
source "$(dirname "$0")/common.bash"
need import python3
source "$(dirname "$0")/windows.bash"
unset XDG_RUNTIME_DIR
export VISAVIS_LOG=visavis_app=info,error
quiet=(--camera none --microphone none --speaker none)

# settled NAME: settings of somebody who has used the app before, so that nothing but the screen itself can be reached.
settled() {
    rm -rf "$tmp/$1-config"
    mkdir "$tmp/$1-config"
    echo '{"notice_seen":true,"ice_servers":[]}' >"$tmp/$1-config/settings.json"
}
drawn() { has "$tmp/$1.log" "first frame drawn"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# --- How soon it is there, the first time ------------------------------------------------------------------------------

screen ann
times=()
for run in 1 2 3 4 5; do
    rm -rf "$tmp/ann-config" "$tmp/ann.log"
    began=$(date +%s%3N)
    (DISPLAY=$display_ann isolated "$bin/visavis" --config-dir "$tmp/ann-config") >"$tmp/ann.out" 2>"$tmp/ann.log" &
    pid=$!
    pids+=("$pid")
    until_true 20 "the first frame" drawn ann
    # The log says when, so it does not matter when it is read.
    shown=$(grep -m 1 "first frame drawn" "$tmp/ann.log" | grep -oE '[0-9]{4}-[0-9-]+T[0-9:.]+Z' | head -n 1)
    times+=($(($(date -d "$shown" +%s%3N) - began)))
    kill -TERM "$pid"
    ends_with "$pid" 0 "a window in Home"
done
median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 3p)
((median <= 1000)) || fail "from start to the first frame on screen: ${times[*]} ms, median $median"
ok "first start to first frame on screen: median $median ms of ${times[*]}"

# --- What it costs to leave it open ------------------------------------------------------------------------------------

settled ann
app ann --camera none
until_true 20 "the first frame" drawn ann
sleep 3
before=$(ticks "$pid_ann")
sleep 10
used=$(($(ticks "$pid_ann") - before))
kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "a window in Home"
hz=$(getconf CLK_TCK)
((used * 100 <= 10 * hz)) || fail "Home without camera took $used ticks of $hz in 10 s of doing nothing"
ok "Home without camera takes $(awk "BEGIN { printf \"%.1f\", $used * 100 / (10 * $hz) }") % of a core"

# --- A pipe in the settings' place: opening it would wait for ever ------------------------------------------------------

rm -rf "$tmp/ann-config"
mkdir "$tmp/ann-config"
mkfifo "$tmp/ann-config/settings.json"
app ann "${quiet[@]}"
until_true 20 "the first frame" drawn ann
kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "a window without settings"
[[ -p $tmp/ann-config/settings.json ]] || fail "the pipe in the settings' place is gone"
ok "a pipe in the settings' place does not keep the window from opening"

# --- A call without a mouse --------------------------------------------------------------------------------------------

# strip NAME: the moment at which what fills NAME's window was captured by the other's camera.
sees() {
    local display=display_$1
    DISPLAY=${!display} import -silent -window root -crop "${width}x140+0+0" -depth 8 "gray:$tmp/$1.gray" 2>>"$tmp/import.log"
    python3 "$(dirname "$0")/strip.py" "$tmp/$1.gray" "$width" >"$tmp/$1.strip"
}
# begin NAME: nothing lies on top and nothing has the focus.
begin() {
    on "$1" key Escape
    sleep 0.3
    on "$1" key Escape
    sleep 0.3
}
# tabs NAME N: to the N-th control from where nothing has the focus. One frame takes one step, as a person's fingers do.
tabs() {
    local i
    for ((i = 0; i < $2; i++)); do
        on "$1" key Tab
        sleep 0.3
    done
}
clipboard() { DISPLAY=$display_ann timeout 5 xclip -o -selection clipboard 2>>"$tmp/xclip.log"; }
code_copied() { clipboard >"$tmp/code" && [[ $(<"$tmp/code") =~ ^[a-z]+-[a-z]+-[a-z]+-[a-z]+$ ]]; }
report_copied() { clipboard >"$tmp/report" && has "$tmp/report" "last events"; }
gone() { ! on "$1" search --onlyvisible --name .; }

devices=(--camera pattern --microphone tone --speaker none)
screen bob
settled ann
settled bob
if command -v xclip >/dev/null; then
    app ann "${devices[@]}" --name Quuxanna
    until_true 20 "the first frame" drawn ann
    # A step may be lost where two fall into one frame of a busy machine, so the effect is what counts.
    copies() {
        begin ann
        if at_home ann; then
            # Mute, Video off, Settings, the name, Start.
            tabs ann 5
            on ann key Return
            sleep 1
            begin ann
        fi
        # Copy code is the first control of the screen that follows; another press does no harm.
        ! at_home ann && tabs ann 1 && on ann key Return && sleep 0.5 && code_copied
    }
    until_true 60 "the code on the clipboard" copies
    code=$(<"$tmp/code")
    ok "Tab and Enter start a call and copy its code"
else
    app ann "${devices[@]}" --name Quuxanna --start
    until_true 20 "a code on standard output" code_of ann
    code=$(head -n 1 "$tmp/ann.out")
fi
app bob "${devices[@]}" --name Xyzzybob
until_true 20 "the first frame" drawn bob
joins() {
    begin bob
    if at_home bob; then
        # Mute, Video off, Settings, the name, Start, the field for the code.
        tabs bob 6
        on bob key ctrl+a
        on bob type --delay 40 "${code//-/ }"
        on bob key Return
        sleep 1
    fi
    ! at_home bob
}
until_true 60 "Bob on his way into the call" joins
until_true 30 "Ann's picture on Bob's screen" sees bob
until_true 30 "Bob's picture on Ann's screen" sees ann
ok "Tab, four words and Enter join it; both see each other"

if command -v xclip >/dev/null; then
    # I opens what is known of the connection; its button is the last control of all.
    reports() {
        begin ann
        on ann key i
        sleep 0.5
        on ann key shift+Tab
        sleep 0.3
        on ann key Return
        sleep 0.5
        report_copied
    }
    until_true 30 "the report on the clipboard" reports
    for words in "Visavis " "webrtc " "state: in a call" "path: direct" "camera: the test picture" "video in:" "connected direct"; do
        has "$tmp/report" "$words" || fail "the report does not say '$words': $(<"$tmp/report")"
    done
    # A word alone may be one of the report's own ("camera" is on the list of words), two in a row are not.
    read -r a b c d <<<"${code//-/ }"
    for secret in "$a[^a-z]+$b" "$b[^a-z]+$c" "$c[^a-z]+$d" Quuxanna Xyzzybob "$tmp"; do
        ! grep -qiE -- "$secret" "$tmp/report" || fail "the report names $secret: $(<"$tmp/report")"
    done
    ! grep -qE '([0-9]{1,3}\.){3}[0-9]{1,3}|([0-9a-f]{1,4}:){2,}' "$tmp/report" ||
        fail "the report holds an address: $(<"$tmp/report")"
    ok "the report of the call is on the real clipboard, $(wc -l <"$tmp/report") lines without code, name or address"
else
    echo "not run $name: the clipboard, for want of xclip"
fi

# --- Closed in mid-call ------------------------------------------------------------------------------------------------

began=$(date +%s%3N)
kill -TERM "$pid_bob"
until_true 10 "Bob's window to go" gone bob
vanished=$(($(date +%s%3N) - began))
ends_with "$pid_bob" 0 "the window that was told to close"
ok "told to close in a call, the window is gone after $vanished ms and the process after $(($(date +%s%3N) - began)) ms"
kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "the other window"
