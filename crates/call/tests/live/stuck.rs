//! Connections on which DTLS does not come through: repeated, and where that does not help, built anew.

use crate::common::{LONG, Server, Side, in_call, invitation, options, without_devices};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use visavis_call::{Command, Connecting, DatagramFilter, Event, Options};

/// The first byte of a DTLS datagram: a change of keys begins with 20 (RFC 6347 §4.1).
const CHANGE_OF_KEYS: u8 = 20;

fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

fn with(filter: impl Fn(u32, &[u8]) -> bool + Send + Sync + 'static, options: Options) -> Options {
    let filter: DatagramFilter = Arc::new(filter);
    Options { connecting: Connecting { filter: Some(filter), ..options.connecting.clone() }, ..options }
}

/// Lets `b` join `a`, and waits until they are in the same call and each has seen a new picture of the other.
fn meet(a: &mut Side, b: &mut Side) {
    let code = crate::common::opens(a);
    b.send(Command::Join(invitation(&code)));
    let number = |side: &Side| in_call(&side.state()).map(|call| call.verification.clone());
    a.until("the same call", |a| number(a).filter(|mine| number(b).as_ref() == Some(mine)));
    let begun = std::time::Instant::now();
    for side in [a, b] {
        assert!(side.sees_what_was_captured_after(begun) < LONG);
    }
}

/// How often each side has connected so far.
fn connections(side: &mut Side) -> usize {
    side.unread().iter().filter(|e| matches!(e, Event::Connected { .. })).count()
}

#[test]
fn a_connection_whose_dtls_never_arrives_is_built_anew() {
    let server = Server::start();
    let swallowed = |number: u32, datagram: &[u8]| number > 0 || !is_dtls(datagram);
    let mut a = Side::start("Ann", options(Some(&server)));
    let mut b = Side::start("Bob", with(swallowed, options(Some(&server))));
    meet(&mut a, &mut b);
}

#[test]
fn so_is_one_that_only_the_newcomer_knows_to_be_stuck() {
    let server = Server::start();
    // Ann's last message is lost, and all that could tell Bob that she is ready: she is in the call, he is not.
    let lost = |number: u32, datagram: &[u8]| number > 0 || datagram.first() != Some(&CHANGE_OF_KEYS);
    let mut a = Side::start("Ann", with(lost, options(Some(&server))));
    let mut b = Side::start("Bob", options(Some(&server)));
    meet(&mut a, &mut b);
    crate::common::knows(&mut a, "Bob");
    crate::common::knows(&mut b, "Ann");
    crate::common::hang_up(&mut b, &mut a);
}

#[test]
fn each_handshake_message_may_be_lost_twice_and_no_connection_is_built_anew() {
    let server = Server::start();
    // Each side loses two of three DTLS datagrams until it has sent a dozen.
    let losing = || {
        let count = AtomicU32::new(0);
        move |_: u32, datagram: &[u8]| {
            !is_dtls(datagram) || {
                let n = count.fetch_add(1, Ordering::Relaxed);
                n % 3 == 2 || n > 12
            }
        }
    };
    let unwatched = || {
        let plain = without_devices(Some(&server));
        Options { connecting: Connecting { watchdog: false, ..Connecting::default() }, ..plain }
    };
    let mut a = Side::start("Ann", with(losing(), unwatched()));
    let mut b = Side::start("Bob", with(losing(), unwatched()));
    let code = crate::common::opens(&mut a);
    b.send(Command::Join(invitation(&code)));
    for side in [&mut a, &mut b] {
        side.shows("the call", |s| in_call(s).is_some());
        assert_eq!(connections(side), 1);
    }
}

#[test]
fn a_path_that_swallows_the_first_fifty_checks_is_not_given_up() {
    let server = Server::start();
    // The webrtc crate itself would give a pair up after seven (0x0001: binding request, RFC 8489 §5).
    let losing = || {
        let count = AtomicU32::new(0);
        move |_: u32, datagram: &[u8]| !datagram.starts_with(&[0, 1]) || count.fetch_add(1, Ordering::Relaxed) >= 50
    };
    let mut a = Side::start("Ann", with(losing(), without_devices(Some(&server))));
    let mut b = Side::start("Bob", with(losing(), without_devices(Some(&server))));
    let code = crate::common::opens(&mut a);
    b.send(Command::Join(invitation(&code)));
    crate::common::connects(&mut a, &mut b);
}
