# The machine's first and only program (busybox); $modules and $parts stand above.
# shellcheck shell=dash disable=SC1090,SC2086,SC2154

/bin/busybox --install -s /bin
export PATH=/bin RUST_LOG=off
mount -t proc none /proc && mount -t sysfs none /sys && mount -t devtmpfs none /dev
echo 1 >/proc/sys/kernel/printk

section() { echo "=== $1"; shift; "$@" 2>&1; }

# until_line FILE TEXT [N]: waits until N lines of the file (one) hold the text.
until_line() {
    local tries=0
    while [ "$(grep -cF -- "$2" "$1")" -lt "${3:-1}" ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { echo "waited in vain for $2 in $1"; return 1; }
        usleep 100000
    done
}

# hundredths: of a second, since the machine began.
hundredths() { cut -d ' ' -f 1 /proc/uptime | tr -d .; }
# step WHAT: says when it was reached.
step() { echo "step $(hundredths) $1"; }

unplug() { echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind; }
plug_in() { echo vivid.0 >/sys/bus/platform/drivers/vivid/bind; }

# One webcam (/dev/video0) and a node for metadata (/dev/video1), which must not be listed.
for module in ${modules% vivid}; do insmod /modules/$module.ko; done
insmod /modules/vivid.ko n_devs=1 node_types=0x20001 num_inputs=1 input_types=0x0
ls /dev/video*
for part in $parts; do
    echo "part $part begins at $(hundredths)"
    . /$part.sh
done
echo "=== end"
echo "ended at $(hundredths)"
reboot -f
