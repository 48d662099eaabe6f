#!/usr/bin/env bash
# A room that stays: its six words are kept in the settings, its owner is asked in a window before each call, by name, and
# a caller is let in, declined, or goes away. Callers are a headless peer and another window.
# With VISAVIS_PICTURES=FOLDER pictures of the windows are left there.
source "$(dirname "$0")/common.bash"
need import python3
source "$(dirname "$0")/windows.bash"
built examples/headless_peer

devices=(--camera pattern --microphone none --speaker none)
for who in ann bob; do
    screen "$who"
    mkdir "$tmp/$who-config"
    echo '{"notice_seen":true,"ice_servers":[]}' >"$tmp/$who-config/settings.json"
done

picture() {
    [[ -n ${VISAVIS_PICTURES:-} ]] || return 0
    local display=display_$1
    DISPLAY=${!display} import -silent -window root "$VISAVIS_PICTURES/$2.png"
}
sees() {
    local display=display_$1
    DISPLAY=${!display} import -silent -window root -crop "${width}x140+0+0" -depth 8 "gray:$tmp/$1.gray" 2>>"$tmp/import.log"
    python3 "$(dirname "$0")/strip.py" "$tmp/$1.gray" "$width" >"$tmp/$1.strip"
}
six_words() { [[ $(head -n 1 "$tmp/ann.out") =~ ^([a-z]+-){5}[a-z]+$ ]]; }
opens() {
    app ann "${devices[@]}" --name Ann --open-room
    until_true 20 "six words on standard output" six_words
    code=$(head -n 1 "$tmp/ann.out")
}
# calls NAME: a headless peer on its way to Ann's room; its events go to NAME.events.
calls() {
    mkfifo "$tmp/$1.in"
    (isolated "$bin/examples/headless_peer" --camera none --microphone none --join --room "$code" --name "$1" --wait \
        --report "$tmp/$1.json") <"$tmp/$1.in" >"$tmp/$1.events" 2>"$tmp/$1.log" &
    printf -v "pid_$1" '%s' $!
    pids+=($!)
    exec {line}>"$tmp/$1.in"
    until_true 20 "$1 to be ready" has "$tmp/$1.events" ready
    echo join >&"$line"
    until_true 20 "$1 at the door" has "$tmp/$1.events" '"event":"holds"'
    has "$tmp/$1.events" '"name":"Ann"' || fail "$1 does not know whose door it is: $(<"$tmp/$1.events")"
}

# answers KEY WHAT COMMAND…: presses the key until the command succeeds; one that comes too soon is not meant.
answers() {
    local key=$1 what=$2
    shift 2
    pressed() {
        on ann key "$key"
        sleep 0.3
        "$@"
    }
    until_true 20 "$what" pressed "$@"
}

# --- Kept ---------------------------------------------------------------------------------------------------------------

opens
settings=$tmp/ann-config/settings.json
until_true 10 "the words in the settings" has "$settings" "$code"
[[ $(stat -c %a "$settings") == 600 ]] || fail "others can read the settings: $(stat -c %a "$settings")"
! grep -qF "${code#*-*-}" "$tmp/ann.log" || fail "the words are in the log"
ok "a room is kept: six words in settings that nobody else can read, and in no log"

# --- Asked, accepted ----------------------------------------------------------------------------------------------------

calls Grace
sleep 1
picture ann asked
! has "$tmp/Grace.events" '"event":"connected"' || fail "a call stands that nobody accepted"
! has "$tmp/Grace.events" '"event":"ice-connected"' || fail "a path was found before anybody accepted"
answers a "the call that was accepted" has "$tmp/Grace.events" '"event":"connected"'
ok "the owner is asked, and the call stands once they accept"
echo stop >&"$line"
ends_with "$pid_Grace" 0 "the caller"

# --- The same words the next time, declined ------------------------------------------------------------------------------

kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "the owner's window"
before=$code
opens
[[ $code == "$before" ]] || fail "other words after a new start: the room was not kept"
calls Mallory
answers n "the word about it" has "$tmp/Mallory.events" "The other side declined"
ends_with "$pid_Mallory" 3 "the caller who was declined"
ok "after a new start the room has the same words; who is declined is told so"

# --- A caller who goes away -----------------------------------------------------------------------------------------------

# For a moment after that nobody is asked about.
sleep 5
calls Ghost
echo stop >&"$line"
ends_with "$pid_Ghost" 3 "the caller who went away"
# An answer to nobody: the room stays open for whoever comes next.
on ann key a
sleep 0.5

# --- Another window --------------------------------------------------------------------------------------------------------

app bob "${devices[@]}" --name Bob --join "$code"
# Whichever frame takes the key: only one that is asked takes it.
accepted() {
    picture bob outside
    on ann key a
    sleep 0.5
    sees bob
}
until_true 30 "Ann's picture on Bob's screen" accepted
until_true 30 "Bob's picture on Ann's screen" sees ann
picture ann in-call
ok "two windows see each other once the owner of the room has accepted"
kill -TERM "$pid_bob"
ends_with "$pid_bob" 0 "the caller's window"
sleep 1
picture ann over
kill -TERM "$pid_ann"
ends_with "$pid_ann" 0 "the owner's window"
