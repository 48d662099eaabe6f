# shellcheck shell=bash
# Sourced by the scripts beside this folder, never run. Works in bash 3.2 and later.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# say WORDS…: a line for the person.
say() { printf '%s\n' "$*"; }

# give_up WORDS…: says what is wrong and what to do, and ends.
give_up() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# at_least HAVE WANT: whether version HAVE (1.97.0, 1.98.0-nightly) is WANT (1.95) or newer.
at_least() {
    local IFS=.-
    # shellcheck disable=SC2086 # split on purpose
    set -- $1 0 0 -- $2 0
    local major=$1 minor=$2
    while [ "$1" != -- ]; do shift; done
    [ "$major" -gt "$2" ] || { [ "$major" -eq "$2" ] && [ "$minor" -ge "$3" ]; }
}

# rust_wanted: the oldest Rust that builds this, as Cargo.toml says.
rust_wanted() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml"; }

# use_rust: puts a Rust that is new enough on PATH; fails where there is none. Looks beside PATH in ~/.cargo/bin too,
# because rustup's line in the shell's profile works from the next login on only.
use_rust() {
    local wanted folder version
    wanted=$(rust_wanted)
    for folder in "" "${CARGO_HOME:-$HOME/.cargo}/bin"; do
        version=$(PATH=${folder:+$folder:}$PATH && command -v cargo >/dev/null && rustc --version 2>/dev/null) || continue
        version=${version#rustc }
        if at_least "${version%% *}" "$wanted"; then
            [ -z "$folder" ] || export PATH="$folder:$PATH"
            return 0
        fi
    done
    return 1
}
