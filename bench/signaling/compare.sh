#!/bin/bash
# visavis-server beside the signaling server of WebRTC tutorials (socket.io), in one run: set-ups of calls for each second
# of CPU. Each server has one core to itself, the load another, and each is given as much as it takes.
#
#   bench/signaling/compare.sh [SECONDS] [ROUNDS]
#
# Needs Node.js 20 or newer, npm, taskset and two cores. Not part of scripts/test: npm fetches socket.io.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-15} rounds=${2:-2}
work=${BENCH_DIR:-$HOME/.cache/callbench}/signaling
mkdir -p "$work"
cp bench/signaling/package.json bench/signaling/server.mjs "$work/"
[ -d "$work/node_modules/socket.io" ] || npm install --prefix "$work" --no-audit --no-fund --no-package-lock >&2
cargo build --release --locked -p visavis-server --example signal_load >&2
load=$PWD/target/release/examples/signal_load

# Starts a server with its standard input and output in our hands: coprocess SERVER, first line in $said.
begin() {
  coproc SERVER { exec taskset -c 0 "$@"; }
  pid=$SERVER_PID
  read -r said <&"${SERVER[0]}"
}
finish() {
  local input=${SERVER[1]}
  exec {input}>&-
  wait "$pid" || true
}
measure() {
  taskset -c 1 "$load" --server "$1" --server-pid "$pid" "${@:2}" --rooms 100 --setups-per-s 0 --seconds "$seconds" --json
}

results=()
for _ in $(seq "$rounds"); do
  begin node "$work/server.mjs"
  results+=("socket.io $(measure "ws://127.0.0.1:$said" --socket-io)")
  finish
  begin "$load" --role serve
  results+=("visavis $(measure "ws://$said")")
  finish
done
printf '%s\n' "${results[@]}" | node -e '
  const sums = {};
  for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
    const [name, json] = [line.slice(0, line.indexOf(" ")), JSON.parse(line.slice(line.indexOf(" ")))];
    const sum = (sums[name] ??= { setups: 0, failed: 0, cpu: 0 });
    sum.setups += json.setups;
    sum.failed += json.failed;
    sum.cpu += (json.server_cpu_s_per_1000_setups * json.setups) / 1000;
    console.error(line);
  }
  const rate = (name) => sums[name].setups / sums[name].cpu;
  for (const name in sums) console.log(`${name}: ${rate(name).toFixed(0)} set-ups for each second of CPU, ${sums[name].failed} failed`);
  const ratio = rate("visavis") / rate("socket.io");
  console.log(`ratio ${ratio.toFixed(2)}`);
  process.exit(ratio >= 5 ? 0 : 1);
'
