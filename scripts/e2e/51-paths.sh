#!/usr/bin/env bash
# What must not hold up a call that could stand at once: checks far apart, addresses that only a check or only STUN
# shows, a resolver that never answers, and a machine without any interface that can do multicast. Waiting would
# show in every call, a busy machine in one or the other: it is the fastest of a few that is looked at.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/cable.bash"
need python3 curl
built examples/headless_peer
joined_by_cable
serves "$near"

# own_files NAMESPACE: what lies there stands in for /etc in that namespace.
own_files() {
    mkdir -p "/etc/netns/$1"
    undo+=("rm -r /etc/netns/$1")
}

# nth N LINE: the N-th smallest of the figures that calls.py gives there.
nth() { sed -n "s/^$2: //p" "$tmp/calls.txt" | tr ' ' '\n' | sort -n | sed -n "$1p"; }

# quickest WHAT MS OPTIONS…: the fastest of five calls with these options takes no longer.
quickest() {
    local what=$1 limit=$2 best
    shift 2
    calls --calls 5 "$@" || fail "$what: $(cat "$tmp/calls.txt")"
    best=$(nth 1 "ms from join to connected")
    ((best <= limit)) || fail "$what: $best ms; $(cat "$tmp/calls.txt")"
    echo "$what: $best ms"
}

quickest "near each other" 400
# The library's own checks come every 200 ms, and it takes two; by chance one.
path=$(nth 3 "ms from offer to path")
((path <= 150)) || fail "from the offer to a path: $path ms; $(cat "$tmp/calls.txt")"

# router NAMESPACE OTHER ADDRESS: what leaves comes from ADDRESS, and only what was asked for comes in, as with a router.
router() {
    # The address is nobody's, or it would be a candidate too; the other side is told where packets for it go.
    inside "$2" ip neighbour replace "$3" dev "${2}0" lladdr "$(inside "$1" cat "/sys/class/net/${1}0/address")"
    inside "$1" nft -f - <<RULES || skip "needs nftables with address translation"
table ip router {
    chain leaving {
        type nat hook postrouting priority srcnat;
        oifname "${1}0" meta l4proto udp snat to $3
    }
    chain arriving {
        type filter hook input priority filter;
        iifname "${1}0" udp dport != 3478 ct state new drop
    }
}
RULES
}
without_router() { inside "$1" nft delete table ip router; }

# Found by checks alone: where the packets come from is not where the candidate says. The library would wait a second
# for something better, if it is the side that decides.
router "$far" "$near" 10.77.0.4
quickest "who joins is behind a router" 700
without_router "$far"
router "$near" "$far" 10.77.0.3
quickest "who opened is behind a router" 700

# Both: only STUN shows the way, and its servers have names.
router "$far" "$near" 10.77.0.4
for side in "$near" "$far"; do
    own_files "$side"
    printf '%s\n' "127.0.0.1 localhost" "$near_address stun.near.example" "$far_address stun.far.example" \
        >"/etc/netns/$side/hosts"
    ip netns exec "$side" python3 "$root/scripts/e2e/stun.py" 3478 >"$tmp/stun-$side.txt" 2>&1 &
    pids+=($!)
    until_true 10 "a STUN server" has "$tmp/stun-$side.txt" listening
done
quickest "both are behind routers" 999 --stun stun:stun.near.example --stun stun:stun.far.example
without_router "$near"
without_router "$far"

# The address answers nobody: packets to it vanish.
for side in "$near" "$far"; do
    echo "nameserver 10.77.9.9" >"/etc/netns/$side/resolv.conf"
    inside "$side" ip route add 10.77.9.0/24 dev "${side}0"
    inside "$side" ip neighbour add 10.77.9.9 lladdr 02:00:00:00:00:99 dev "${side}0"
done
servers=()
for word in one two three four five six; do servers+=(--stun "stun:stun.$word.example.org"); done
quickest "with a resolver that never answers" 999 --ended 4 "${servers[@]}"

# Both on one machine that has nothing but loopback, which can do no multicast.
far=${near}c near=${near}c near_address=127.0.0.1
apart "$near"
serves "$near"
quickest "without an interface for multicast" 999 --local-network
ok "nothing holds a call up"
