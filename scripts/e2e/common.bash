# What the scripts beside this one share; to be sourced. A folder of its own, processes that end with the script, and
# failures that say where and show the logs.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${VISAVIS_BIN:-$root/target/release}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/visavis-e2e.XXXXXX")
name=$(basename "$0" .sh)
pids=()
# Commands to run at the end, last one first.
undo=()

ok() { echo "ok $name: $*"; }
# The exit code says: not run, for want of something on this machine.
skip() { echo "skip $name: $*"; exit 75; }

fail() {
    echo "FAILED $name: $*" >&2
    for log in "$tmp"/*.log; do
        [[ -s $log ]] || continue
        echo "--- ${log##*/}" >&2
        tail -n 30 "$log" >&2
    done
    exit 1
}

finish() {
    local status=$? pid i
    trap - EXIT
    set +e
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do eval "${undo[i]}"; done
    [[ -n ${VISAVIS_KEEP:-} ]] && echo "kept: $tmp" || rm -rf "$tmp"
    [[ $status -eq 0 || $status -eq 75 ]] || echo "FAILED $name (exit $status)" >&2
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'echo "$0: line $LINENO failed" >&2' ERR

need() {
    local tool
    for tool in "$@"; do command -v "$tool" >/dev/null || skip "needs $tool"; done
}

built() {
    local program
    for program in "$@"; do [[ -x $bin/$program ]] || fail "$bin/$program is missing: cargo build --release"; done
}

# until_true SECONDS WHAT COMMAND…: waits until the command succeeds.
until_true() {
    local limit=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < limit)) || fail "waited in vain for $what"
        sleep 0.1
    done
}

# has LOG TEXT: whether the log holds the text.
has() { grep -qF -- "$2" "$1" 2>/dev/null; }

# ended PID: whether the process has ended.
ended() { ! kill -0 "$1" 2>/dev/null; }

# ends_with PID CODE WHAT: waits for the end of one of ours and checks its exit code.
ends_with() {
    local code=0
    until_true 15 "the end of $3" ended "$1"
    wait "$1" || code=$?
    [[ $code -eq $2 ]] || fail "$3 ended with $code instead of $2"
}
