//! Opus (RFC 6716) by libopus 1.6: 48 kHz mono, 10 or 20 ms a packet, with in-band redundancy and deep concealment.

use bytes::Bytes;
use opusic_c::{Application, Bitrate, Channels, Decoder, Encoder, ErrorCode, InbandFec, SampleRate, Signal};
use visavis_media::BitsPerSecond;

/// Samples that the encoder takes at a time: the shorter packet is said 10 ms earlier and costs a packet's headers more.
pub const SAMPLES_10_MS: usize = 480;
/// See [`SAMPLES_10_MS`].
pub const SAMPLES_20_MS: usize = 960;
/// Samples of the longest legal packet, 120 ms.
pub const MAX_PACKET_SAMPLES: usize = 5760;
/// Lengths of sound that exist in Opus are multiples of 2.5 ms.
const STEP: usize = 120;
/// Longest frame that libopus writes (RFC 6716 §3.4).
const MAX_PACKET_BYTES: usize = 1275;
/// From here on libopus conceals with its neural vocoder.
const DEEP_CONCEALMENT: u8 = 5;

/// Why sound was not encoded or decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpusError {
    /// The packet is none: conceal in its place.
    #[error("not an Opus packet")]
    InvalidPacket,
    /// A length that Opus does not have: a multiple of 2.5 ms up to 120 ms is.
    #[error("{0} samples are no length that Opus has")]
    InvalidLength(usize),
    /// libopus failed: make a new encoder or decoder.
    #[error("libopus failed: {0}")]
    Failed(&'static str),
}

impl From<ErrorCode> for OpusError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::InvalidPacket | ErrorCode::BufferTooSmall => Self::InvalidPacket,
            other => Self::Failed(other.message()),
        }
    }
}

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusSettings {
    /// Average rate, 6 to 128 kb/s; what lies outside is clamped.
    pub bitrate: BitsPerSecond,
    /// 0 (least work) to 10. 9 costs about 0.3 ms a packet, 5 half of it.
    pub complexity: u8,
    /// Each packet also carries the last one, coarsely (needs `expected_loss_pct` above 0 to have an effect).
    pub fec: bool,
    /// In silence only a small packet every 400 ms; the packets between are 1–2 bytes and need not be sent.
    pub dtx: bool,
    /// Share of packets that get lost, 0…100: decides how much redundancy is worth.
    pub expected_loss_pct: u8,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { bitrate: BitsPerSecond::kilo(32), complexity: 9, fec: true, dtx: false, expected_loss_pct: 5 }
    }
}

/// Encodes speech, variable rate.
pub struct OpusEncoder {
    inner: Encoder,
}

impl OpusEncoder {
    /// Makes an encoder.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn new(settings: OpusSettings) -> Result<Self, OpusError> {
        let inner = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)?;
        let mut encoder = Self { inner };
        encoder.inner.set_signal(Signal::Voice)?;
        encoder.inner.set_vbr(true)?;
        encoder.set_bitrate(settings.bitrate)?;
        encoder.set_complexity(settings.complexity)?;
        encoder.set_fec(settings.fec)?;
        encoder.set_dtx(settings.dtx)?;
        encoder.set_expected_loss(settings.expected_loss_pct)?;
        Ok(encoder)
    }

    /// Encodes 10 or 20 ms, which may change from packet to packet. Samples outside −1…1 are clipped, those that are no
    /// numbers become silence.
    ///
    /// With DTX a packet of at most 2 bytes need not be sent ([`is_dtx`]).
    ///
    /// # Errors
    /// [`OpusError::InvalidLength`], [`OpusError::Failed`].
    pub fn encode(&mut self, samples: &[f32]) -> Result<Bytes, OpusError> {
        if ![SAMPLES_10_MS, SAMPLES_20_MS].contains(&samples.len()) {
            return Err(OpusError::InvalidLength(samples.len()));
        }
        let mut clean = [0.0; SAMPLES_20_MS];
        for (to, from) in clean.iter_mut().zip(samples) {
            *to = legal(*from);
        }
        let mut packet = [0; MAX_PACKET_BYTES];
        let length = self.inner.encode_float_to_slice(&clean[..samples.len()], &mut packet)?;
        Ok(Bytes::copy_from_slice(&packet[..length]))
    }

    /// Changes the average rate.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn set_bitrate(&mut self, bitrate: BitsPerSecond) -> Result<(), OpusError> {
        Ok(self.inner.set_bitrate(Bitrate::Value(bitrate.0.clamp(6_000, 128_000)))?)
    }

    /// Changes how much loss the redundancy is meant for.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn set_expected_loss(&mut self, pct: u8) -> Result<(), OpusError> {
        Ok(self.inner.set_packet_loss(pct.min(100))?)
    }

    /// Changes how much work is done, 0…10.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), OpusError> {
        Ok(self.inner.set_complexity(complexity.min(10))?)
    }

    /// Switches redundancy.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn set_fec(&mut self, on: bool) -> Result<(), OpusError> {
        Ok(self.inner.set_inband_fec(if on { InbandFec::Mode1 } else { InbandFec::Off })?)
    }

    /// Switches discontinuous transmission.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn set_dtx(&mut self, on: bool) -> Result<(), OpusError> {
        Ok(self.inner.set_dtx(on)?)
    }
}

/// Decodes to 48 kHz mono; stereo is mixed down. What comes out is always within −1…1.
///
/// Concealment takes about 0.6 ms for 20 ms (1.6 ms at worst): not for an audio callback.
pub struct OpusDecoder {
    inner: Decoder,
}

impl OpusDecoder {
    /// Makes a decoder.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn new() -> Result<Self, OpusError> {
        Self::with_complexity(DEEP_CONCEALMENT)
    }

    /// As [`new`](Self::new), with another decoder complexity: below 5 concealment is the plain one.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn with_complexity(complexity: u8) -> Result<Self, OpusError> {
        let mut inner = Decoder::new(Channels::Mono, SampleRate::Hz48000)?;
        inner.set_complexity(complexity.min(10))?;
        Ok(Self { inner })
    }

    /// Decodes a packet and appends its samples (120 to 5760) to `out`; says how many.
    ///
    /// # Errors
    /// [`OpusError::InvalidPacket`] leaves `out` as it was; [`OpusError::Failed`].
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<usize, OpusError> {
        let samples = packet_duration(packet).ok_or(OpusError::InvalidPacket)?;
        self.run(packet, samples, false, out)
    }

    /// Appends the `samples` that went missing before `next_packet`, from the redundancy in it; where it carries none
    /// ([`has_fec`]), by concealment.
    ///
    /// # Errors
    /// [`OpusError::InvalidPacket`], [`OpusError::InvalidLength`], [`OpusError::Failed`].
    pub fn decode_fec(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> Result<usize, OpusError> {
        packet_duration(next_packet).ok_or(OpusError::InvalidPacket)?;
        self.run(next_packet, legal_length(samples)?, true, out)
    }

    /// Appends `samples` of what probably was said.
    ///
    /// # Errors
    /// [`OpusError::InvalidLength`], [`OpusError::Failed`].
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, OpusError> {
        self.run(&[], legal_length(samples)?, false, out)
    }

    /// Forgets what was decoded: for another stream.
    ///
    /// # Errors
    /// [`OpusError::Failed`].
    pub fn reset(&mut self) -> Result<(), OpusError> {
        Ok(self.inner.reset()?)
    }

    fn run(&mut self, packet: &[u8], samples: usize, fec: bool, out: &mut Vec<f32>) -> Result<usize, OpusError> {
        let before = out.len();
        out.resize(before + samples, 0.0);
        let decoded = self.inner.decode_float_to_slice(packet, &mut out[before..], fec);
        let written = decoded.map(|n| n.min(samples)).inspect_err(|_| out.truncate(before))?;
        out.truncate(before + written);
        let fresh = &mut out[before..];
        if fresh.iter().any(|s| !s.is_finite()) {
            // Never seen, but it would stay in the decoder's memory and be heard for good.
            self.inner.reset()?;
        }
        for sample in fresh {
            *sample = legal(*sample);
        }
        Ok(written)
    }
}

/// Samples at 48 kHz that a packet decodes to (120 to 5760); `None` where it is no packet.
pub fn packet_duration(packet: &[u8]) -> Option<usize> {
    if packet.is_empty() {
        return None;
    }
    let samples = opusic_c::utils::get_nb_samples(packet, SampleRate::Hz48000).ok()?;
    (STEP..=MAX_PACKET_SAMPLES).contains(&samples).then_some(samples)
}

/// Whether a packet carries redundancy for the one before it.
pub fn has_fec(packet: &[u8]) -> bool {
    let (true, Ok(length)) = (packet_duration(packet).is_some(), i32::try_from(packet.len())) else { return false };
    // SAFETY: reads at most `length` bytes of a packet whose table of contents was checked just before.
    unsafe { opusic_sys::opus_packet_has_lbrr(packet.as_ptr().cast(), length) == 1 }
}

/// Whether a packet stands for "silence goes on" and need not be sent (RFC 7587 §3.1.3).
pub fn is_dtx(packet: &[u8]) -> bool {
    packet.len() <= 2
}

/// The same packet, written in the form (RFC 6716 §3.2.5, a single frame) by which [`announces_longer`] knows it; a byte more.
/// Every decoder makes the same sound of it. Packets of several frames and of pauses stay as they are.
pub fn announce_longer(packet: Bytes) -> Bytes {
    match packet.split_first() {
        Some((toc, frame)) if toc & 3 == 0 && !is_dtx(&packet) => [&[toc | 3, 1], frame].concat().into(),
        _ => packet,
    }
}

/// Whether the sender's packets will soon hold 20 ms. Nobody else writes packets of 10 ms so, but to pad them.
pub fn announces_longer(packet: &[u8]) -> bool {
    let form = packet.len() > 2 && packet[0] & 3 == 3 && packet[1] == 1;
    form && packet_duration(packet) == Some(SAMPLES_10_MS)
}

fn legal(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

fn legal_length(samples: usize) -> Result<usize, OpusError> {
    let fits = samples > 0 && samples <= MAX_PACKET_SAMPLES && samples.is_multiple_of(STEP);
    if fits { Ok(samples) } else { Err(OpusError::InvalidLength(samples)) }
}
