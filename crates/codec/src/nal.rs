//! Annex B byte streams (ITU-T H.264 Annex B): where NAL units begin and end.

/// `nal_unit_type` (ITU-T H.264 table 7-1) of what matters here.
pub(crate) mod unit {
    pub const SLICE: u8 = 1;
    pub const IDR: u8 = 5;
    pub const SPS: u8 = 7;
    /// RFC 6184 table 1.
    pub const STAP_A: u8 = 24;
    pub const FU_A: u8 = 28;
}

/// Type bits of a NAL unit's first byte.
pub(crate) fn unit_type(header: u8) -> u8 {
    header & 0x1F
}

/// The NAL units of a stream, without start codes and trailing zeros; empty ones are left out.
pub(crate) fn units(stream: &[u8]) -> Units<'_> {
    Units { rest: find_start(stream).map(|(_, after)| &stream[after..]) }
}

pub(crate) struct Units<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest.take()?;
            let mut unit = rest;
            if let Some((at, after)) = find_start(rest) {
                unit = &rest[..at];
                self.rest = Some(&rest[after..]);
            }
            let end = unit.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
            if end > 0 {
                return Some(&unit[..end]);
            }
        }
    }
}

/// Position of the next `00 00 01` and of what follows it.
fn find_start(data: &[u8]) -> Option<(usize, usize)> {
    let mut i = 2;
    while let Some(&byte) = data.get(i) {
        match byte {
            1 if data[i - 1] == 0 && data[i - 2] == 0 => return Some((i - 2, i + 1)),
            0 => i += 1,
            // A start code can begin at the earliest behind this byte.
            _ => i += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_start_codes_and_trailing_zeros_are_understood() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 0];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[0x67u8, 1, 2][..], &[0x68, 3], &[0x65, 0, 0, 3]]);
    }

    #[test]
    fn what_has_no_start_code_has_no_units() {
        for stream in [&[][..], &[1], &[0, 0], &[9, 9, 9, 9], &[0, 0, 1], &[0, 0, 1, 0, 0, 1, 0]] {
            assert_eq!(units(stream).count(), 0, "{stream:?}");
        }
    }

    #[test]
    fn a_start_code_is_found_at_every_offset() {
        for offset in 0..8 {
            let mut stream = vec![7; offset];
            stream.extend([0, 0, 1, 0x41]);
            assert_eq!(units(&stream).collect::<Vec<_>>(), [&[0x41u8][..]], "offset {offset}");
        }
    }
}
