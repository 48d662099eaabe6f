//! Opus as the playout buffer wants it.

use visavis_codec::opus::OpusDecoder;
use visavis_voice::playout::SpeechDecoder;

/// Joins `codec` and `voice`, which do not know each other.
pub(crate) struct OpusSpeech(pub OpusDecoder);

impl SpeechDecoder for OpusSpeech {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        self.0.decode(packet, out).is_ok()
    }

    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        self.0.decode_fec(next_packet, samples, out).is_ok()
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        self.0.conceal(samples, out).is_ok()
    }
}
