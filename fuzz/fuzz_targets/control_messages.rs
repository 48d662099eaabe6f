//! Whatever the other side says over the control channel.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/call/src/control.rs"]
mod control;

use control::ControlMessage;

fuzz_target!(|text: &str| {
    let Some(message) = ControlMessage::read(text) else { return };
    if message != ControlMessage::Unknown {
        assert_eq!(ControlMessage::read(&message.write()), Some(message));
    }
});
