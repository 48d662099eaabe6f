//! Call after call in one process, and a call that lasts: threads, open files and memory do not grow.
//!
//! With `VISAVIS_LONG` set there are 200 calls instead of ten, and five minutes instead of seconds (half an hour is
//! `scripts/e2e/long`). A program of its own, with one test, since what is counted is the process's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::footprint::{Counting, Footprint, held, median, resident, settles};
use common::{Server, Side, call, hang_up, knows, options};
use std::time::{Duration, Instant};
use visavis_call::{Command, Event, Options};
use visavis_media::Size;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// After hanging up, a call's threads are gone within this time.
const GONE: Duration = Duration::from_secs(2);
/// Calls before anything is compared: pools, caches and the sound system's and codecs' own tables fill.
const WARM_UP: usize = 3;

fn long() -> bool {
    std::env::var_os("VISAVIS_LONG").is_some()
}

fn calls() -> usize {
    if long() { 200 } else { 10 }
}

/// Who opens and who joins is where they were, and heard of each other; picture and sound flow.
fn talk(a: &mut Side, b: &mut Side) {
    call(a, b);
    knows(a, "Bob");
    knows(b, "Ann");
    for side in [a, b] {
        side.until("a picture", |side| (!side.eye.seen().is_empty()).then_some(()));
        side.until("sound", |side| (side.ear.count() > 0).then_some(()));
    }
}

/// Memory after each call, when everything has come to rest.
#[derive(Default)]
struct Memory {
    held: Vec<i64>,
    resident: Vec<i64>,
}

impl Memory {
    fn note(&mut self) {
        self.held.push(held());
        self.resident.push(resident());
    }

    /// Growth from one call to the next, in bytes, between the first quarter and the last.
    fn growth(values: &[i64]) -> i64 {
        let quarter = (values.len() / 4).max(1);
        let (first, last) = (&values[..quarter], &values[values.len() - quarter..]);
        (median(last) - median(first)) / (values.len() - quarter).max(1) as i64
    }

    /// Fails where more is held, or resident, each time. In a short run the first uses of pools and tables outweigh what
    /// is resident, and the limit on what is held is wider.
    fn check(&self, what: &str, most_held: i64, most_resident: i64) {
        let (held, resident) = (Self::growth(&self.held), Self::growth(&self.resident));
        println!("{what}: {held} bytes held and {resident} bytes resident more each time");
        let most_held = if long() { most_held } else { 20 * most_held };
        assert!(held <= most_held, "{what}: {held} bytes more each time: {:?}", self.held);
        if long() {
            assert!(resident <= most_resident, "{what}: {resident} bytes resident more each time: {:?}", self.resident);
        }
    }
}

fn call_after_call_between_the_same_two() {
    let server = Server::start();
    let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
    let (mut before, mut memory, mut slowest) = (Footprint::default(), Memory::default(), Duration::ZERO);
    for i in 0..WARM_UP + calls() {
        talk(&mut a, &mut b);
        let ended = Instant::now();
        // Turn by turn, so that both ends of hanging up are tried.
        if i % 2 == 0 {
            hang_up(&mut a, &mut b)
        } else {
            hang_up(&mut b, &mut a)
        }
        a.forget();
        b.forget();
        if i < WARM_UP {
            // What is at rest shows when it does not change any more: helpers end half a second after their work.
            let mut last = (Footprint::now(), Instant::now());
            while last.1.elapsed() < GONE {
                let now = Footprint::now();
                if now != last.0 {
                    last = (now, Instant::now());
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
            before = last.0;
            continue;
        }
        let took = settles(&before, ended, "a call");
        assert!(took <= GONE, "threads and files of call {i} were there for {took:?}");
        slowest = slowest.max(took);
        memory.note();
    }
    println!("at rest: {before:?}; after each call within {} ms", slowest.as_millis());
    memory.check("a call", 2_000, 100_000);
}

fn an_endpoint_for_each_call() {
    let server = Server::start();
    let mut before = Footprint::now();
    let mut memory = Memory::default();
    for i in 0..WARM_UP + calls() {
        let (mut a, mut b) = (Side::start("Ann", options(Some(&server))), Side::start("Bob", options(Some(&server))));
        talk(&mut a, &mut b);
        // Some hang up, some close the window.
        if i % 2 == 0 {
            hang_up(&mut b, &mut a);
        }
        let ended = Instant::now();
        drop(a);
        drop(b);
        if i < WARM_UP {
            settles(&before, ended, "everything");
            before = Footprint::now();
            continue;
        }
        settles(&before, ended, "everything");
        memory.note();
    }
    memory.check("an endpoint and its call", 2_000, 100_000);
}

fn a_call_that_lasts() {
    let server = Server::start();
    let start = |name| {
        let size = Size::new(640, 360).unwrap();
        Side::start(name, Options { size, fps: 15.0, ..options(Some(&server)) })
    };
    let (mut a, mut b) = (start("Ann"), start("Bob"));
    talk(&mut a, &mut b);
    let (warm, seconds) = if long() { (60, 300) } else { (5, 15) };
    let measure = |a: &mut Side, b: &mut Side| {
        // One snapshot of the statistics comes each second.
        a.measures(1);
        a.forget();
        b.forget();
    };
    for _ in 0..warm {
        measure(&mut a, &mut b);
    }
    let (before, mut memory) = (Footprint::now(), Memory::default());
    for _ in 0..seconds {
        measure(&mut a, &mut b);
        // Listing the sound devices opens files for a moment.
        settles(&before, Instant::now(), "a second of a call");
        memory.note();
    }
    // The packets kept for being sent again fill a buffer in the first quarter of a minute; then nothing may grow.
    memory.check("a second of a call", 10_000, 40_000);
    assert!(!a.unread().iter().any(|e| matches!(e, Event::Reconnecting | Event::Ended(_))), "{:?}", a.unread());
    a.send(Command::HangUp);
    a.ends();
}

#[test]
fn neither_many_calls_nor_a_long_one_leave_threads_files_or_memory_behind() {
    call_after_call_between_the_same_two();
    an_endpoint_for_each_call();
    a_call_that_lasts();
}
