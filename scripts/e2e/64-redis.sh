#!/usr/bin/env bash
# A call by way of three servers that share a Redis. Each of them is killed in mid-call and started again, and Redis as
# well: picture goes on, both find their way to each other again, and a change of network then mends the call through it.
source "$(dirname "$0")/common.bash"
source "$(dirname "$0")/networks.bash"
need redis-server redis-cli curl
built examples/headless_peer visavis-server
# Longest time without a new picture while something dies, in seconds: fifteen come each second, and this machine is busy.
longest_gap=3

# Who has ended by itself reads no more.
trap '' PIPE

machine ann bob site
network lan
plug ann eth0 lan 10.9.0.1/24
plug bob eth0 lan 10.9.0.2/24
plug site eth0 lan 10.9.0.9/24

declare -A process
# started NAME: it can be used; answers NAME gives what it is asked for that.
answers() {
    case $1 in
    redis) on site redis-cli ping 2>>"$tmp/redis.log" ;;
    *) on site curl -sf "http://10.9.0.9:$((8080 + $1))/healthz" ;;
    esac
}
# start NAME: Redis, or the server of this number.
start() {
    case $1 in
    redis) ip netns exec "$prefix-site" redis-server --bind 127.0.0.1 --save "" --appendonly no >>"$tmp/redis.log" 2>&1 & ;;
    *) ip netns exec "$prefix-site" "$bin/visavis-server" --listen "10.9.0.9:$((8080 + $1))" --open-metrics \
        --redis redis://127.0.0.1 >>"$tmp/server-$1.log" 2>&1 & ;;
    esac
    process[$1]=$!
    pids+=($!)
    until_true 20 "$1" answers "$1" >/dev/null
}
# kill_at_once NAME: it goes without a word.
kill_at_once() {
    kill -9 "${process[$1]}"
    wait "${process[$1]}" 2>/dev/null || true
}
figure() { on site curl -sf "http://10.9.0.9:$((8080 + $1))/metrics" | sed -n "s/^visavis_$2 //p"; }

start redis
for server in 1 2 3; do start "$server"; done
# Each of the two has a server of its own, and another one where that is gone.
ip netns exec "$prefix-site" "$(dirname "$0")/balancer.py" 7001 10.9.0.9:8081 10.9.0.9:8083 10.9.0.9:8082 &
pids+=($!)
ip netns exec "$prefix-site" "$(dirname "$0")/balancer.py" 7002 10.9.0.9:8082 10.9.0.9:8083 10.9.0.9:8081 &
pids+=($!)
for port in 7001 7002; do
    until_true 10 "a balancer" on site bash -c "exec 3<>/dev/tcp/10.9.0.9/$port" 2>/dev/null
done

peer ann ann --server ws://10.9.0.9:7001 --open
peer bob bob --server ws://10.9.0.9:7002 --join
opened ann
say bob join
in_call ann bob
[[ $(figure 1 rooms) = 1 && $(figure 2 'guests{where="elsewhere"}') = 1 ]] || fail "they do not meet on two servers"
ok "a call between two who are on two servers"

count() { grep -cF -- "$2" "$tmp/$1.log" || true; }
more_than() { (($(count "$1" "$2") > $3)); }
# can_talk NAME: whether signaling is there, as the peer last said.
can_talk() { ! grep -F '"event":"signaling"' "$tmp/$1.log" | tail -n 1 | grep -qF '"available":false'; }
both_can_talk() { can_talk ann && can_talk bob; }

address=1
# moves_on WHAT: Ann's network gives her another address; the call is mended, which takes both to be told.
moves_on() {
    local who ann bob
    ann=$(count ann '"event":"reconnected"') bob=$(count bob '"event":"reconnected"')
    ip -n "$prefix-ann" address del "10.9.0.$address/24" dev eth0
    ip -n "$prefix-ann" address add "10.9.0.$((address + 10))/24" dev eth0
    address=$((address + 10))
    until_true 40 "$1: Ann to be back" more_than ann '"event":"reconnected"' "$ann"
    until_true 40 "$1: Bob to be back" more_than bob '"event":"reconnected"' "$bob"
    until_true 40 "$1: both to have signaling again" both_can_talk
}

now() { date +%s%3N; }
# dies NAME WHO…: it is killed and started again; those named notice, and all is as before.
dies() {
    local victim=$1 who since before=()
    shift
    for who in "$@"; do before+=("$(count "$who" '"available":false')"); done
    since=$(now)
    kill_at_once "$victim"
    for who in "$@"; do
        until_true 20 "$who to notice that $victim is gone" more_than "$who" '"available":false' "${before[0]}"
        before=("${before[@]:1}")
    done
    # Redis is needed for both to find each other; any of the servers is not.
    [[ $victim != redis ]] || start redis
    until_true 40 "both to have signaling again without $victim" both_can_talk
    echo "$since $(now) $victim" >>"$tmp/times"
    echo "$victim is killed: signaling is there again after $(($(now) - since)) ms"
    moves_on "without $victim"
    [[ $victim = redis ]] || start "$victim"
}

home() {
    local server
    for server in 1 2 3; do [[ $(figure "$server" rooms) = 0 ]] || echo "$server"; done
}
until_true 10 "one home" test "$(home)" = 1
dies 3
dies 1 ann bob
[[ $(count ann '"event":"ended"') = 0 ]] || fail "the call ended"
dies "$(home)" ann bob
dies redis
dies 2
ok "three servers and Redis were killed in mid-call"

stop ann bob
python3 - "$longest_gap" "$tmp/times" "$tmp/ann.json" "$tmp/bob.json" <<'END' || fail "picture did not go on"
import json, sys

longest, times, *reports = sys.argv[1:]
for report in reports:
    shown = [frame[1] for frame in json.load(open(report))["frames"]]
    for since, until, victim in (line.split() for line in open(times)):
        since, until = int(since) - 500, int(until) + 500
        inside = [since] + [t for t in shown if since < t < until] + [until]
        gap = max(b - a for a, b in zip(inside, inside[1:])) / 1000
        print(f"{report.rsplit('/')[-1]}: {victim} killed: {len(inside) - 2} pictures, longest gap {gap:.2f} s")
        if gap > float(longest):
            sys.exit(f"no picture for {gap:.1f} s")
END
ok "picture went on all the time"
