//! Echo: how much of it is left, and what is left of the near voice while both speak.

use super::measure::{db, fitted, mean, power};
use super::room::Room;
use super::scene::{Heard, Scene, play};
use visavis_media::SAMPLE_RATE;
use visavis_voice::processing::{NoiseSuppression, VoiceSettings};

/// High-pass and canceller only.
pub const AEC: VoiceSettings = VoiceSettings {
    high_pass: true,
    echo_cancellation: true,
    noise_suppression: NoiseSuppression::Off,
    automatic_gain: false,
};
/// …and noise suppression; the level stays, so that echo and voice can be compared with what came in.
pub const AEC_NS: VoiceSettings = VoiceSettings { noise_suppression: NoiseSuppression::Full, ..AEC };

/// Echo of the far side alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct FarAlone {
    /// ERLE in the first second, the second, and after ten.
    pub first_second: f64,
    pub second: f64,
    pub settled: f64,
    /// Seconds until 15 dB.
    pub to_15_db: f64,
    /// ERLE in the first second and in the fifth after everything moved.
    pub after_move: f64,
    pub fifth_after_move: f64,
    /// The canceller's own idea of the drift.
    pub drift_ppm: f64,
}

/// How much weaker the echo is in what is sent than at the microphone, from one second to another.
pub fn erle(heard: &Heard, from: f64, to: f64) -> f64 {
    let (a, b) = (at(from).min(heard.sent.len()), at(to).min(heard.sent.len()));
    // What is sent is late; a second is long enough not to matter, a shorter span is not.
    let (c, d) = (a + heard.delay, (b + heard.delay).min(heard.sent.len()));
    db(power(&heard.echo[a..b]) / power(&heard.sent[c..d]).max(1e-14))
}

/// Of several far voices in a room, the mean.
pub fn far_alone(voices: &[&[f32]], room: Room, drift_ppm: f64, settings: VoiceSettings) -> FarAlone {
    let all: Vec<FarAlone> = voices
        .iter()
        .map(|far| {
            let mut scene = Scene::new(far, &[]);
            (scene.room, scene.drift_ppm) = (room, drift_ppm);
            let moved = Room { seed: room.seed + 1, delay_ms: room.delay_ms + 7.0, ..room };
            scene.moved = Some((20.0, moved));
            let heard = play(&scene, settings);
            let to_15_db = (0..40).map(|n| f64::from(n) * 0.25).find(|s| erle(&heard, *s, s + 0.25) >= 15.0);
            FarAlone {
                first_second: erle(&heard, 0.0, 1.0),
                second: erle(&heard, 1.0, 2.0),
                settled: erle(&heard, 10.0, 20.0),
                to_15_db: to_15_db.map_or(10.0, |s| s + 0.25),
                after_move: erle(&heard, 20.0, 21.0),
                fifth_after_move: erle(&heard, 24.0, 25.0),
                drift_ppm: heard.report.drift_ppm.map_or(0.0, f64::from),
            }
        })
        .collect();
    let of = |value: fn(&FarAlone) -> f64| mean(&all.iter().map(value).collect::<Vec<_>>());
    FarAlone {
        first_second: of(|f| f.first_second),
        second: of(|f| f.second),
        settled: of(|f| f.settled),
        to_15_db: of(|f| f.to_15_db),
        after_move: of(|f| f.after_move),
        fifth_after_move: of(|f| f.fifth_after_move),
        drift_ppm: of(|f| f.drift_ppm),
    }
}

/// What both speaking at once does to the near voice: what is left of it (dB), and how much stronger than all else
/// that is.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoubleTalk {
    pub near_db: f64,
    pub sdr_db: f64,
}

/// Of pairs (far, near), the mean, once the canceller knows the room; against the near voice sent alone.
pub fn double_talk(
    pairs: &[(&[f32], &[f32])],
    echo_below_db: f32,
    drift_ppm: f64,
    settings: VoiceSettings,
) -> DoubleTalk {
    let (from, to) = (at(10.0), at(29.0));
    let all: Vec<DoubleTalk> = pairs
        .iter()
        .map(|(far, near)| {
            let mut scene = Scene::new(far, near);
            scene.echo_gain = 10f32.powf(-echo_below_db / 20.0);
            scene.drift_ppm = drift_ppm;
            let (both, alone) = (play(&scene, settings), play(&Scene::new(&[], near), settings));
            let (gain, sdr) = fitted(&alone.sent[from..to], &both.sent[from..to]);
            DoubleTalk { near_db: db(gain * gain), sdr_db: db(sdr) }
        })
        .collect();
    DoubleTalk {
        near_db: mean(&all.iter().map(|d| d.near_db).collect::<Vec<_>>()),
        sdr_db: mean(&all.iter().map(|d| d.sdr_db).collect::<Vec<_>>()),
    }
}

fn at(second: f64) -> usize {
    (second * f64::from(SAMPLE_RATE)) as usize
}
