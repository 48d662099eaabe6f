#!/usr/bin/env bash
# Calls through a real TURN server (coturn): over UDP, TCP and TLS, by IPv4 and IPv6; with a wrong password and with a
# certificate that nobody trusts; a server that goes away in mid-call; and credentials that the signaling server makes, for
# who comes at once and for who waits longer than they are good.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
need turnserver openssl
built examples/headless_peer visavis-server
# Two who see nothing but a relay connect within this, on a network without delay and on a busy machine.
limit=2500
# Both see each other again by the other server, or by the one that is back.
limit_again=6000

# Who has ended by itself reads no more.
trap '' PIPE

machine ann bob relay
network lan
plug ann eth0 lan 10.9.0.1/24 2001:db8:9::1/64
plug bob eth0 lan 10.9.0.2/24 2001:db8:9::2/64
plug relay eth0 lan 10.9.0.9/24 2001:db8:9::9/64
source "$(dirname "$0")/turn.bash"
authority
certificate relay.visavis.example 10.9.0.9 2001:db8:9::9

ip netns exec "$prefix-relay" "$bin/visavis-server" --listen 0.0.0.0:8080 >"$tmp/server.log" 2>&1 &
pids+=($!)
until_true 10 "the server" on relay bash -c 'exec 3<>/dev/tcp/10.9.0.9/8080' 2>/dev/null
turn_server one relay 3478 10.9.0.9 2001:db8:9::9

# Another TURN server, with credentials that another signaling server makes for a minute, the shortest that it offers.
echo "$secret" >"$tmp/secret"
ip netns exec "$prefix-relay" "$bin/visavis-server" --listen 0.0.0.0:8081 --turn turn:10.9.0.9:3700 \
    --turn-secret-file "$tmp/secret" --turn-lifetime 1m >"$tmp/lending.log" 2>&1 &
pids+=($!)
until_true 10 "the second server" on relay bash -c 'exec 3<>/dev/tcp/10.9.0.9/8081' 2>/dev/null
turn_users=("${by_secret[@]}")
turn_server lent relay 3700 10.9.0.9
turn_users=("${by_name[@]}")
# Carol waits from now on, while everything else goes on.
carols=zoo-zoo-zoo-wreck
lent=(--server ws://10.9.0.9:8081 --relay-only)
peer carol ann "${lent[@]}" --room "$carols" --open
opened carol
carol_since=$SECONDS

# talk WHAT URL…: Ann and Bob call each other through these servers alone; without any, through those that are lent.
talk() {
    local what=$1 who url options=()
    shift
    for url in "$@"; do options+=(--turn "$url"); done
    if (($# == 0)); then
        options=("${lent[@]}")
    else
        options+=(--server ws://10.9.0.9:8080 --ca "$tmp/ca.pem" --relay-only --turn-user "$user" --turn-password "$password")
    fi
    for who in ann bob; do
        peer "$who" "$who" "${options[@]}" "$([[ $who = ann ]] && echo --open || echo --join)"
    done
    opened ann
    say bob join
    in_call ann bob
}

# relayed WHAT BY URL…: a call through these servers goes by the way named.
relayed() {
    local what=$1 by=$2 ms who
    shift 2
    talk "$what" "$@"
    for who in ann bob; do
        has "$tmp/$who.log" '"path":"relayed"' || fail "$what: $who is not relayed"
        has "$tmp/$who.log" "\"relay\":\"$by\"" || fail "$what: $who says $(grep -o '"relay":[^,}]*' "$tmp/$who.log")"
    done
    stop ann bob
    ms=$(took bob)
    echo "$what: connected after $ms ms, by $by"
    ((ms <= limit)) || fail "$what: connected after $ms ms"
}

relayed "over UDP" "10.9.0.9:3478 over UDP" turn:10.9.0.9:3478
relayed "over TCP" "10.9.0.9:3478 over TCP" "turn:10.9.0.9:3478?transport=tcp"
relayed "over TLS" "10.9.0.9:5349 over TLS" turns:10.9.0.9:5349
relayed "over UDP, by IPv6" "[2001:db8:9::9]:3478 over UDP" "turn:[2001:db8:9::9]:3478"
relayed "over TCP, by IPv6" "[2001:db8:9::9]:3478 over TCP" "turn:[2001:db8:9::9]:3478?transport=tcp"
relayed "over TLS, by IPv6" "[2001:db8:9::9]:5349 over TLS" "turns:[2001:db8:9::9]"
ok "calls are relayed over UDP, TCP and TLS"
relayed "by credentials that the signaling server made" "10.9.0.9:3700 over UDP"
ok "credentials that the signaling server makes are those that coturn takes"

# --- What is wrong is said -------------------------------------------------------------------------------------------

# no_way WHAT WORDS URL [OPTIONS…]: there is no call, and both are told why.
no_way() {
    local what=$1 words=$2 url=$3 who
    shift 3
    for who in ann bob; do
        peer "$who" "$who" --server ws://10.9.0.9:8080 --relay-only --turn "$url" --turn-user "$user" "$@" \
            "$([[ $who = ann ]] && echo --open || echo --join)"
    done
    opened ann
    say bob join
    for who in ann bob; do
        event "$who" relay-trouble
        has "$tmp/$who.log" "$words" || fail "$what: $who: $(grep relay-trouble "$tmp/$who.log")"
        # Who gives up a moment later hears that the other one left.
        until_true 40 "the end of the call" grep -qE '"event":"(ended|peer-left)"' "$tmp/$who.log"
    done
    cat "$tmp/ann.log" "$tmp/bob.log" | grep -F '"event":"ended"' | grep -qF -- "$words" ||
        fail "$what: $(cat "$tmp/ann.log" "$tmp/bob.log" | grep ended)"
    for who in ann bob; do
        echo "$what: $who: $(grep -E '"event":"(ended|peer-left)"' "$tmp/$who.log" | grep -o '"reason":"[^"]*"')"
    done
    stop ann bob
}

no_way "a wrong password" "refuses its user name and password" turn:10.9.0.9:3478 --turn-password wrong
no_way "a wrong password over TLS" "refuses its user name and password" turns:10.9.0.9:5349 --turn-password wrong \
    --ca "$tmp/ca.pem"
no_way "a certificate of a stranger" "certificate is not trusted" turns:10.9.0.9:5349 --turn-password "$password"
ok "a wrong password and a wrong certificate are named"

# --- The server goes away in mid-call --------------------------------------------------------------------------------

now() { date +%s%3N; }
count() { grep -cF "\"event\":\"$2\"" "$tmp/$1.log" || true; }
more_than() { (($(count "$1" "$2") > $3)); }

# back_again WHAT SINCE: both hear each other again.
back_again() {
    local who ms
    for who in ann bob; do until_true 25 "$1: $who to be back" more_than "$who" reconnected 0; done
    ms=$(($(now) - $2))
    echo "$1: back after $ms ms"
    ((ms <= limit_again)) || fail "$1: back only after $ms ms"
}

# The one in use goes: the other one takes over. Ports are apart: coturn listens at the one after each of its own as well,
# and would take over from itself.
for way in TCP TLS; do
    turn_server two relay 3500 10.9.0.9
    case $way in
    TCP) urls=("turn:10.9.0.9:3478?transport=tcp" "turn:10.9.0.9:3500?transport=tcp") ;;
    TLS) urls=(turns:10.9.0.9:5349 turns:10.9.0.9:5371) ;;
    esac
    talk "two servers" "${urls[@]}"
    # The one that Ann uses; Bob may use the other one.
    case $(grep -o '"relay":"[^"]*"' "$tmp/ann.log" | tail -n 1) in
    *3478* | *5349*) used=one ;;
    *) used=two ;;
    esac
    since=$(now)
    turn_stop "$used"
    back_again "a server of two goes away ($way)" "$since"
    [[ $used = two ]] || turn_server one relay 3478 10.9.0.9 2001:db8:9::9
    stop ann bob
    [[ $used = two ]] || turn_stop two
done

# The only one goes, and comes back: so does the call.
for url in turn:10.9.0.9:3478 "turn:10.9.0.9:3478?transport=tcp" turns:10.9.0.9:5349; do
    talk "one server" "$url"
    turn_stop one
    event ann reconnecting
    turn_server one relay 3478 10.9.0.9 2001:db8:9::9
    back_again "the only server ($url) is back" "$(now)"
    stop ann bob
done
ok "a call outlives its TURN server"

# --- Who waits longer than the credentials are good ------------------------------------------------------------------

outlasted() { ((SECONDS >= carol_since + 75)); }
until_true 80 "the first credentials to be over" outlasted
peer dave bob "${lent[@]}" --room "$carols" --join
say dave join
in_call carol dave
for who in carol dave; do has "$tmp/$who.log" '"path":"relayed"' || fail "$who is not relayed"; done
! has "$tmp/carol.log" relay-trouble || fail "carol's credentials were refused"
stop carol dave
ok "who waited $((SECONDS - carol_since)) s, with credentials of one minute, is met through the relay"
