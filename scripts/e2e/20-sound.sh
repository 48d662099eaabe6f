#!/usr/bin/env bash
# Sound for real, through a PulseAudio server of our own: a tone played into the virtual microphone of one peer comes
# out of the other's loudspeaker, at its pitch and a sane level; muted, it does not.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/sound.bash"
built examples/headless_peer visavis-server

"$bin/visavis-server" --listen 127.0.0.1:0 >"$tmp/server.log" 2>&1 &
pids+=($!)
until_true 10 "the server's address" grep -qsE '127\.0\.0\.1:[1-9]' "$tmp/server.log"
address=$(grep -oE '127\.0\.0\.1:[1-9][0-9]*' "$tmp/server.log" | head -n 1)

# peer NAME FD OPTIONS…: a peer that obeys what is written to the descriptor.
peer() {
    local who=$1 fd=$2
    shift 2
    mkfifo "$tmp/$who.in"
    "$bin/examples/headless_peer" --server "ws://$address" --bind 127.0.0.1 --size 320x180 --wait \
        --report "$tmp/$who.json" --microphone "${who}mic" --speaker "${who}speaker" "$@" \
        <"$tmp/$who.in" >"$tmp/$who.log" 2>&1 &
    pids+=($!)
    eval "exec $fd>$tmp/$who.in"
}
peer ann 5 --open
ann=$!
peer bob 6
bob=$!
until_true 20 "Ann" grep -qx ready "$tmp/ann.log"
until_true 20 "Bob" grep -qx ready "$tmp/bob.log"
echo join >&5
until_true 10 "the room" has "$tmp/ann.log" '"event":"joined"'
echo join >&6
for who in ann bob; do until_true 20 "$who's connection" has "$tmp/$who.log" '"event":"connected"'; done

for pair in "ann bob" "bob ann"; do
    read -r from to <<<"$pair"
    paplay -d "${from}feed" "$tmp/tone.wav" >"$tmp/paplay.log" 2>&1 &
    player=$!
    pids+=("$player")
    # The first seconds are the stream's beginning; what counts is the loudest half second.
    result=$(heard "$to" 4 1000)
    holds "length > 2 and 0.03 < level < 0.5 and share > 0.8" "$result" || fail "$to heard of $from: $result (length, level, share at 1 kHz)"
    ok "$from's 1 kHz comes out of $to's loudspeaker (level and share: ${result#* })"

    fd=5 && [[ $from == bob ]] && fd=6
    echo "mute on" >&$fd
    until_true 10 "$to to be told" has "$tmp/$to.log" '"muted":true'
    heard "$to" 1 1000 >/dev/null # What was under way is played out.
    result=$(heard "$to" 3 1000)
    holds "length > 1 and level < 0.001" "$result" || fail "$to heard of $from, who is muted: $result"
    ok "muted, nothing of it does (level: $(cut -d' ' -f2 <<<"$result"))"
    echo "mute off" >&$fd
    until_true 10 "$to to be told" has "$tmp/$to.log" '"muted":false'
    result=$(heard "$to" 4 1000)
    holds "level > 0.03 and share > 0.8" "$result" || fail "$to heard of $from, unmuted again: $result"
    ok "unmuted, it does again"
    kill "$player"
    wait "$player" || true
done

echo stop >&5
ends_with "$ann" 0 "Ann's process"
ends_with "$bob" 0 "Bob's process"
has "$tmp/bob.log" '"event":"peer-left"' || fail "Bob was not told of the hang-up"
ok "hanging up ended both with 0"
