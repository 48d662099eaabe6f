//! Automatic gain: WebRTC's second gain controller, which tells speech from noise by a network of its own, makes quiet
//! voices louder; loud ones are turned down behind it.

use super::Frame;
use super::noise::{in_place, webrtc};
use super::slot::{Context, Part, StandIn};
use super::turn_down::TurnDown;
use sonora::config::{AdaptiveDigital, GainController2};
use sonora::{AudioProcessing, Config};
use std::time::Duration;

/// Gain before anything is known, in dB. The crate's 15 make the first two seconds of most microphones too loud.
const FIRST_GAIN_DB: f32 = 6.0;
/// Frames quieter than this mean power (−60 dBFS) say nothing about the gain.
const AUDIBLE: f32 = 1e-6;

pub(super) struct AutomaticGain {
    processing: Box<AudioProcessing>,
    turn_down: TurnDown,
    gain_db: f32,
}

impl AutomaticGain {
    /// What it adds, as measured.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }
}

impl Part for AutomaticGain {
    type Kind = ();
    const STAND_IN: StandIn = StandIn::Through;

    fn build((): ()) -> Self {
        let adaptive = AdaptiveDigital { initial_gain_db: FIRST_GAIN_DB, ..AdaptiveDigital::default() };
        let controller = GainController2 { adaptive_digital: Some(adaptive), ..GainController2::default() };
        let processing = webrtc(Config { gain_controller2: Some(controller), ..Config::default() });
        Self { processing: Box::new(processing), turn_down: TurnDown::new(), gain_db: FIRST_GAIN_DB }
    }

    fn kind(&self) {}

    fn delay((): ()) -> Duration {
        Duration::ZERO
    }

    fn process(&mut self, frame: &mut Frame, _: &Context<'_>) {
        let before = power(frame);
        in_place(&mut self.processing, frame);
        self.turn_down.process(frame);
        let after = power(frame);
        if before > AUDIBLE && after > 0.0 {
            self.gain_db += (10.0 * (after / before).log10() - self.gain_db) * 0.1;
        }
    }
}

fn power(frame: &Frame) -> f32 {
    frame.iter().map(|s| s * s).sum::<f32>() / frame.len() as f32
}
