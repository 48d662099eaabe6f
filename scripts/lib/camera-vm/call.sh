# Runs inside the machine (busybox): a call over loopback with the real camera on one side, which is busy at first, is
# unplugged and comes back, and stalls. What both peers print and report is judged outside. The pauses are there to be
# heard and seen in: each is a stretch of the call in which sound, and picture where there is one, must arrive.
# shellcheck shell=dash

echo "=== call"
ip link set lo up
mkfifo /ann.in /bob.in

# Another program has the camera.
camera_probe run default 320x180 5 600 >/holder 2>&1 &
holder=$!
until_line /holder Running

headless_peer --wait --bind 127.0.0.1 --name Ann --camera default --microphone speech --no-dtx --size 320x180 \
    --fps 5 --report /ann.json </ann.in >/ann 2>&1 &
ann=$!
headless_peer --wait --bind 127.0.0.1 --name Bob --camera none --microphone none --report /bob.json </bob.in >/bob 2>&1 &
bob=$!
exec 3>/ann.in 4>/bob.in
until_line /ann ready
until_line /bob ready
echo join >&3
until_line /ann '"joined"'
echo join >&4
until_line /ann '"connected"'
until_line /bob '"connected"'
until_line /ann '"busy"'
until_line /bob '"on":false'
step "the camera is busy"
sleep 2

kill $holder
until_line /ann '"running"'
until_line /bob '"on":true'
until_line /bob '"first-frame"'
step "the camera is free"
sleep 2

unplug
until_line /ann '"unplugged"'
until_line /bob '"on":false' 2
step "the camera is away"
sleep 3

plug_in
until_line /ann '"running"' 2
until_line /bob '"on":true' 2
step "the camera is back"
sleep 3

camera_probe control 0 "Percentage of Dropped Buffers" 100
until_line /ann '"stalled"'
until_line /bob '"on":false' 3
step "the camera delivers nothing"
sleep 2
camera_probe control 0 "Percentage of Dropped Buffers" 0
until_line /ann '"running"' 3
until_line /bob '"on":true' 3
step "the camera delivers again"
sleep 2

# While it is stalled, with a thread hanging in the driver, the app closes all the same.
camera_probe control 0 "Percentage of Dropped Buffers" 100
until_line /ann '"stalled"' 2
before=$(hundredths)
echo stop >&3
wait $ann
echo "ann ended with $? after $(($(hundredths) - before)) hundredths"
until_line /bob '"peer-left"'
wait $bob
echo "bob ended with $?"
for peer in ann bob; do
    sed "/^ALSA lib/d; s/^/$peer /" /$peer
    sed "s/^/$peer report /" /$peer.json
done
