# Runs inside the machine (busybox): the camera code alone. Each section's lines are judged outside.
# shellcheck shell=dash

section list camera_probe list
for layout in nv12 yuyv rgb bgr; do
    section $layout camera_probe run default 640x360 30 2 $layout bars
done
section own-choice camera_probe run vivid 640x360 15 2 bars
# A picture a second, as in the dark.
section slow camera_probe run default 320x180 1 2.5
section absent-layout camera_probe run default 640x360 30 2 mjpeg
section spoiled camera_probe spoil 0 2/25
camera_probe run default 640x360 30 2 bars
section again camera_probe run /dev/video0 1280x720 10 2 bars

echo "=== busy"
camera_probe run default 640x360 15 60 >/first 2>&1 &
holder=$!
until_line /first Running
camera_probe run default 640x360 15 5
kill $holder
wait $holder

echo "=== unplugged"
camera_probe run default 640x360 15 30 >/unplugged 2>&1 &
until_line /unplugged Running
unplug
wait $!
cat /unplugged
section gone camera_probe run default 640x360 15 5
section gone-list camera_probe list
plug_in
section back camera_probe run default 640x360 15 3

echo "=== stalled"
camera_probe run default 640x360 15 30 >/stalled 2>&1 &
until_line /stalled Running
camera_probe control 0 "Percentage of Dropped Buffers" 100
wait $!
cat /stalled
camera_probe control 0 "Percentage of Dropped Buffers" 0

# A stream that breaks and can be opened anew is opened anew, without a word.
echo "=== broken"
camera_probe run default 640x360 15 60 >/broken 2>&1 &
holder=$!
until_line /broken Running
camera_probe control 0 "Inject Fatal Streaming Error" 1
until_line /broken frames $(($(grep -c frames /broken) + 2)) && echo "pictures go on"
kill $holder
wait $holder
cat /broken
