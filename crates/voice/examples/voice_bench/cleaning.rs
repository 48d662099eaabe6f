//! The near voice without any echo: what is done to it, to noise, and to its level.

use super::echoes::{AEC, AEC_NS};
use super::measure::{active_level, db, delay, fitted_filter, power};
use super::pesq::pesq;
use super::room::{fan, keyboard};
use super::scene::{Heard, Scene, play};
use super::speech::set_level;
use super::stoi::stoi;
use visavis_media::SAMPLE_RATE;
use visavis_voice::processing::{NoiseSuppression, VoiceSettings};

const SECOND: usize = SAMPLE_RATE as usize;
/// What is longer than a filter of 20 ms (a high-pass, a delay) is distortion.
const TAPS: usize = 960;

/// The near voice alone.
pub struct NearAlone {
    pub sdr_db: f64,
    pub stoi: f64,
    /// With noise suppression.
    pub stoi_ns: f64,
    pub pesq_ns: Option<f64>,
    pub stoi_whole: f64,
    /// From microphone to what is sent, the whole chain.
    pub delay_ms: f64,
}

pub fn near_alone(voice: &[f32]) -> NearAlone {
    let (plain, ns) = (play(&Scene::new(&[], voice), AEC), play(&Scene::new(&[], voice), AEC_NS));
    let whole = play(&Scene::new(&[], voice), VoiceSettings::default());
    let late = |heard: &Heard| delay(&voice[SECOND..4 * SECOND], &heard.sent[SECOND..4 * SECOND + 4800], 4800);
    let (plain_late, ns_late) = (late(&plain), late(&ns));
    let said = &voice[..voice.len() - 4800];
    NearAlone {
        sdr_db: db(fitted_filter(said, &plain.sent[plain_late.saturating_sub(TAPS / 4)..], TAPS)),
        stoi: stoi(said, &plain.sent[plain_late..]),
        stoi_ns: stoi(said, &ns.sent[ns_late..]),
        stoi_whole: stoi(said, &whole.sent[late(&whole)..]),
        pesq_ns: pesq(said, &ns.sent[ns_late..]),
        delay_ms: late(&whole) as f64 / 48.0,
    }
}

/// By how much noises are weakened where nobody speaks, in dB.
pub struct Noises {
    pub fan: f64,
    pub keyboard: f64,
    pub fan_light: f64,
    pub fan_whole: f64,
    pub keyboard_whole: f64,
}

pub fn noises() -> Noises {
    let reduced = |noise: &[f32], settings| {
        let heard = play(&Scene::new(&[], noise), settings);
        let from = 5 * SECOND;
        // Gain raises a voice as much as the noise beside it.
        let gain = heard.report.gain_db.map_or(0.0, f64::from);
        db(power(&noise[from..]) / power(&heard.sent[from..]).max(1e-14)) + gain
    };
    let (fan, keyboard) = (fan(3, 20 * SECOND, -45.0), keyboard(4, 20 * SECOND, -40.0));
    Noises {
        fan: reduced(&fan, AEC_NS),
        keyboard: reduced(&keyboard, AEC_NS),
        fan_whole: reduced(&fan, VoiceSettings::default()),
        keyboard_whole: reduced(&keyboard, VoiceSettings::default()),
        fan_light: reduced(&fan, VoiceSettings { noise_suppression: NoiseSuppression::Light, ..AEC }),
    }
}

/// The level (dBFS) after 10 s of the whole chain, of a voice that comes in at `dbfs`.
pub fn gain(voice: &[f32], dbfs: f32) -> f64 {
    let mut quiet = voice.to_vec();
    set_level(&mut quiet, dbfs);
    let heard = play(&Scene::new(&[], &quiet), VoiceSettings::default());
    f64::from(active_level(&heard.sent[10 * SECOND..20 * SECOND]))
}
