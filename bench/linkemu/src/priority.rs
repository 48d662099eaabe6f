//! Real-time priority, so that a busy machine does not bend the link.

use std::os::fd::RawFd;

/// `struct sched_attr` of sched_setattr(2), which libc does not name on every system.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

const SCHED_DEADLINE: u32 = 6;
const RESET_ON_FORK: u64 = 1;
/// Half of every 4 ms at most.
const RUNTIME_NS: u64 = 2_000_000;
const PERIOD_NS: u64 = 4_000_000;

/// SCHED_DEADLINE, because the kernel's fair server (50 ms a second for ordinary tasks that real-time peers starve)
/// outranks SCHED_FIFO, which is the second choice. Memory is locked, and timers are exact.
pub(crate) fn raise() {
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: SCHED_DEADLINE,
        flags: RESET_ON_FORK,
        nice: 0,
        priority: 0,
        runtime: RUNTIME_NS,
        deadline: PERIOD_NS,
        period: PERIOD_NS,
    };
    // SAFETY: plain system calls about this process; the structures outlive them.
    unsafe {
        if libc::syscall(libc::SYS_sched_setattr, 0, &attributes, 0) != 0 {
            let fifo = libc::sched_param { sched_priority: 20 };
            let refused = libc::sched_setscheduler(0, libc::SCHED_FIFO, &fifo) != 0;
            eprintln!("linkemu: {}", if refused { "no real-time priority" } else { "SCHED_FIFO only" });
        }
        libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE);
        libc::prctl(libc::PR_SET_TIMERSLACK, 1);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Reading from it returns at once.
pub(crate) fn never_block(fd: RawFd) {
    // SAFETY: a plain system call on a descriptor that is ours.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
}
