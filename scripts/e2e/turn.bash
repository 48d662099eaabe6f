# A TURN server (coturn) in one of the machines of networks.bash, with a certificate of an authority made here.
# shellcheck shell=bash
# To be sourced after networks.bash.

user=ann
password=a-good-one
# How a TURN server knows its users: by name and password, or by a secret that it shares with the signaling server.
by_name=(--lt-cred-mech --user "$user:$password")
secret=what-both-servers-know
by_secret=(--use-auth-secret --static-auth-secret "$secret")
turn_users=("${by_name[@]}")

# authority: makes ca.pem.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=authority of a test" \
        -addext basicConstraints=critical,CA:TRUE -keyout "$tmp/ca.key" -out "$tmp/ca.pem" 2>"$tmp/openssl.log" ||
        fail "no authority: $(cat "$tmp/openssl.log")"
}

# certificate NAME ADDRESS…: makes relay.pem and relay.key for a name and addresses, signed by the authority.
certificate() {
    local names="DNS:$1" address
    shift
    for address in "$@"; do names+=",IP:$address"; done
    {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=relay" -keyout "$tmp/relay.key" \
            -out "$tmp/relay.csr"
        openssl x509 -req -in "$tmp/relay.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -CAcreateserial -days 2 \
            -extfile <(echo "subjectAltName=$names") -out "$tmp/relay.pem"
    } >"$tmp/openssl.log" 2>&1 || fail "no certificate: $(cat "$tmp/openssl.log")"
    # coturn gives up root and reads it again.
    chmod 644 "$tmp/relay.key"
    chmod 755 "$tmp"
}

declare -A turn_pid
# turn_server NAME MACHINE PORT ADDRESS…: TURN over UDP and TCP at PORT, over TLS at PORT + 1871 (5349 for 3478), for
# $turn_users.
turn_server() {
    local which=$1 where=$2 port=$3 first=$4 address listen=()
    shift 3
    for address in "$@"; do listen+=(-L "$address" -E "$address"); done
    ip netns exec "$prefix-$where" turnserver -n --no-cli --log-file stdout --simple-log --pidfile "$tmp/$which.pid" \
        --userdb "$tmp/$which.db" "${turn_users[@]}" --realm visavis.example \
        --listening-port "$port" --tls-listening-port "${tls_port:-$((port + 1871))}" --cert "$tmp/relay.pem" \
        --pkey "$tmp/relay.key" --allocation-default-address-family keep --min-port $((port + 20000)) \
        --max-port $((port + 20900)) "${listen[@]}" >>"$tmp/turn-$which.log" 2>&1 &
    turn_pid[$which]=$!
    pids+=($!)
    until_true 15 "the TURN server" on "$where" bash -c "exec 3<>/dev/tcp/$first/$port" 2>/dev/null
}

# turn_stop NAME: it goes without a word.
turn_stop() {
    kill -9 "${turn_pid[$1]}"
    wait "${turn_pid[$1]}" 2>/dev/null || true
}
