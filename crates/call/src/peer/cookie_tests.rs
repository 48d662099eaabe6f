use super::super::hello::tests::hello;
use super::super::records::tests::{alert, message};
use super::super::relayed::tests::{by_channel, by_indication};
use super::*;
use proptest::prelude::*;

const OFFER: &str = "v=0\r\na=fingerprint:sha-256 AB\r\nm=audio 9 x\r\na=mid:0\r\nm=video 9 x\r\na=mid:1\r\n";

fn route(local: u16) -> Route {
    Route { local: ([127, 0, 0, 1], local).into(), remote: ([127, 0, 0, 2], 9).into() }
}

/// The DTLS server's side, the cookie it told, and the client's side that was told it.
fn both() -> (Hellos, Cookie, Hellos) {
    let (server, client) = (Hellos::default(), Hellos::default());
    let offer = server.tell(OFFER);
    client.learn(&offer);
    (server, told_in(&offer).expect("a cookie"), client)
}

fn next(hellos: &Hellos) -> Option<Vec<u8>> {
    assert_eq!(hellos.next(route(2).local), None, "the other socket");
    hellos.next(route(1).local).map(|(by, datagram)| {
        assert_eq!(by, route(1));
        datagram
    })
}

/// Draws so much with what DTLS draws from.
fn drawn<const N: usize>(hellos: &Hellos) -> [u8; N] {
    let mut bytes = [0; N];
    let provider = hellos.provider(rtc::crypto::default_provider().expect("ring"));
    provider.random().fill(&mut bytes).expect("random");
    bytes
}

#[test]
fn the_first_hello_is_answered_at_once_and_does_not_leave() {
    let (_, cookie, client) = both();
    assert!(client.leaves(route(1), &hello(0, &[]), true));
    assert_eq!(next(&client), Some(verify_request(&cookie)));
    assert!(!client.leaves(route(1), &hello(1, &cookie), true), "the hello with the cookie leaves");
    assert!(!client.leaves(route(1), &hello(0, &[]), true), "said again, it goes the ordinary way");
    assert!(!client.came(route(1), &verify_request(&cookie)));
    assert_eq!(next(&client), None);
}

#[test]
fn whoever_was_told_nothing_or_nonsense_says_hello_as_ever() {
    let (_, cookie, told) = both();
    let line = |digits: &str| format!("v=0\r\n{ATTRIBUTE}{digits}\r\nm=audio\r\n");
    let digits = "0123456789abcdefABCD".repeat(2);
    assert_eq!(told_in(&line(&digits)).map(|c| c[..3].to_vec()), Some(vec![0x01, 0x23, 0x45]));
    let odd = ["", "12", &digits[1..], &format!("{digits}0"), &digits.replace('0', "x"), &digits.replace("01", "é")];
    let odd = odd.iter().map(|digits| line(digits)).chain([OFFER.into(), line(&digits).repeat(2)]);
    for offer in odd {
        // The newest offer counts.
        told.learn(&offer);
        assert!(!told.leaves(route(1), &hello(0, &[]), true), "{offer}");
        assert_eq!(next(&told), None);
    }
    told.learn(&line(&digits));
    for other in [message(0, 0, 30), hello(0, &cookie), alert(), vec![0x80; 40], Vec::new()] {
        assert!(!told.leaves(route(1), &other, true));
    }
    assert!(!told.leaves(route(1), &hello(0, &[]), false), "one of several datagrams at once");
    assert!(told.leaves(route(1), &hello(0, &[]), true));
}

#[test]
fn a_hello_with_the_cookie_comes_after_the_one_without_has_been_answered() {
    let (server, cookie, _) = both();
    for _ in 0..3 {
        // What goes unanswered, since no path is chosen yet, is said again.
        assert!(server.came(route(1), &hello(1, &cookie)));
        assert_eq!((next(&server), next(&server)), (Some(hello(0, &[])), None));
    }
    assert!(server.leaves(route(1), &verify_request(&cookie), true), "nobody waits for this answer");
    assert_eq!((next(&server), next(&server)), (Some(hello(1, &cookie)), None));
    // From then on nothing is special.
    assert!(!server.came(route(1), &hello(1, &cookie)) && !server.came(route(1), &hello(0, &[])));
    assert!(!server.leaves(route(1), &verify_request(&cookie), true));
    assert_eq!(next(&server), None);
}

#[test]
fn an_answer_that_leaves_with_others_is_sent_and_counts() {
    let (server, cookie, _) = both();
    assert!(server.came(route(1), &hello(1, &cookie)));
    assert_eq!(next(&server), Some(hello(0, &[])));
    assert!(!server.leaves(route(1), &verify_request(&cookie), false));
    assert_eq!(next(&server), Some(hello(1, &cookie)));
}

#[test]
fn who_says_hello_in_the_ordinary_way_is_asked_for_the_cookie() {
    let (server, cookie, _) = both();
    assert!(!server.came(route(1), &hello(0, &[])));
    assert!(!server.leaves(route(1), &verify_request(&cookie), true));
    assert!(!server.came(route(1), &hello(1, &cookie)));
    assert_eq!(next(&server), None);
}

#[test]
fn a_hello_with_another_cookie_is_nobodys_until_the_first_is_answered() {
    let (server, cookie, _) = both();
    for wrong in [hello(1, &[0; COOKIE]), hello(1, &cookie[1..]), hello(1, &[]), hello(2, &cookie), hello(0, &cookie)] {
        assert!(server.came(route(1), &wrong));
        assert_eq!(next(&server), None);
    }
    // Nor does it keep the true one off.
    assert!(server.came(route(1), &hello(1, &cookie)));
    assert_eq!(next(&server), Some(hello(0, &[])));
}

#[test]
fn both_ways_go_through_a_relay_too() {
    for relayed in [by_channel, by_indication] {
        let (server, cookie, client) = both();
        let (there, back) = (relayed(&hello(0, &[])), |inside: &[u8]| brought_like(&relayed(&[]), inside).unwrap());
        assert!(client.leaves(route(1), &there, true));
        assert_eq!(next(&client), Some(back(&verify_request(&cookie))));
        let second = back(&hello(1, &cookie));
        assert!(server.came(route(1), &second));
        assert_eq!(next(&server), Some(back(&hello(0, &[]))));
        assert!(server.leaves(route(1), &relayed(&verify_request(&cookie)), true));
        assert_eq!(next(&server), Some(second));
    }
}

#[test]
fn the_cookie_is_what_dtls_draws_and_nothing_else_gets_it() {
    let (server, cookie, client) = both();
    assert_ne!(drawn::<COOKIE>(&server), cookie, "before any DTLS");
    server.came(route(1), &[0x80; 40]);
    assert_ne!(drawn::<COOKIE>(&server), cookie, "media is no DTLS");
    server.came(route(1), &hello(1, &cookie));
    assert_ne!(drawn::<28>(&server)[..COOKIE], cookie);
    assert_ne!(drawn::<64>(&server)[..COOKIE], cookie);
    assert_eq!(drawn::<COOKIE>(&server), cookie);
    assert_ne!(drawn::<COOKIE>(&server), cookie, "once");
    client.came(route(1), &alert());
    assert_ne!(drawn::<COOKIE>(&client), cookie, "who was told it draws its own");
    assert_ne!(both().1, both().1, "each connection has another");
}

#[test]
fn one_cookie_is_told_before_the_media_until_dtls_has_begun() {
    let server = Hellos::default();
    let offer = server.tell(OFFER);
    let at = OFFER.find("m=").unwrap();
    assert!(offer.starts_with(&OFFER[..at]) && offer.ends_with(&OFFER[at..]));
    let line = &offer[at..offer.len() - (OFFER.len() - at)];
    assert!(line.starts_with(ATTRIBUTE) && line.ends_with("\r\n") && line.len() == ATTRIBUTE.len() + 42, "{line}");
    assert_eq!((server.tell(OFFER), untold(&offer)), (offer, OFFER.to_owned()));
    server.came(route(1), &hello(0, &[]));
    assert_eq!(server.tell(OFFER), OFFER);
}

#[test]
fn unwatched_sockets_tell_nothing_and_learn_nothing() {
    let (_, cookie, _) = both();
    let unused = Hellos::unused();
    assert_eq!(unused.tell(OFFER), OFFER);
    unused.learn(&Hellos::default().tell(OFFER));
    assert!(!unused.leaves(route(1), &hello(0, &[]), true) && !unused.came(route(1), &hello(1, &cookie)));
}

proptest! {
    #[test]
    fn whatever_comes_or_leaves_at_most_two_datagrams_wait(
        all in proptest::collection::vec((0u8..5, 0u8..3, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..40)
    ) {
        let (server, cookie, client) = both();
        for (what, number, came, bytes) in all {
            let datagram = match what {
                0 => hello(number, &cookie),
                1 => hello(number, &[]),
                2 => hello(number, &bytes),
                3 => verify_request(&cookie),
                _ => [&[22][..], &bytes].concat(),
            };
            for hellos in [&server, &client] {
                if came { hellos.came(route(1), &datagram) } else { hellos.leaves(route(1), &datagram, true) };
                prop_assert!(hellos.lock().waiting.len() <= 2);
            }
        }
    }

    #[test]
    fn any_text_tells_a_cookie_or_none(text in "(a=x-visavis-dtls-cookie:|[0-9a-fA-F]{0,60}|\r\n|.){0,20}") {
        let _ = told_in(&text);
        let offer = format!("{}\r\nm=audio\r\n", text.replace(ATTRIBUTE, ""));
        prop_assert!(told_in(&Hellos::default().tell(&offer)).is_some());
    }
}
