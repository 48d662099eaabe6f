#!/usr/bin/env bash
# What must not hold up a call that could stand at once: a resolver that never answers, an address that the other side
# learns from a check only, checks far apart, and a machine without any interface that can do multicast. Waiting would
# show in every call, a busy machine in one or the other: it is the fastest of a few that is looked at.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/network.bash"
need python3 curl
built examples/headless_peer
joined_by_cable
serves "$near"

# quickest WHAT MS OPTIONS…: the fastest of five calls with these options takes no longer.
quickest() {
    local what=$1 limit=$2 best
    shift 2
    calls --calls 5 "$@" || fail "$what: $(cat "$tmp/calls.txt")"
    best=$(sed -n 's/^ms from join to connected: //p' "$tmp/calls.txt" | tr ' ' '\n' | sort -n | head -n 1)
    ((best <= limit)) || fail "$what: $best ms; $(cat "$tmp/calls.txt")"
    echo "$what: $best ms"
}

quickest "near each other" 300

# Where the far side's packets come from is not where its candidate says: as behind a router, found by its checks.
inside "$far" ip address add 10.77.0.3/24 dev "${far}0"
inside "$far" nft -f - <<RULES || skip "needs nftables with address translation"
table ip router {
    chain leaving {
        type nat hook postrouting priority srcnat;
        oifname "${far}0" meta l4proto udp snat to 10.77.0.3
    }
    chain arriving {
        type filter hook input priority filter;
        iifname "${far}0" meta l4proto udp ct state new drop
    }
}
RULES
quickest "behind a router" 700
inside "$far" nft delete table ip router

# The address answers nobody: packets to it vanish.
for side in "$near" "$far"; do
    mkdir -p "/etc/netns/$side"
    undo+=("rm -r /etc/netns/$side")
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
