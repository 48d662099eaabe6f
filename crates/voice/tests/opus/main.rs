//! The playout buffer with Opus as in a call: pauses that are not sent, garbage, and what is left of a voice's spectrum.

mod garbage;
mod link;
#[path = "../../examples/voice_bench/measure.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod measure;
mod pauses;
#[path = "../../examples/voice_bench/random.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod random;
#[path = "../../examples/voice_bench/room.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod room;
mod spectra;
#[path = "../../examples/voice_bench/speech.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod speech;
