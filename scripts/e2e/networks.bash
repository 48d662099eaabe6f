# Machines that are network namespaces, and networks between them that are bridges. Names carry this process's number.
# shellcheck shell=bash
# To be sourced after common.bash.

[[ $(id -u) = 0 ]] || skip "needs root, for network namespaces"
need ip python3
prefix=${prefix_of_machines:-vv$$}
ip netns add "$prefix-probe" 2>"$tmp/netns.log" || skip "this machine has no network namespaces: $(cat "$tmp/netns.log")"
ip netns del "$prefix-probe"

# A link's other end, and what speaks IPv6 at once.
prepare() {
    ip -n "$1" link set lo up
    ip netns exec "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}

# machine NAME…: makes machines, without any network.
machine() {
    local who
    for who in "$@"; do
        ip netns add "$prefix-$who"
        undo+=("ip netns del $prefix-$who")
        prepare "$prefix-$who"
    done
}

# network NAME…: makes networks, each a bridge in a namespace of its own.
network() {
    local which
    for which in "$@"; do
        machine "$which"
        ip -n "$prefix-$which" link add name br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0
        ip -n "$prefix-$which" link set br0 up
    done
}

cables=0
# plug MACHINE INTERFACE NETWORK ADDRESS…: a cable from a machine to a network.
plug() {
    local who=$1 interface=$2 net=$3 address
    shift 3
    cables=$((cables + 1))
    ip -n "$prefix-$who" link add "$interface" type veth peer name "port$cables" netns "$prefix-$net"
    ip -n "$prefix-$net" link set "port$cables" master br0 up
    for address in "$@"; do ip -n "$prefix-$who" address add "$address" dev "$interface" nodad 2>/dev/null ||
        ip -n "$prefix-$who" address add "$address" dev "$interface"; done
    ip -n "$prefix-$who" link set "$interface" up
}

# on MACHINE COMMAND…
on() {
    local who=$1
    shift
    ip netns exec "$prefix-$who" "$@"
}

# peer NAME MACHINE OPTIONS…: a headless peer that obeys `say NAME LINE` and writes its events to NAME.log. What it
# hears with is in $microphone.
microphone=none
declare -A peer_pid peer_fd
peer() {
    local who=$1 where=$2 fd
    shift 2
    # What an earlier one of this name said would be taken for this one's.
    rm -f "$tmp/$who.in"
    : >"$tmp/$who.log"
    mkfifo "$tmp/$who.in"
    # Not by `on`, which would be a process between.
    ip netns exec "$prefix-$where" "$bin/examples/headless_peer" --wait --size 320x180 --fps 15 --microphone "$microphone" --name "$who" \
        --report "$tmp/$who.json" "$@" <"$tmp/$who.in" >"$tmp/$who.log" 2>&1 &
    peer_pid[$who]=$!
    pids+=($!)
    exec {fd}>"$tmp/$who.in"
    peer_fd[$who]=$fd
    until_true 20 "$who to be ready" grep -qx ready "$tmp/$who.log"
}

say() { echo "$2" >&"${peer_fd[$1]}"; }

# event NAME KIND: waits for an event; sees NAME.log.
event() { until_true 20 "$1: $2" has "$tmp/$1.log" "\"event\":\"$2\""; }

# opened NAME: asks for the room and waits until it is open.
opened() {
    say "$1" join
    event "$1" joined
}

# in_call A B: waits until both are connected, to each other, and see each other.
in_call() {
    local who
    for who in "$1" "$2"; do event "$who" connected; done
    [[ $(verification "$1") = "$(verification "$2")" ]] || fail "$1 and $2 are connected, but not to each other"
    for who in "$1" "$2"; do event "$who" first-frame; done
}

verification() { grep -o '"verification":"[0-9 ]*"' "$tmp/$1.log"; }

# stop NAME…: hangs up and waits for the end.
stop() {
    local who fd
    for who in "$@"; do
        say "$who" stop 2>/dev/null || true
        fd=${peer_fd[$who]}
        exec {fd}>&-
    done
    for who in "$@"; do
        until_true 15 "the end of $who" ended "${peer_pid[$who]}"
        wait "${peer_pid[$who]}" || true
    done
}

# took NAME: milliseconds from `join` to the connection.
took() {
    python3 -c 'import json, sys; t = json.load(open(sys.argv[1]))["t"]; print(round(t["dtls"] - t["join"]))' "$tmp/$1.json"
}
