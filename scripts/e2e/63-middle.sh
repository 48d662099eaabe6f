#!/usr/bin/env bash
# A man in the middle: a server with a change to it between the real programs and the page in a real browser. Whatever it
# does is refused, and those who call are told in plain words; what changes nothing leaves the call as it was.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
need node
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "needs Chromium"
export chromium
built examples/headless_peer examples/middle visavis-server
[[ $(node -p 'process.versions.node.split(".")[0]') -ge 18 ]] || skip "needs Node.js 18 or newer"

# A machine that is not only loopback: browsers leave loopback addresses out.
machine middle
network wire
address=10.63.0.1
plug middle eth0 wire "$address/24"
ip -n "$prefix-middle" route add default dev eth0

export VISAVIS_MIDDLE=$bin/examples/middle VISAVIS_GUEST_CASES=middle
on middle node "$root/scripts/e2e/guest/run.mjs" "$bin/visavis-server" "$bin/examples/headless_peer" "$tmp" "$address" \
    ${VISAVIS_PICTURES:+"$VISAVIS_PICTURES"} || fail "see above"
ok "what a man in the middle does is refused and named, by app and page"
