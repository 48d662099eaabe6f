#!/usr/bin/env bash
# A server with a thousand people in five hundred rooms, fifty calls set up a second, and then somebody who means harm
# beside them. Nobody's call fails, and the server stays small. Bounds are for a machine that is busy with other things;
# what the server bears on one of its own is in docs/performance.md.
source "$(dirname "$0")/common.bash"
need curl python3
built examples/signal_load visavis-server
rooms=500 per_second=50 seconds=5

# A file descriptor for each connection, on both sides of which are processes of ours.
ulimit -n "$(ulimit -Hn)"
(($(ulimit -n) >= 4096)) || skip "needs 4096 open files, $(ulimit -Hn) are allowed"

"$bin/visavis-server" --listen 127.0.0.1:0 >"$tmp/server.log" 2>&1 &
server=$!
pids+=("$server")
until_true 20 "the server" has "$tmp/server.log" "listening on"
address=$(grep -o '127\.0\.0\.1:[0-9]*' "$tmp/server.log" | head -n 1)
figure() { curl -sf "http://$address/metrics" | sed -n "s/^$1 //p"; }
nobody_there() { [[ $(figure visavis_connections) = 0 ]]; }

"$bin/examples/signal_load" --server "ws://$address" --server-pid "$server" --rooms "$rooms" \
    --setups-per-s "$per_second" --seconds "$seconds" --hostile --json >"$tmp/load.log" || fail "the load could not be made"

python3 - "$tmp/load.log" $((per_second * seconds)) <<'END' || fail "the server does not bear it"
import json, sys

load, wanted = json.load(open(sys.argv[1])), int(sys.argv[2])
attack = load["hostile"]
print(f"{load['connections']} connections of {load['server_rss_kb_per_connection']:.1f} KiB, a message took")
print(f"{load['relay_ms']['p99']:.1f} ms (99 of 100), under attack {attack['relay_ms']['p99']:.1f} ms,")
print(f"for which {attack['server_rss_mb_more']:.0f} MiB were needed: {attack['tried']}")
wrong = {
    "a set-up failed": load["failed"] > 0 or load["setups"] != wanted,
    "set-ups failed under attack": attack["failed"] > 0 or attack["setups"] != wanted,
    "more than 15 KB for a connection": load["server_rss_kb_per_connection"] * 1.024 > 15,
    "messages are slow": load["relay_ms"]["p99"] > 100,
    "messages are slow under attack": attack["relay_ms"]["p99"] > 500,
    "an attack fills the memory": attack["server_rss_mb_more"] > 64,
    "nobody attacked": not {"hundred_pings", "flood_messages", "page_bursts"} <= attack["tried"].keys(),
}
for what in (what for what, so in wrong.items() if so):
    sys.exit(what)
END
ok "load and attack fail no call and fill no memory"

curl -sf "http://$address/healthz" >/dev/null || fail "the server is not well afterwards"
until_true 30 "connections to be gone" nobody_there
kill "$server"
ends_with "$server" 0 "the server"
ok "it goes on afterwards, and ends when told to"
