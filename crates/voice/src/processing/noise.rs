//! Noise suppression: RNNoise's network in its pure-Rust port `nnnoiseless`, or WebRTC's spectral one in `sonora`,
//! which is weaker and cheaper. In a quiet room some of the voice goes past the network; behind it is a gate for what it
//! does not know as noise.

use super::Frame;
use super::gate::Gate;
use super::quiet_room::QuietRoom;
use super::slot::{Context, Part, StandIn};
use nnnoiseless::DenoiseState;
use sonora::config::{MaxProcessingRate, NoiseSuppressionLevel, Pipeline};
use sonora::{AudioProcessing, Config, StreamConfig};
use std::time::Duration;
use visavis_media::SAMPLE_RATE;

/// The network wants units of 16-bit integers.
const SCALE: f32 = 32768.0;

/// How much is done against noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoiseSuppression {
    /// Nothing.
    Off,
    /// Steady noise by about 12 dB; for weak machines.
    Light,
    /// Steady noise and most others by 25 dB and more.
    #[default]
    Full,
}

impl NoiseSuppression {
    pub(super) fn kind(self) -> Option<NoiseKind> {
        match self {
            Self::Off => None,
            Self::Light => Some(NoiseKind::Light),
            Self::Full => Some(NoiseKind::Full),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoiseKind {
    Light,
    Full,
}

pub(super) enum NoiseReducer {
    Light(Box<AudioProcessing>),
    Full { network: Box<DenoiseState<'static>>, speech: f32, quiet_room: QuietRoom, gate: Gate },
}

impl NoiseReducer {
    /// The network's probability of speech in the last frame; the light one has none.
    pub fn speech(&self) -> Option<f32> {
        match self {
            Self::Light(_) => None,
            Self::Full { speech, .. } => Some(*speech),
        }
    }
}

impl Part for NoiseReducer {
    type Kind = NoiseKind;
    const STAND_IN: StandIn = StandIn::Through;

    fn build(kind: NoiseKind) -> Self {
        match kind {
            NoiseKind::Full => Self::Full {
                network: DenoiseState::new(),
                speech: 0.0,
                quiet_room: QuietRoom::new(),
                gate: Gate::new(),
            },
            NoiseKind::Light => {
                let level = NoiseSuppressionLevel::Moderate;
                let noise_suppression = sonora::config::NoiseSuppression { level, ..Default::default() };
                Self::Light(Box::new(webrtc(Config {
                    noise_suppression: Some(noise_suppression),
                    ..Config::default()
                })))
            }
        }
    }

    fn kind(&self) -> NoiseKind {
        match self {
            Self::Light(_) => NoiseKind::Light,
            Self::Full { .. } => NoiseKind::Full,
        }
    }

    fn delay(kind: NoiseKind) -> Duration {
        match kind {
            NoiseKind::Light => LIGHT_DELAY,
            NoiseKind::Full => FULL_DELAY,
        }
    }

    fn process(&mut self, frame: &mut Frame, _: &Context<'_>) {
        match self {
            Self::Light(processing) => in_place(processing, frame),
            Self::Full { network, speech, quiet_room, gate } => {
                let heard = *frame;
                *speech = network.process_frame(frame, &heard.map(|s| s * SCALE));
                frame.iter_mut().for_each(|s| *s /= SCALE);
                quiet_room.add(frame, &heard);
                gate.apply(frame, *speech);
            }
        }
    }
}

/// Of each: an overlapping window; of the light one also its filter banks.
const FULL_DELAY: Duration = Duration::from_millis(10);
const LIGHT_DELAY: Duration = Duration::from_micros(7_800);

/// WebRTC's processing for one channel at the full 48 kHz.
pub(super) fn webrtc(config: Config) -> AudioProcessing {
    let maximum_internal_processing_rate = MaxProcessingRate::Rate48kHz;
    let pipeline = Pipeline { maximum_internal_processing_rate, ..Pipeline::default() };
    let mono = StreamConfig::new(SAMPLE_RATE, 1);
    AudioProcessing::builder().config(Config { pipeline, ..config }).capture_config(mono).render_config(mono).build()
}

/// Processes 10 ms; sound that it refuses stays as it is, which cannot happen at a rate it knows.
pub(super) fn in_place(processing: &mut AudioProcessing, frame: &mut Frame) {
    let input = *frame;
    if processing.process_capture_f32(&[&input], &mut [frame]).is_err() {
        *frame = input;
    }
}
