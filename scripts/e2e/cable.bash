# Two network namespaces joined by a cable that may lose datagrams, for calls from one to the other; sourced after common.bash.
# shellcheck shell=bash

# Names of ours that nobody else on this machine uses; 15 characters at most for an interface.
near=vv$$a
far=vv$$b
near_address=10.77.0.1
far_address=10.77.0.2

# inside NAMESPACE COMMAND…
inside() { ip netns exec "$@"; }

# apart NAMESPACE: a network with nothing in it but loopback; it goes with the script.
apart() {
    ip netns add "$1" 2>"$tmp/netns.log" || skip "needs network namespaces: $(head -n 1 "$tmp/netns.log")"
    undo+=("ip netns delete $1")
    inside "$1" ip link set lo up || skip "a network namespace has no loopback here"
}

# Two namespaces and the cable between them.
joined_by_cable() {
    need ip
    [[ $(id -u) == 0 ]] || skip "needs root for network namespaces"
    apart "$near"
    apart "$far"
    ip link add "${near}0" netns "$near" type veth peer name "${far}0" netns "$far" 2>"$tmp/veth.log" ||
        skip "needs a veth pair: $(head -n 1 "$tmp/veth.log")"
    inside "$near" ip address add "$near_address/24" dev "${near}0"
    inside "$far" ip address add "$far_address/24" dev "${far}0"
    local side
    for side in "$near" "$far"; do
        inside "$side" ip link set "${side}0" up
        # Or a whole batch of datagrams counts as one, and is lost as one.
        ! command -v ethtool >/dev/null ||
            inside "$side" ethtool -K "${side}0" tx-udp-segmentation off gso off tso off gro off >/dev/null 2>&1 || true
    done
}

# loses NAMESPACE PERCENT: so many of the datagrams that come in get lost. What TCP loses it tells again by itself, after
# times of its own.
loses() {
    need nft
    inside "$1" nft -f - 2>"$tmp/nft.log" <<RULES || skip "needs nftables: $(head -n 1 "$tmp/nft.log")"
table inet lossy {
    chain arriving {
        type filter hook input priority 0;
        iifname "${1}0" meta l4proto udp numgen random mod 100 < $2 counter drop
    }
}
RULES
}

# lost NAMESPACE: how many of them were.
lost() { inside "$1" nft list table inet lossy | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

# serves NAMESPACE: a signaling server there, at port 7400.
serves() {
    built visavis-server
    # Not by way of the function: its subshell would be what is ended.
    ip netns exec "$1" "$bin/visavis-server" --listen 0.0.0.0:7400 >"$tmp/server.log" 2>&1 &
    pids+=($!)
    until_true 10 "the signaling server" inside "$1" curl -sf --max-time 1 http://127.0.0.1:7400/healthz -o /dev/null
}

# calls OPTIONS…: calls from one namespace to the other; what it prints is in $tmp/calls.txt.
calls() {
    mkdir -p "$tmp/peers"
    python3 "$root/scripts/e2e/calls.py" --bin "$bin" --near "$near" --far "$far" \
        --server "ws://$near_address:7400" --logs "$tmp/peers" "$@" >"$tmp/calls.txt" 2>&1 &
    pids+=($!)
    # In the background, so that a signal to the script does not have to wait for it.
    wait $!
}
