#!/usr/bin/env bash
# The comparison of docs/performance.md: each scenario with Chromium on both sides, then with Visavis on both, in turn.
#   bench/compare.sh [SCENARIO,…] [options of bench.mjs]       set up as the README says; root
set -euo pipefail
cd "$(dirname "$0")/.."
scenarios=${1:-clean,rtt100,loss2,burst10,cap1m,step,jitter30}
shift || true
peer="node $PWD/bench/native.mjs $PWD/target/release/examples/headless_peer"
server="$PWD/target/release/visavis-server --listen 0.0.0.0:8090"
for scenario in ${scenarios//,/ }; do
    node bench/bench.mjs --rt 1 --codec H264 --label chromium --scenarios "$scenario" "$@"
    node bench/bench.mjs --rt 1 --codec H264 --label visavis --scenarios "$scenario" \
        --server "$server" --peer-a "$peer" --peer-b "$peer" "$@"
done
