//! One direction of a call in emulated time: a packet every 20 ms, a reader every 10.

use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_codec::opus::{OpusDecoder, OpusEncoder, OpusSettings, SAMPLES_20_MS, is_dtx};
use visavis_media::RtpTicks;
use visavis_voice::playout::{PlayedKind, PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

/// Opus, and how much was concealed since somebody last looked.
pub struct Opus {
    inner: OpusDecoder,
    pub concealed: usize,
}

impl Opus {
    pub fn new() -> Self {
        Self { inner: OpusDecoder::new().expect("a decoder"), concealed: 0 }
    }
}

impl SpeechDecoder for Opus {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        self.inner.decode(packet, out).is_ok()
    }

    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        self.inner.decode_fec(next_packet, samples, out).is_ok()
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        self.concealed += samples;
        self.inner.conceal(samples, out).is_ok()
    }
}

/// What is heard in a tick of 10 ms.
pub struct Heard {
    pub samples: [f32; 480],
    pub kind: PlayedKind,
}

/// The receiving end.
pub struct Link {
    start: Instant,
    ticks: u64,
    seq: u16,
    pub buffer: PlayoutBuffer,
    pub decoder: Opus,
    pub heard: Vec<Heard>,
}

impl Link {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            ticks: 0,
            seq: 65_500,
            buffer: PlayoutBuffer::new(PlayoutSettings::default()),
            decoder: Opus::new(),
            heard: Vec::new(),
        }
    }

    /// 20 ms go by, in which a packet comes; the network numbers what is sent.
    pub fn step(&mut self, packet: Option<Bytes>) {
        let at = self.start + Duration::from_millis(self.ticks * 10);
        if let Some(packet) = packet {
            self.buffer.push(self.seq, RtpTicks((self.ticks * 480) as u32), at, packet);
            self.seq = self.seq.wrapping_add(1);
        }
        for _ in 0..2 {
            let now = self.start + Duration::from_millis(self.ticks * 10 + 3);
            let played = self.buffer.pull(now, &mut self.decoder);
            self.heard.push(Heard { samples: played.samples, kind: played.kind });
            self.ticks += 1;
        }
    }

    pub fn stats(&self) -> PlayoutStats {
        self.buffer.stats()
    }

    /// What was heard from one tick to another.
    pub fn sound(&self, from: usize, to: usize) -> Vec<f32> {
        self.heard[from..to].iter().flat_map(|heard| heard.samples).collect()
    }
}

/// The packets of a sound.
pub fn encoded(sound: &[f32], settings: OpusSettings) -> Vec<Bytes> {
    let mut encoder = OpusEncoder::new(settings).expect("an encoder");
    sound.chunks_exact(SAMPLES_20_MS).map(|piece| encoder.encode(piece).expect("encodes")).collect()
}

/// Leaves out what a sender leaves out that announces a pause twice.
pub fn without_pauses(packets: Vec<Bytes>) -> Vec<Option<Bytes>> {
    let mut paused = 0;
    let mut sent = |packet: Bytes| {
        paused = if is_dtx(&packet) { paused + 1 } else { 0 };
        (paused <= 2).then_some(packet)
    };
    packets.into_iter().map(&mut sent).collect()
}
