//! Echo cancellation: AEC3, in its pure-Rust port `sonora-aec3`, at the full 48 kHz.
//!
//! The crate's blocks are used directly, since `sonora`'s own front gives no access to the suppressor's parameters,
//! whose defaults are made for phones and cut into the near voice while both speak. Here the reference has no drift
//! (`reference`), which is what makes other values possible.

use super::Frame;
use super::slot::{Context, Part, StandIn};
use sonora::three_band_filter_bank::ThreeBandFilterBank;
use sonora_aec3::block::Block;
use sonora_aec3::block_framer::BlockFramer;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::config::EchoCanceller3Config;
use sonora_aec3::frame_blocker::FrameBlocker;
use std::time::Duration;
use visavis_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// Three bands of 16 kHz, in sub-frames of 5 ms.
const BANDS: usize = 3;
const BAND_FRAME: usize = FRAME_SAMPLES / BANDS;
const SUB_FRAME: usize = BAND_FRAME / 2;
/// The crate counts samples in units of 16-bit integers.
const SCALE: f32 = 32768.0;
/// From here on a sample counts as clipped: the echo is then no longer a linear function of what was played.
const SATURATED: f32 = 32700.0;

/// What the canceller knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EchoMetrics {
    pub return_loss_db: f32,
    pub enhancement_db: f32,
    pub delay: Duration,
}

pub(super) struct EchoCanceller {
    processor: BlockProcessor,
    far: Splitter,
    near: Splitter,
    framer: BlockFramer,
    joiner: ThreeBandFilterBank,
    far_block: Block,
    near_block: Block,
    out: Vec<Vec<Vec<f32>>>,
}

impl EchoCanceller {
    /// Its own estimates; 0 where it has none.
    pub fn metrics(&self) -> EchoMetrics {
        let metrics = self.processor.get_metrics();
        let finite = |db: f64| if db.is_finite() { db as f32 } else { 0.0 };
        EchoMetrics {
            return_loss_db: finite(metrics.echo_return_loss),
            enhancement_db: finite(metrics.echo_return_loss_enhancement),
            delay: Duration::from_millis(u64::try_from(metrics.delay_ms).unwrap_or(0)),
        }
    }
}

impl Part for EchoCanceller {
    type Kind = ();
    /// The echo itself would be worse than nothing.
    const STAND_IN: StandIn = StandIn::Silence;

    fn build((): ()) -> Self {
        Self {
            processor: BlockProcessor::new(&config(), SAMPLE_RATE as usize, 1, 1),
            far: Splitter::new(),
            near: Splitter::new(),
            framer: BlockFramer::new(BANDS, 1),
            joiner: ThreeBandFilterBank::new(),
            far_block: Block::new(BANDS, 1),
            near_block: Block::new(BANDS, 1),
            out: vec![vec![vec![0.0; SUB_FRAME]]; BANDS],
        }
    }

    fn kind(&self) {}

    fn delay((): ()) -> Duration {
        DELAY
    }

    fn process(&mut self, frame: &mut Frame, context: &Context<'_>) {
        let saturated = frame.iter().any(|s| s.abs() * SCALE >= SATURATED);
        let (processor, far_block, near_block) = (&mut self.processor, &mut self.far_block, &mut self.near_block);
        self.far.split(context.reference);
        for half in 0..2 {
            self.far.block(half, far_block);
            processor.buffer_render(far_block);
        }
        if self.far.rest(far_block) {
            processor.buffer_render(far_block);
        }
        self.near.split(frame);
        let mut bands = [[0.0; BAND_FRAME]; BANDS];
        for half in 0..2 {
            self.near.block(half, near_block);
            processor.process_capture(false, saturated, None, near_block);
            self.framer.insert_block_and_extract_sub_frame(near_block, &mut self.out);
            for (band, out) in bands.iter_mut().zip(&self.out) {
                band[half * SUB_FRAME..][..SUB_FRAME].copy_from_slice(&out[0]);
            }
        }
        if self.near.rest(near_block) {
            processor.process_capture(false, saturated, None, near_block);
            self.framer.insert_block(near_block);
        }
        self.joiner.synthesis(&bands, frame);
        frame.iter_mut().for_each(|s| *s /= SCALE);
    }
}

/// 10 ms at 48 kHz to blocks of 4 ms in three bands.
struct Splitter {
    bank: ThreeBandFilterBank,
    blocker: FrameBlocker,
    bands: [[f32; BAND_FRAME]; BANDS],
}

impl Splitter {
    fn new() -> Self {
        Self {
            bank: ThreeBandFilterBank::new(),
            blocker: FrameBlocker::new(BANDS, 1),
            bands: [[0.0; BAND_FRAME]; BANDS],
        }
    }

    fn split(&mut self, frame: &Frame) {
        self.bank.analysis(&frame.map(|s| s * SCALE), &mut self.bands);
    }

    /// The block that the first or second half of the frame completes.
    fn block(&mut self, half: usize, block: &mut Block) {
        let halves = self.bands.each_ref().map(|band| vec![&band[half * SUB_FRAME..][..SUB_FRAME]]);
        self.blocker.insert_sub_frame_and_extract_block(&halves, block);
    }

    /// Every other frame completes one more.
    fn rest(&mut self, block: &mut Block) -> bool {
        let there = self.blocker.is_block_available();
        if there {
            self.blocker.extract_block(block);
        }
        there
    }
}

/// How late sound comes out: the filter banks, a block, and its overlap.
const DELAY: Duration = Duration::from_micros(8_960);

/// The adaptive filter covers so many blocks of 4 ms: 100 ms, where the crate has 52. Rooms reverberate for longer than
/// that, and what the filter does not cover has to be suppressed together with the near voice.
const FILTER_BLOCKS: usize = 25;
/// How much of the echo the filter is believed to take away at most (a ratio of powers, below 4 kHz and above). The
/// crate has 4 and 1.5, made for phones that drift; with those an echo that is 20 dB down already is suppressed as if
/// it were not, at the cost of whoever speaks at the same time.
const BELIEVED_LOW: f32 = 20.0;
const BELIEVED_HIGH: f32 = 5.0;

/// Parameters that differ from the crate's. With them the near voice loses half as much where the echo is 3 dB weaker
/// than it (1.3 dB rather than 2.5 in an office), and 10 dB less echo is left of a hall.
fn config() -> EchoCanceller3Config {
    let mut config = EchoCanceller3Config::default();
    config.filter.refined.length_blocks = FILTER_BLOCKS;
    config.filter.coarse.length_blocks = FILTER_BLOCKS;
    (config.erle.max_l, config.erle.max_h) = (BELIEVED_LOW, BELIEVED_HIGH);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_within_the_crates_bounds() {
        assert!(config().validate());
    }
}
