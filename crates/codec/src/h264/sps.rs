//! The few fields of a sequence parameter set that say how much memory a stream wants (ITU-T H.264 §7.3.2.1.1).

use visavis_media::Size;

/// MaxDpbMbs of level 5.2, the highest that openh264 knows (ITU-T H.264 table A-1): about 70 MB of pictures.
const MAX_DPB_MACROBLOCKS: u64 = 184_320;
/// No real parameter set is longer; scaling lists of the High profiles make a few hundred bytes.
const MAX_BYTES: usize = 1024;

/// Whether the pictures that this SPS announces fit [`Size::MAX_SIDE`] and the memory of the highest level.
///
/// One that cannot be read is not acceptable either.
pub(super) fn acceptable(nal: &[u8]) -> bool {
    parse(nal).is_some_and(|sps| {
        let side = u64::from(Size::MAX_SIDE.div_ceil(16));
        let frame = sps.width_mbs * sps.height_mbs;
        sps.width_mbs <= side && sps.height_mbs <= side && frame * sps.reference_frames.max(1) <= MAX_DPB_MACROBLOCKS
    })
}

struct Sps {
    width_mbs: u64,
    height_mbs: u64,
    reference_frames: u64,
}

fn parse(nal: &[u8]) -> Option<Sps> {
    let rbsp = unescape(nal.get(1..)?.get(..MAX_BYTES.min(nal.len() - 1))?);
    let mut bits = Bits { data: &rbsp, at: 0 };
    let profile = bits.read(8)?;
    bits.read(16)?; // constraint flags, level
    bits.exp_golomb()?; // id
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
        let chroma_format = bits.exp_golomb()?;
        if chroma_format == 3 {
            bits.read(1)?;
        }
        bits.exp_golomb()?; // bit depths
        bits.exp_golomb()?;
        bits.read(1)?;
        if bits.read(1)? == 1 {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.read(1)? == 1 {
                    bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.exp_golomb()?; // log2_max_frame_num
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?;
        }
        1 => {
            bits.read(1)?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            for _ in 0..bits.exp_golomb()?.min(255) {
                bits.exp_golomb()?;
            }
        }
        _ => {}
    }
    let reference_frames = bits.exp_golomb()?;
    bits.read(1)?; // gaps allowed
    let width_mbs = bits.exp_golomb()? + 1;
    let map_units = bits.exp_golomb()? + 1;
    let frames_only = bits.read(1)?;
    Some(Sps { width_mbs, height_mbs: map_units * (2 - frames_only), reference_frames })
}

/// Takes the emulation prevention bytes out (§7.4.1).
fn unescape(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut zeros = 0;
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u64> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8)?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// ue(v), §9.1. At most 32 bits long, so sums and products of two fit 64.
    fn exp_golomb(&mut self) -> Option<u64> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }

    fn skip_scaling_list(&mut self, entries: u32) -> Option<()> {
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..entries {
            if next != 0 {
                let code = self.exp_golomb()? as i64;
                let delta = if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes bits, most significant first.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(mut self, value: u64, count: u32) -> Self {
            self.0.extend((0..count).rev().map(|i| value >> i & 1 == 1));
            self
        }

        fn ue(self, value: u64) -> Self {
            let length = 64 - (value + 1).leading_zeros();
            self.bits(0, length - 1).bits(value + 1, length)
        }

        fn sps(self) -> Vec<u8> {
            let mut nal = vec![0x67];
            for byte in self.0.chunks(8) {
                nal.push(byte.iter().enumerate().fold(0, |b, (i, &bit)| b | u8::from(bit) << (7 - i)));
            }
            nal
        }
    }

    fn baseline(width_mbs: u64, height_mbs: u64, references: u64) -> Vec<u8> {
        let head = Writer::default().bits(66, 8).bits(0xC01F, 16).ue(0).ue(11).ue(2).ue(references).bits(0, 1);
        head.ue(width_mbs - 1).ue(height_mbs - 1).bits(1, 1).bits(0xFF, 8).sps()
    }

    #[test]
    fn usual_pictures_are_acceptable_and_giant_ones_are_not() {
        for (w, h, references, fine) in [
            (80, 45, 1, true),
            (120, 68, 4, true),
            (256, 144, 4, true),
            (256, 144, 16, false),
            (257, 16, 1, false),
            (16, 257, 1, false),
            (1 << 31, 1 << 31, 1, false),
        ] {
            assert_eq!(acceptable(&baseline(w, h, references)), fine, "{w}x{h} with {references}");
        }
    }

    #[test]
    fn fields_of_the_high_profiles_are_skipped() {
        let head = Writer::default().bits(100, 8).bits(31, 16).ue(0).ue(1).ue(0).ue(0).bits(0, 1).bits(0, 1);
        let nal = head.ue(0).ue(0).ue(2).ue(4).bits(0, 1).ue(79).ue(44).bits(1, 1).bits(1, 8).sps();
        let sps = parse(&nal).expect("complete");
        assert_eq!((sps.width_mbs, sps.height_mbs, sps.reference_frames), (80, 45, 4));
    }

    #[test]
    fn what_ends_too_early_is_not_acceptable() {
        let whole = baseline(80, 45, 1);
        for length in 0..whole.len() - 2 {
            assert!(!acceptable(&whole[..length]), "{length} bytes");
        }
        assert!(!acceptable(&[0x67, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    }
}
