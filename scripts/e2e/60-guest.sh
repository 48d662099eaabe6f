#!/usr/bin/env bash
# Guests without the app: the page that the server hands out, in a real browser, against headless peers and against itself.
# With VISAVIS_PICTURES=FOLDER pictures of the page are left there.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
need node nft
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "needs Chromium"
export chromium
built examples/headless_peer visavis-server
[[ $(node -p 'process.versions.node.split(".")[0]') -ge 18 ]] || skip "needs Node.js 18 or newer"

timeout 300 node --test "$root/assets/guest/tests/" >"$tmp/unit.txt" 2>&1 || fail "the page's own tests: $(cat "$tmp/unit.txt")"
ok "$(grep -c '^ok ' "$tmp/unit.txt") tests of the page's modules"

# A machine that is not only loopback: browsers leave loopback addresses out.
machine guest
network lan
address=10.60.0.1
plug guest eth0 lan "$address/24"
ip -n "$prefix-guest" route add default dev eth0

on guest node "$root/scripts/e2e/guest/run.mjs" "$bin/visavis-server" "$bin/examples/headless_peer" "$tmp" "$address" \
    ${VISAVIS_PICTURES:+"$VISAVIS_PICTURES"} || fail "see above"
ok "calls between browser and app, and between browsers"
