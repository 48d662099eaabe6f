#!/usr/bin/env bash
# Networks that change in mid-call: one interface goes and another comes, the signaling server is away, a machine sleeps.
# With VISAVIS_LONG=1 the server is away for a minute, as long as it keeps no seat.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
built examples/headless_peer visavis-server
# From here on a person notices that a call does not come back.
limit=1500
away=10
[[ -z ${VISAVIS_LONG:-} ]] || away=60

# Ann moves between two networks; Bob and the server are in a third one, behind the same router.
machine ann bob router server
network wifi cable office
plug router wifi wifi 10.1.0.1/24
plug router cable cable 10.2.0.1/24
plug router office office 10.3.0.1/24
on router sysctl -qw net.ipv4.ip_forward=1
plug bob eth0 office 10.3.0.2/24
ip -n "$prefix-bob" route add default via 10.3.0.1
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

# to NETWORK: Ann's cable or wireless is that one; nothing remains of the other.
number=0
to() {
    local net=10.1.0
    [[ $1 = wifi ]] || net=10.2.0
    ((number == 0)) || ip -n "$prefix-ann" link del "eth$number"
    number=$((number + 1))
    plug ann "eth$number" "$1" "$net.2/24"
    ip -n "$prefix-ann" route add default via "$net.1"
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
    local since who back before=()
    for who in ann bob; do before+=("$(count "$who" reconnected)"); done
    since=$(now)
    to "$2"
    until_true 20 "ann to be back" more_than ann reconnected "${before[0]}"
    until_true 20 "bob to be back" more_than bob reconnected "${before[1]}"
    moments+=("$since" "$1")
}

# judge: what was noted, once the reports are there.
judge() {
    local i who back
    for ((i = 0; i < ${#moments[@]}; i += 2)); do
        for who in ann bob; do
            back=$(roaming back "$tmp/$who.json" "${moments[i]}")
            echo "${moments[i + 1]}: $who sees the other again after $back ms"
            ((back <= limit)) || fail "${moments[i + 1]}: $who saw the other only after $back ms"
        done
    done
    for who in ann bob; do
        back=$(roaming silence "$tmp/$who-$round.wav")
        echo "longest silence that $who heard: $back ms"
        ((back <= limit)) || fail "$who heard nothing for $back ms"
    done
    moments=()
}
moments=()

# --- One interface goes, another comes -------------------------------------------------------------------------------

serve
to wifi
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
until_true 20 "ann at the server" more_than ann server-connected 1
until_true 20 "bob at the server" more_than bob server-connected 1
moves "and back, with a new server" cable
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
