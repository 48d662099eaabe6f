//! A path that breaks while no server is there to say a word.

use crate::common::{Server, Side, call, hang_up, knows, options};
use crate::server_loss::goes_on;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use visavis_call::{Connecting, DatagramFilter, Event, Options};

/// The user name of a STUN binding request (RFC 8489 §14.3): it names the generations of ICE on both sides.
fn generations(datagram: &[u8]) -> Option<Vec<u8>> {
    if !datagram.starts_with(&[0, 1]) {
        return None;
    }
    let mut rest = datagram.get(20..)?;
    loop {
        let (head, after) = rest.split_at_checked(4)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[..2] == [0, 6] {
            return after.get(..length).map(<[u8]>::to_vec);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
}

/// Ann's way out, which the test may close, and the generations that she has checked paths of.
#[derive(Default)]
struct WayOut {
    closed: AtomicBool,
    seen: Mutex<BTreeSet<Vec<u8>>>,
}

#[test]
fn ice_begins_anew_by_what_was_agreed_on_over_the_control_channel_while_the_server_is_gone() {
    let server = Server::start();
    let way = Arc::new(WayOut::default());
    let watched = way.clone();
    let filter: DatagramFilter = Arc::new(move |_, datagram| {
        watched.seen.lock().unwrap().extend(generations(datagram));
        !watched.closed.load(Ordering::Relaxed)
    });
    let connecting = Connecting { filter: Some(filter), ..Connecting::default() };
    let mut a = Side::start("Ann", Options { connecting, ..options(Some(&server)) });
    let mut b = Side::start("Bob", options(Some(&server)));
    call(&mut a, &mut b);
    knows(&mut a, "Bob");
    knows(&mut b, "Ann");
    server.kill();
    for round in 1..=2 {
        // The channel keeps order: what both agree on goes before the last of these lines.
        (0..3).for_each(|_| goes_on(&mut a, &mut b));
        assert_eq!(way.seen.lock().unwrap().len(), round, "one generation after the other");
        way.closed.store(true, Ordering::Relaxed);
        // Bob notices that nothing comes, and Ann what Bob does about it.
        b.hears(&Event::Reconnecting);
        a.hears(&Event::Reconnecting);
        way.closed.store(false, Ordering::Relaxed);
        b.hears(&Event::Reconnected);
        a.hears(&Event::Reconnected);
    }
    goes_on(&mut a, &mut b);
    assert_eq!(way.seen.lock().unwrap().len(), 3);
    hang_up(&mut a, &mut b);
}
