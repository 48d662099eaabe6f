#!/usr/bin/env bash
# Machines that find each other by the code alone, in network namespaces: by mDNS on one network, by ports on a machine
# without any, by a server where there is one; the right one among many, and nobody who only says to be it.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
built examples/headless_peer visavis-server
lan=(--local-network)
quiet=(--camera none)
# Four codes with the same first two words, and six others.
same=(velvet-canyon-fancy-culture velvet-canyon-verify-desk velvet-canyon-charge-vacant velvet-canyon-govern-ocean)
other=(arrow-crush-trouble-payment spirit-nephew-slim-green blush-enact-tomato-fitness next-undo-include-vacuum
    trend-item-donate-type custom-august-squirrel-type)

machine ann bob cat eve net4
network home away
plug ann eth0 home 10.1.0.1/24
plug bob eth0 home 10.1.0.2/24
plug cat eth0 home 10.1.0.3/24
plug eve eth0 home 10.1.0.66/24

# --- By mDNS alone: the room first, the newcomer first ---------------------------------------------------------------

# Not by `on`, which would be a process between, and leave this one behind.
ip netns exec "$prefix-eve" python3 "$root/scripts/e2e/mdns.py" listen "$tmp/heard" >"$tmp/listen.log" 2>&1 &
pids+=($!)
until_true 10 "the listener" has "$tmp/listen.log" ready
told() { python3 "$root/scripts/e2e/mdns.py" told "$tmp/heard"; }

peer ann ann "${lan[@]}" --open --room "${other[0]}"
peer bob bob "${lan[@]}" --join --room "${other[0]}"
opened ann
say bob join
in_call ann bob
stop bob ann
[[ $(took bob) -lt 1000 ]] || fail "found and connected only after $(took bob) ms"
ok "a room is found by mDNS; from join to connected $(took bob) ms"

# Asked for in the same moment, so that the search begins before anything is announced.
peer ann ann "${lan[@]}" --open --room "${other[1]}"
peer bob bob "${lan[@]}" --join --room "${other[1]}"
say bob join
say ann join
in_call ann bob
stop bob ann
ok "who searches before the room is announced hears of it; from join to connected $(took bob) ms"

# --- What is said to everybody ---------------------------------------------------------------------------------------

withdrawn() { told | grep '^SRV 0 ' >/dev/null; }
until_true 5 "a goodbye" withdrawn
python3 - "$tmp/heard" "${other[0]}" "${other[1]}" "$(hostname)" <<PY || fail "said in public: $(told)"
import re, sys
sys.path.insert(0, "$root/scripts/e2e")
import mdns

drawn, room = "[0-9a-f]{16}", "[0-9a-f]{32}"
allowed = [
    ("question", r"_visavis\._tcp\.local", ""),
    ("PTR", r"_visavis\._tcp\.local", rf"{drawn}\._visavis\._tcp\.local"),
    ("SRV", rf"{drawn}\._visavis\._tcp\.local", rf"746\d visavis-{drawn}\.local"),
    ("TXT", rf"{drawn}\._visavis\._tcp\.local", rf"room={room} version=1"),
    ("A", rf"visavis-{drawn}\.local", "0a0100(01|02)"),
    ("AAAA", rf"visavis-{drawn}\.local", "[0-9a-f]{32}"),
]
said = set()
for line in open(sys.argv[1]):
    packet = bytes.fromhex(line.split()[1])
    for secret in [*sys.argv[2].split("-"), *sys.argv[3].split("-"), "ann", "bob", sys.argv[4]]:
        assert secret.encode() not in packet.lower() or len(secret) < 3, f"{secret} is said"
    for kind, ttl, owner, data in mdns.records(packet):
        assert any(k == kind and re.fullmatch(o, owner) and re.fullmatch(d, data) for k, o, d in allowed), (kind, owner, data)
        said.add((kind, ttl > 0))
missing = {("PTR", True), ("SRV", True), ("TXT", True), ("PTR", False), ("SRV", False), ("TXT", False)} - said
assert not missing, f"never said: {missing}"
PY
ok "nothing but the room id under a drawn name is announced, and it is withdrawn"

# --- A server on one side only ---------------------------------------------------------------------------------------

machine server
plug server eth0 home 10.1.0.9/24
plug server eth1 away 10.2.0.9/24
on server sysctl -qw net.ipv4.ip_forward=1
plug net4 eth0 away 10.2.0.4/24
ip -n "$prefix-net4" route add default via 10.2.0.9
ip -n "$prefix-ann" route add default via 10.1.0.9
ip netns exec "$prefix-server" "$bin/visavis-server" --listen 0.0.0.0:8080 >"$tmp/server.log" 2>&1 &
pids+=($!)
until_true 10 "the server" grep -qsE ':8080' "$tmp/server.log"
at=(--server ws://10.1.0.9:8080)

peer ann ann "${lan[@]}" "${at[@]}" --open --room "${other[2]}"
peer bob bob "${lan[@]}" --join --room "${other[2]}"
opened ann
say bob join
in_call ann bob
stop bob ann
ok "a newcomer without a server finds who waits at one and on the network"

peer ann ann "${lan[@]}" --open --room "${other[3]}"
peer bob bob "${lan[@]}" "${at[@]}" --join --room "${other[3]}"
opened ann
say bob join
in_call ann bob
stop bob ann
ok "a newcomer with a server finds who waits on the network only"

peer ann ann "${lan[@]}" "${at[@]}" --open --room "${other[4]}"
peer far net4 "${lan[@]}" --server ws://10.2.0.9:8080 --join --room "${other[4]}"
opened ann
say far join
in_call ann far
stop far ann
ok "a newcomer in another network finds who waits at the same server"

# --- The same first two words ----------------------------------------------------------------------------------------

peer ann ann "${lan[@]}" "${quiet[@]}" --open --room "${same[0]}"
peer cat cat "${lan[@]}" "${quiet[@]}" --open --room "${same[1]}"
opened ann
opened cat
for pair in "cat 1" "ann 0"; do
    read -r right i <<<"$pair"
    peer bob bob "${lan[@]}" "${quiet[@]}" --join --room "${same[i]}"
    say bob join
    for who in bob "$right"; do event "$who" connected; done
    [[ $(verification bob) = "$(verification "$right")" ]] || fail "bob is connected, but not to $right"
    stop bob "$right"
done
ok "of two rooms with the same first two words the right one is found"

peer ann ann "${lan[@]}" "${quiet[@]}" --open --room "${same[0]}"
peer cat cat "${lan[@]}" "${quiet[@]}" --open --room "${same[1]}"
opened ann
opened cat
peer bob bob "${lan[@]}" "${quiet[@]}" --join --room "${same[2]}"
say bob join
ends_with "${peer_pid[bob]}" 3 "who has neither code"
has "$tmp/bob.log" wrong || fail "a code that is neither's: $(cat "$tmp/bob.log")"
stop ann cat
ok "where it is neither, it is a wrong code"

# Each with a server of its own, so that none can say that the room is taken.
peer ann ann "${lan[@]}" "${quiet[@]}" --room "${same[3]}"
peer bob bob "${lan[@]}" "${quiet[@]}" --room "${same[3]}"
say ann join
say bob join
for who in ann bob; do event "$who" connected; done
[[ $(verification ann) = "$(verification bob)" ]] || fail "two who meet are connected, but not to each other"
stop ann bob
ok "two who meet under one code in the same moment meet"

# --- Five apps on one machine, and one on each ------------------------------------------------------------------------

for i in 0 1 2 3 4; do
    where=(ann ann ann cat eve)
    peer "host$i" "${where[i]}" "${lan[@]}" "${quiet[@]}" --open --room "${other[i]}"
    say "host$i" join
done
for i in 0 1 2 3 4; do event "host$i" joined; done
for i in 4 1 2; do
    # The second newcomer sits on the machine with three of them.
    where=(bob ann bob bob bob)
    peer "guest$i" "${where[i]}" "${lan[@]}" "${quiet[@]}" --join --room "${other[i]}"
    say "guest$i" join
done
for i in 4 1 2; do
    for who in "guest$i" "host$i"; do event "$who" connected; done
    [[ $(verification "guest$i") = "$(verification "host$i")" ]] || fail "guest $i is in the wrong call"
done
stop guest4 guest1 guest2 host0 host1 host2 host3 host4
ok "among five apps that wait each newcomer reaches exactly the right one"

# --- Liars ------------------------------------------------------------------------------------------------------------

room=$(python3 -c 'import hashlib; print(hashlib.sha256(b"visavis/1 room\0custom-august").hexdigest()[:32])')
ip netns exec "$prefix-eve" python3 "$root/scripts/e2e/mdns.py" flood "$room" 3000 10.1.0.66 "$tmp/visitors" >"$tmp/flood.log" 2>&1 &
pids+=($!)
until_true 20 "the liar" has "$tmp/flood.log" ready
peer ann ann "${lan[@]}" "${quiet[@]}" --open --room "${other[5]}"
peer bob bob "${lan[@]}" "${quiet[@]}" --join --room "${other[5]}"
say bob join
# The liars are believed first; the room opens when they have visitors already.
until_true 10 "somebody to believe a liar" test -s "$tmp/visitors"
opened ann
for who in ann bob; do event "$who" connected; done
[[ $(verification ann) = "$(verification bob)" ]] || fail "bob is connected, but not to ann"
stop bob ann
visitors=$(wc -l <"$tmp/visitors")
((visitors >= 1 && visitors <= 32)) || fail "$visitors connections to somebody who says to be 3000 apps"
[[ $(took bob) -lt 2000 ]] || fail "3000 liars and garbage hold the newcomer up for $(took bob) ms"
ok "3000 that say to hold the room get $visitors connections, and the right one is found in $(took bob) ms"

# --- Machines without multicast, with IPv6 only, with a network that comes late, with addresses that lead nowhere -------

machine alone
peer ann alone "${lan[@]}" --open --room "${other[0]}"
peer bob alone "${lan[@]}" --join --room "${other[0]}"
opened ann
say bob join
in_call ann bob
stop bob ann
ok "two apps on one machine need no network; from join to connected $(took bob) ms"

network six
machine dan fay
plug dan eth0 six fd00:6::1/64
plug fay eth0 six fd00:6::2/64
peer dan dan "${lan[@]}" --open --room "${other[1]}"
peer fay fay "${lan[@]}" --join --room "${other[1]}"
opened dan
say fay join
in_call dan fay
stop fay dan
ok "IPv6 alone will do; from join to connected $(took fay) ms"

network late
machine gus ida
plug ida eth0 late 10.7.0.2/24
peer gus gus "${lan[@]}" --open --room "${other[2]}"
opened gus
ip netns exec "$prefix-ida" python3 "$root/scripts/e2e/mdns.py" listen "$tmp/late" >"$tmp/late.log" 2>&1 &
pids+=($!)
until_true 10 "the listener" has "$tmp/late.log" ready
# The last address leads nowhere from where Ida is.
plug gus eth0 late 10.7.0.1/24 10.8.0.1/24
announced() { python3 "$root/scripts/e2e/mdns.py" told "$tmp/late" | grep '^SRV [1-9]' >/dev/null; }
until_true 10 "an announcement on the network that came late" announced
ip -n "$prefix-ida" route add blackhole 10.8.0.0/24
peer ida ida "${lan[@]}" --join --room "${other[2]}"
say ida join
in_call gus ida
stop ida gus
[[ $(took ida) -lt 1000 ]] || fail "an address that leads nowhere holds the newcomer up for $(took ida) ms"
ok "a network that comes late is announced to; an address that leads nowhere holds nobody up ($(took ida) ms)"
