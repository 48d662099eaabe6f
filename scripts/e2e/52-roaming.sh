#!/usr/bin/env bash
# Networks that change in mid-call: one interface goes and another comes, the signaling server is away, a machine sleeps.
# With VISAVIS_LONG=1 the server is away for a minute, as long as it keeps no seat.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
built examples/headless_peer visavis-server
# From here on a person notices that a call does not come back; where both move at once, each must first be told by way of
# the server where the other one is, and where that was away, it must be there again.
limit=1500
limit_both=4000
limit_after=20000
away=10
[[ -z ${VISAVIS_LONG:-} ]] || away=60

# Ann moves between two networks, Bob between two others, the server is beside Bob; all behind the same router.
machine ann bob router server
declare -A subnet=([wifi]=10.1.0 [cable]=10.2.0 [office]=10.3.0 [lab]=10.4.0) host=([ann]=2 [bob]=3) number=([ann]=0 [bob]=0)
for net in wifi cable office lab; do
    network "$net"
    plug router "$net" "$net" "${subnet[$net]}.1/24"
done
on router sysctl -qw net.ipv4.ip_forward=1
plug server eth0 office 10.3.0.9/24
ip -n "$prefix-server" route add default via 10.3.0.1

now() { date +%s%3N; }
roaming() { python3 "$root/scripts/e2e/roaming.py" "$@"; }
count() { grep -cF "\"event\":\"$2\"" "$tmp/$1.log" || true; }
more_than() { (($(count "$1" "$2") > $3)); }

serve() {
    ip netns exec "$prefix-server" "$bin/visavis-server" --listen 0.0.0.0:8080 >>"$tmp/server.log" 2>&1 &
    server_pid=$!
    pids+=("$server_pid")
    until_true 10 "the server" on server bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080' 2>/dev/null
}

# to WHO NETWORK: the cable or wireless of that one is now this; nothing remains of the other.
to() {
    local who=$1 net=${subnet[$2]}
    ((number[$who] == 0)) || ip -n "$prefix-$who" link del "eth${number[$who]}"
    number[$who]=$((number[$who] + 1))
    plug "$who" "eth${number[$who]}" "$2" "$net.${host[$who]}/24"
    ip -n "$prefix-$who" route add default via "$net.1"
}

# talk: Ann and Bob are in a call.
round=0
talk() {
    round=$((round + 1))
    local who
    for who in ann bob; do
        microphone=speech peer "$who" "$who" --server ws://10.3.0.9:8080 --no-dtx --speaker "file:$tmp/$who-$round.wav" \
            "$([[ $who = ann ]] && echo --open || echo --join)"
    done
    opened ann
    say bob join
    in_call ann bob
    # Long enough for both to have agreed on what they do when the path breaks.
    pause
}

# pause [MS]: the call goes on for a while.
pause() {
    local until
    until=$(($(now) + ${1:-1500}))
    past() { (($(now) > until)); }
    until_true 60 "time to pass" past
}

# moves WHAT NETWORK: how long sound and picture are away when Ann moves.
moves() {
    local before=() since
    reconnections
    since=$(now)
    to ann "$2"
    back_again 20
    moments+=("$since" "$1" "$limit")
}

# both_move NETWORK NETWORK: Ann to the one, Bob to the other, at once. What they agreed on ahead names the addresses
# of before, so that neither finds the other one by it.
both_move() {
    to ann "$1"
    to bob "$2"
}

reconnections() { before=("$(count ann reconnected)" "$(count bob reconnected)"); }

# back_again SECONDS: both hear each other again, since reconnections were counted.
back_again() {
    until_true "$1" "ann to be back" more_than ann reconnected "${before[0]}"
    until_true "$1" "bob to be back" more_than bob reconnected "${before[1]}"
}

signaling() { [[ $(grep -F '"event":"signaling"' "$tmp/$1.log" | tail -n 1) = *"\"available\":$2"* ]]; }

# judge: what was noted, once the reports are there.
judge() {
    local i who back most=0
    for ((i = 0; i < ${#moments[@]}; i += 3)); do
        ((most >= moments[i + 2])) || most=${moments[i + 2]}
        for who in ann bob; do
            back=$(roaming back "$tmp/$who.json" "${moments[i]}")
            echo "${moments[i + 1]}: $who sees the other again after $back ms"
            ((back <= moments[i + 2])) || fail "${moments[i + 1]}: $who saw the other only after $back ms"
        done
    done
    for who in ann bob; do
        back=$(roaming silence "$tmp/$who-$round.wav")
        echo "longest silence that $who heard: $back ms"
        ((back <= most)) || fail "$who heard nothing for $back ms"
    done
    moments=()
}
moments=()

# --- One interface goes, another comes -------------------------------------------------------------------------------

serve
to ann wifi
to bob office
talk
moves "to another network" cable
pause
moves "and back" wifi
pause
stop ann bob
judge
ok "a call goes on where one network goes and another comes"

# Bob lets nothing in that he has not asked for: only over signaling he hears where Ann is.
on bob nft -f - <<'RULES' || skip "needs nftables"
table ip wall {
    chain arriving {
        type filter hook input priority filter;
        meta l4proto udp ct state new drop
    }
}
RULES
talk
moves "to another network, by signaling" cable
pause
stop ann bob
judge
on bob nft delete table ip wall
ok "what the other side cannot hear directly goes over signaling"

# --- The server is away ----------------------------------------------------------------------------------------------

talk
kill "$server_pid"
wait "$server_pid" || true
gone=$(now)
stays_away() { (($(now) > gone + 1000 * away)); }
pause
moves "to another network, without a server" wifi
until_true 90 "the server's absence to end" stays_away
serve
# It knows neither the room nor them: both enter it again.
until_true 20 "ann to have a seat" signaling ann true
until_true 20 "bob to have a seat" signaling bob true
moves "and back, with a new server" cable
pause
reconnections
both_move wifi lab
since=$(now)
back_again 30
moments+=("$since" "both to other networks, with a new server" "$limit_both")
pause
there=$(now)
stop ann bob
for who in ann bob; do
    shown=$(roaming shown "$tmp/$who.json" "$gone" "$there")
    echo "$who saw $shown pictures in $((there - gone)) ms of which the server was away for $((1000 * away))"
    ((shown >= (there - gone) * 10 / 1000)) || fail "$who saw $shown pictures only"
done
judge
ok "a call goes on without its server for $away s, and moves meanwhile and after"

talk
kill "$server_pid"
wait "$server_pid" || true
reconnections
both_move cable office
since=$(now)
until_true 20 "ann to notice" more_than ann reconnecting "${before[0]}"
pause 3000
! more_than ann reconnected "${before[0]}" || fail "ann found bob by what was agreed on ahead: this shows nothing"
serve
back_again 25
moments+=("$since" "both to other networks while the server is away" "$limit_after")
pause
stop ann bob
judge
ok "who lost each other while the server was away find each other over the one that comes"

# --- A machine sleeps ------------------------------------------------------------------------------------------------

# sleeps SECONDS: Bob's machine does.
sleeps() {
    local since
    kill -STOP "${peer_pid[bob]}"
    since=$(now)
    slept() { (($(now) > since + 1000 * $1)); }
    until_true $(($1 + 5)) "the end of the sleep" slept "$1"
    kill -CONT "${peer_pid[bob]}"
}

talk
before=$(count ann reconnected)
sleeps 10
woken=$(now)
until_true 20 "ann to see bob again" more_than ann reconnected "$before"
echo "ann hears from bob $(($(now) - woken)) ms after he woke"
pause 3000
stop ann bob
for who in ann bob; do
    old=$(roaming old "$tmp/$who.json" "$woken" 1000) settled=$(roaming settled "$tmp/$who.json" "$woken" 500)
    back=$(roaming back "$tmp/$who.json" "$woken")
    echo "$who sees what is captured after the sleep $back ms after it; $old pictures older than 1 s; the last late one after $settled ms"
    ((old <= 3)) || fail "$who was shown $old old pictures"
    ((back <= 2000 && settled <= 2000)) || fail "$who saw the other only after $back ms, late for $settled ms"
done
ok "after ten seconds' sleep the call resumes, and nothing old is shown"

talk
sleeps 33
event ann ended
has "$tmp/ann.log" "The connection broke and did not come back" || fail "ann was told otherwise"
ends_with "${peer_pid[ann]}" 0 ann
stop bob
ok "a call is over after half a minute without a word"
