//! What this process holds: threads, open files, memory.

use super::LONG;
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Counts the bytes that Rust code holds; what C libraries hold shows in the resident memory only.
pub struct Counting;

static HELD: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promises are those of `System::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Bytes that Rust code holds now.
pub fn held() -> i64 {
    HELD.load(Ordering::Relaxed)
}

/// Resident memory in bytes.
pub fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
}

/// Threads and open files, by what they are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Footprint {
    pub threads: BTreeMap<String, usize>,
    pub files: BTreeMap<String, usize>,
}

impl Footprint {
    pub fn now() -> Self {
        let mut now = Self::default();
        for task in std::fs::read_dir("/proc/self/task").unwrap() {
            // A thread that ends while we look has no name any more.
            let name = std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default();
            if !name.is_empty() {
                *now.threads.entry(name.trim().to_owned()).or_default() += 1;
            }
        }
        for file in std::fs::read_dir("/proc/self/fd").unwrap() {
            let target = std::fs::read_link(file.unwrap().path()).unwrap_or_default();
            // Sockets and pipes have numbers in their names.
            let kind = target.to_string_lossy().split(':').next().unwrap_or_default().to_owned();
            if !kind.is_empty() && !kind.ends_with("/fd") {
                *now.files.entry(kind).or_default() += 1;
            }
        }
        now
    }

    /// What is here and was not there before.
    pub fn beyond(&self, before: &Self) -> Vec<String> {
        let more = |now: &BTreeMap<String, usize>, then: &BTreeMap<String, usize>| {
            let excess = |(name, count): (&String, &usize)| {
                let extra = count.saturating_sub(*then.get(name).unwrap_or(&0));
                (extra > 0).then(|| format!("{extra} {name}"))
            };
            now.iter().filter_map(excess).collect::<Vec<_>>()
        };
        [more(&self.threads, &before.threads), more(&self.files, &before.files)].concat()
    }
}

/// Waits until nothing is left that was not there before, and says how long that took since `begun`.
pub fn settles(before: &Footprint, begun: Instant, what: &str) -> Duration {
    loop {
        let left = Footprint::now().beyond(before);
        if left.is_empty() {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < LONG, "left behind after {what}: {left:?}; before: {before:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The middle one.
pub fn median(values: &[i64]) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
