//! PESQ (ITU-T P.862.2, wide band), by the Python package `pesq` where it is installed.

use super::measure::delay;
use super::speech::resampled;
use std::io::Write;
use std::process::{Command, Stdio};
use visavis_media::SAMPLE_RATE;

/// Reads pairs of sounds of 16-bit samples at 16 kHz, each with its length before it.
const SCRIPT: &str = "
import struct, sys
import numpy
from pesq import pesq
def sound():
    head = sys.stdin.buffer.read(4)
    return numpy.frombuffer(sys.stdin.buffer.read(2 * struct.unpack('<I', head)[0]), dtype='<i2') if head else None
scores = []
while (said := sound()) is not None:
    scores.append(pesq(16000, said, sound(), 'wb'))
print(sum(scores) / len(scores))
";

/// Of sentences far apart the mean of pieces of 8 s is taken, as P.862 is made for such.
const PIECE: usize = 8 * SAMPLE_RATE as usize;
/// What is heard is at most so late: 0.3 s.
const MOST_LATE: usize = 14_400;

/// From 1 to 4.64; `None` where Python or the package is missing. `VISAVIS_PYTHON` names another Python.
pub fn pesq(said: &[f32], heard: &[f32]) -> Option<f64> {
    let python = std::env::var("VISAVIS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    for (n, piece) in said.chunks_exact(PIECE).enumerate() {
        let Some(heard) = heard.get(n * PIECE..) else { break };
        let heard = &heard[..heard.len().min(PIECE + MOST_LATE)];
        // PESQ finds delays by itself, but cut at another moment a piece would lack the beginning of a word.
        let heard = &heard[delay(piece, heard, MOST_LATE)..];
        if heard.len() < PIECE {
            break;
        }
        for sound in [piece, &heard[..PIECE]] {
            let sound = resampled(sound, 3.0);
            let mut bytes = (sound.len() as u32).to_le_bytes().to_vec();
            bytes.extend(sound.iter().flat_map(|s| ((s * 32767.0) as i16).to_le_bytes()));
            // A script that stopped early says so by its status.
            let _ = input.write_all(&bytes);
        }
    }
    drop(input);
    let output = child.wait_with_output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok().filter(|_| output.status.success())
}
