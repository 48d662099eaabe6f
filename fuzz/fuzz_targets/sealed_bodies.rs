//! Envelopes that nobody sealed: none opens, and the next true one does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use visavis_media::{CallId, PeerId};
use visavis_signaling::{Envelope, Keys, Kind, Newcomer, PakeSecret, RoomCode, answer};

fn keys() -> (Keys, Keys) {
    let code: RoomCode = "velvet-canyon-orbit-zero".parse().expect("a valid code");
    let secret = PakeSecret::derive(&code);
    let (newcomer, share) = Newcomer::start(&secret);
    let (reply, host) = answer(&secret, &share).expect("a good share");
    (host.into_keys(), newcomer.finish(&reply).expect("a good share").into_keys())
}

thread_local!(static KEYS: RefCell<(Keys, Keys)> = RefCell::new(keys()));

fuzz_target!(|text: &str| {
    KEYS.with_borrow_mut(|(host, newcomer)| {
        let (a, b, call) = (PeerId::new("a"), PeerId::new("b"), CallId::random());
        let sealed = host.sealer.seal(Kind::Offer, &a, &b, &call, None, b"v=0");
        if let Ok(forged) = serde_json::from_str::<Envelope>(text) {
            for kind in [Kind::Offer, Kind::Answer, Kind::IceCandidate] {
                assert!(newcomer.opener.open(kind, &forged).is_err());
            }
            // The true names and the next number, with their body.
            let body = Envelope { sealed: forged.sealed, ..sealed.clone() };
            assert!(body.sealed == sealed.sealed || newcomer.opener.open(Kind::Offer, &body).is_err());
        }
        let bent = Envelope { sealed: text.to_owned(), ..sealed.clone() };
        assert!(newcomer.opener.open(Kind::Offer, &bent).is_err());
        assert_eq!(newcomer.opener.open(Kind::Offer, &sealed).expect("the true one opens").as_slice(), b"v=0");
    });
});
