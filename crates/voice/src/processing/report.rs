//! What the chain knows at a moment, for meters, hints and reports of trouble.

use std::time::Duration;

/// See the fields. `None` where a part is switched off, or nothing is known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VoiceReport {
    /// Peak of the microphone as it came, decaying; 0…1.
    pub heard: f32,
    /// Peak of what is sent, likewise.
    pub sent: f32,
    /// Probability that somebody speaks at the microphone, 0…1: while noise suppression is full, or muted.
    pub speech: Option<f32>,
    /// Somebody speaks although the microphone is muted.
    pub speaking_while_muted: bool,
    /// The microphone has given nothing but zeros for 3 s: it is switched off or unplugged, and the system does not
    /// tell.
    pub microphone_is_silent: bool,
    /// How much weaker the echo is than what is played (ERL), in dB.
    pub echo_return_loss_db: Option<f32>,
    /// By how much cancelling has weakened it (ERLE), in dB.
    pub echo_enhancement_db: Option<f32>,
    /// How long the echo takes from the moment at which its sound should be heard, to 8 ms.
    pub echo_delay: Option<Duration>,
    /// What automatic gain adds, in dB.
    pub gain_db: Option<f32>,
    /// How much faster the loudspeaker's clock runs than the microphone's, in parts per million.
    pub drift_ppm: Option<f32>,
    /// How often a part panicked or gave nonsense and was built anew.
    pub failures: u64,
}
