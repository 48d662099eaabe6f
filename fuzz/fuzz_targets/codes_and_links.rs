//! Whatever somebody pastes into the field for a code or a link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_signaling::{Invitation, check_partial, complete, link};

fuzz_target!(|text: &str| {
    for word in check_partial(text) {
        assert_eq!(text[word.range.clone()], word.text);
    }
    let _ = complete(text);
    let Ok(Invitation { code, server }) = text.parse() else { return };
    assert_eq!(code.to_string().parse(), Ok(code.clone()));
    if let Some(server) = server {
        let link = link(&server, &code).expect("a server of a link has a link");
        assert_eq!(link.parse(), Ok(Invitation { code, server: Some(server) }));
    }
});
