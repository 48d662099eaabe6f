#!/usr/bin/env bash
# Calls from behind routers of every kind, 50 ms away from each other and from the relay: with address translation that
# keeps ports (RFC 4787: port-restricted), that gives each destination another one (symmetric), where no UDP gets out,
# and where nothing but port 443 does. How long each takes is printed.
source "$(dirname "$0")/common.bash"
prefix_of_machines=vv-nat-$$
source "$(dirname "$0")/networks.bash"
need turnserver openssl nft ethtool
built examples/headless_peer visavis-server
# At 50 ms, on a machine that does nothing else (VISAVIS_STRICT); two calls and their encoders share one that does.
goal_direct=1000
goal_relayed=1500
[[ -n ${VISAVIS_STRICT:-} ]] || goal_direct=2000 goal_relayed=2500
# The best of so many calls counts: chance is in every one of them.
rounds=3

# Ann and Bob are at home, each behind a router. What they have in common is far away from both.
trap '' PIPE
machine ann bob router-a router-b relay world
network home-a home-b
far=()
# abroad MACHINE ADDRESS…: a cable from a machine to the world.
abroad() {
    local who=$1 address
    shift
    ip -n "$prefix-$who" link add eth0 type veth peer name "to-$who" netns "$prefix-world"
    ip -n "$prefix-world" link set "to-$who" up
    far+=("to-$who")
    # Frames pass a program, which computes no checksums.
    on "$who" ethtool -K eth0 tx off gso off tso off gro off tx-udp-segmentation off >/dev/null 2>&1 || true
    for address in "$@"; do ip -n "$prefix-$who" address add "$address" dev eth0; done
    ip -n "$prefix-$who" link set eth0 up
}
abroad router-a 203.0.113.1/24
abroad router-b 203.0.113.2/24
abroad relay 203.0.113.9/24 203.0.113.10/24
# What it sends to addresses at somebody's home vanishes.
on relay ip neighbour add 203.0.113.254 lladdr 02:00:00:00:00:fe dev eth0
on relay ip route add default via 203.0.113.254
for side in a b; do
    subnet=192.168.1 who=ann
    [[ $side = a ]] || subnet=192.168.2 who=bob
    plug "router-$side" eth1 "home-$side" "$subnet.1/24"
    plug "$who" eth0 "home-$side" "$subnet.2/24"
    ip -n "$prefix-$who" route add default via "$subnet.1"
    on "router-$side" sysctl -qw net.ipv4.ip_forward=1
done
ip netns exec "$prefix-world" python3 "$root/scripts/e2e/far.py" 25 "${far[@]}" >"$tmp/far.txt" 2>"$tmp/far.log" &
pids+=($!)
until_true 10 "the network" has "$tmp/far.txt" listening

source "$(dirname "$0")/turn.bash"
authority
certificate relay.visavis.example 203.0.113.9
# 443 is for TLS at one address and for signaling at the other.
for port in 8080 443; do
    ip netns exec "$prefix-relay" "$bin/visavis-server" --listen "203.0.113.10:$port" >"$tmp/server-$port.log" 2>&1 &
    pids+=($!)
    until_true 10 "the server" on relay bash -c "exec 3<>/dev/tcp/203.0.113.10/$port" 2>/dev/null
done
tls_port=443 turn_server one relay 3478 203.0.113.9

# router SIDE MAPPING FORBIDDEN: what leaves comes from the router's address, and nothing comes in that was not asked for.
# What was not asked for is dropped before it counts as a connection, or it would take the port that it came to.
router() {
    on "router-$1" nft -f - <<RULES || skip "needs nftables with address translation"
flush ruleset
table ip router {
    chain leaving {
        type nat hook postrouting priority srcnat;
        oifname eth0 $2
    }
    chain passing {
        type filter hook forward priority filter;
        iifname eth0 ct state new drop
        $3
    }
    chain arriving {
        type filter hook input priority filter;
        iifname eth0 ct state new drop
    }
}
RULES
}
cone="masquerade"
symmetric="masquerade fully-random"
no_udp="meta l4proto udp drop"
only_443="iifname eth1 ct state new tcp dport != 443 drop; meta l4proto udp drop"

servers=(--stun stun:203.0.113.9:3478 --turn turn:203.0.113.9:3478 --turn "turn:203.0.113.9:3478?transport=tcp"
    --turn turns:203.0.113.9:443 --turn-user "$user" --turn-password "$password" --ca "$tmp/ca.pem")

# calls WHAT PATH PORT-A PORT-B: a few calls, each of which goes by that path (or either), and the best of them in time.
calls() {
    local what=$1 path=$2 best=999999 all=() ms who i
    local -A port=([ann]=$3 [bob]=$4)
    for i in $(seq "$rounds"); do
        for who in ann bob; do
            peer "$who" "$who" --server "ws://203.0.113.10:${port[$who]}" "${servers[@]}" \
                "$([[ $who = ann ]] && echo --open || echo --join)"
        done
        opened ann
        say bob join
        in_call ann bob
        for who in ann bob; do
            [[ $path = any ]] || has "$tmp/$who.log" "\"path\":\"$path\"" ||
                fail "$what: $(grep -F '"event":"connected"' "$tmp/$who.log")"
        done
        stop ann bob
        ms=$(took bob)
        all+=("$ms")
        ((ms >= best)) || best=$ms
    done
    local goal=$goal_direct way
    way=$(sed -n 's/.*"event":"connected".*"path":"\([a-z]*\)".*/\1/p' "$tmp/bob.log")
    [[ $way = direct ]] || goal=$goal_relayed
    way+=$(sed -n 's/.*"event":"connected".*"relay":"\([^"]*\)".*/ by \1/p' "$tmp/bob.log")
    echo "$what: $way, connected after ${all[*]} ms"
    ((best <= goal)) || fail "$what: $best ms at best"
}

router a "$cone" ""
router b "$cone" ""
calls "both behind routers that keep ports" direct 8080 8080
router b "$symmetric" ""
calls "one behind a symmetric router" any 8080 8080
router a "$symmetric" ""
calls "both behind symmetric routers" relayed 8080 8080
router a "$cone" ""
router b "$cone" "$no_udp"
calls "no UDP for one" relayed 8080 8080
router a "$cone" "$no_udp"
calls "no UDP for both" relayed 8080 8080
ok "every kind of router is passed"

# Two servers know nothing of each other: both sides use the one at 443.
router b "$cone" "$only_443"
calls "port 443 alone for one" relayed 443 443
router a "$cone" "$only_443"
calls "port 443 alone for both" relayed 443 443
ok "port 443 is enough"
