#!/usr/bin/env bash
# Twenty calls over a network that loses 8 % of all datagrams each way: every one connects within 4 s, half of them
# within 800 ms, and no connection is built twice. VISAVIS_CALLS says how many instead; further options go to the peers
# (with --no-repeats it is seen what the repeated handshake messages are for).
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/cable.bash"
need python3 curl
built examples/headless_peer
joined_by_cable
loses "$near" 8
loses "$far" 8
serves "$near"

count=${VISAVIS_CALLS:-20}
# Nine in ten within a second: where nothing is repeated until the library's own timer of a second, one in three is not.
calls --calls "$count" --within 4 --median 0.8 --most 1 --no-watchdog "$@" || fail "$(cat "$tmp/calls.txt")"
cat "$tmp/calls.txt"
ok "$count calls at 8 % loss, $(lost "$near") and $(lost "$far") datagrams lost"
