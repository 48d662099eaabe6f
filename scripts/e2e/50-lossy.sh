#!/usr/bin/env bash
# Twenty calls over a network that loses 8 % of all datagrams each way: every one connects within 4 s, half of them
# within 800 ms, and no connection is built twice. VISAVIS_CALLS says how many instead; further options go to the peers
# (with --no-repeats it is seen what the repeated handshake messages are for).
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/network.bash"
need python3 curl
built examples/headless_peer
joined_by_cable
loses "$near" 8
loses "$far" 8
serves "$near"

calls=${VISAVIS_CALLS:-20}
python3 "$root/scripts/e2e/calls.py" --bin "$bin" --near "$near" --far "$far" --server "ws://$near_address:7400" \
    --logs "$tmp" --calls "$calls" --within 4 --median 0.8 --no-watchdog "$@" >"$tmp/calls.txt" ||
    fail "$(cat "$tmp/calls.txt")"
cat "$tmp/calls.txt"
ok "$calls calls at 8 % loss, $(lost "$near") and $(lost "$far") datagrams lost"
