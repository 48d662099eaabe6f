//! Namespaces and their TUN devices.

use std::ffi::CString;
use std::os::fd::RawFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Runs a command; whether it succeeded.
fn run(words: &[&str]) -> bool {
    Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success())
}

fn open(path: &str, flags: libc::c_int) -> Result<RawFd, String> {
    let text = CString::new(path).map_err(|_| format!("{path}: no path"))?;
    // SAFETY: `text` is a string that ends with a zero and outlives the call.
    let fd = unsafe { libc::open(text.as_ptr(), flags | libc::O_CLOEXEC) };
    if fd < 0 { Err(format!("{path}: {}", std::io::Error::last_os_error())) } else { Ok(fd) }
}

/// Makes the namespace, in place of an old one of that name, and its device with this address; gives the device.
///
/// # Errors
/// Where the system refuses: it takes root.
pub(crate) fn make(name: &str, address: &str) -> Result<RawFd, String> {
    let path = format!("/var/run/netns/{name}");
    if Path::new(&path).exists() {
        remove(name);
    }
    if !run(&["ip", "netns", "add", name]) {
        return Err(format!("the namespace {name} cannot be made; are you root?"));
    }
    let device = device_in(&path)?;
    for words in [
        &["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"][..],
        &["ip", "link", "set", "lo", "up"],
        &["ip", "addr", "add", &format!("{address}/24"), "dev", "emu0"],
        &["ip", "link", "set", "emu0", "mtu", "1500", "txqueuelen", "5000", "up"],
    ] {
        let inside = format!("--net={path}");
        if !run(&[&["nsenter", &inside], words].concat()) {
            return Err(format!("failed in {name}: {}", words.join(" ")));
        }
    }
    Ok(device)
}

/// Opens `emu0` in a namespace. The device belongs to where it is made, so the thread goes there for a moment.
fn device_in(namespace: &str) -> Result<RawFd, String> {
    let home = open("/proc/self/ns/net", libc::O_RDONLY)?;
    let there = open(namespace, libc::O_RDONLY)?;
    // SAFETY: plain system calls on descriptors of ours; `request` is zeroed, large enough, and outlives the call.
    unsafe {
        if libc::setns(there, libc::CLONE_NEWNET) != 0 {
            return Err(format!("setns: {}", std::io::Error::last_os_error()));
        }
        let device = open("/dev/net/tun", libc::O_RDWR | libc::O_NONBLOCK)?;
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"emu0") {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        if libc::ioctl(device, libc::TUNSETIFF, &mut request) != 0 {
            return Err(format!("TUNSETIFF: {}", std::io::Error::last_os_error()));
        }
        libc::setns(home, libc::CLONE_NEWNET);
        libc::close(home);
        libc::close(there);
        Ok(device)
    }
}

/// Removes a namespace of ours.
pub(crate) fn remove(name: &str) {
    run(&["ip", "netns", "del", name]);
}

/// Waits until a device or standard input has something to read; which of them do.
pub(crate) fn wait(devices: &[RawFd; 3], input: RawFd, limit: Duration) -> [bool; 4] {
    let [a, b, s] = *devices;
    let mut polled = [a, b, s, input].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let time = libc::timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
    // SAFETY: `polled` has the length that is given, and both outlive the call.
    let count = unsafe { libc::ppoll(polled.as_mut_ptr(), 4, &time, std::ptr::null()) };
    polled.map(|polled| count > 0 && polled.revents != 0)
}

/// Reads once; `None`: nothing is there, or an error.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the buffer is as long as is said.
    let length = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(length).ok()
}

/// Writes a packet; where the device does not take it, it is lost, as anywhere.
pub(crate) fn write(fd: RawFd, packet: &[u8]) {
    // SAFETY: the packet is as long as is said.
    unsafe { libc::write(fd, packet.as_ptr().cast(), packet.len()) };
}
