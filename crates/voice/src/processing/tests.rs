//! What panics inside the chain cost.

use super::{VoiceProcessor, VoiceSettings};
use std::time::{Duration, Instant};
use visavis_media::AudioFrame;

/// Makes a part panic at its next frame.
type Sabotage = fn(&mut VoiceProcessor);

/// A tone with a wobble, which noise suppression lets through for a while.
fn tone(start: Instant, n: u64) -> AudioFrame {
    let samples = std::array::from_fn(|i| {
        let t = (n * 480 + i as u64) as f32 / 48_000.0;
        0.2 * (t * 220.0 * std::f32::consts::TAU).sin() * (0.6 + 0.4 * (t * 3.0 * std::f32::consts::TAU).sin())
    });
    AudioFrame { samples, at: start + Duration::from_millis(10 * n) }
}

#[test]
fn a_panic_in_any_part_costs_less_than_100_ms_of_sound_and_makes_no_noise() {
    let sabotage: [(&str, Sabotage); 4] = [
        ("high-pass", |voice| voice.high_pass.panic_at = Some(0)),
        ("echo", |voice| voice.echo.panic_at = Some(0)),
        ("noise", |voice| voice.noise.panic_at = Some(0)),
        ("gain", |voice| voice.gain.panic_at = Some(0)),
    ];
    // The tone would be noise to noise suppression; which part fails makes no difference to the others.
    for (name, sabotage) in sabotage {
        let (settings, start) = (VoiceSettings::default(), Instant::now());
        let (mut voice, mut healthy) = (VoiceProcessor::new(settings), VoiceProcessor::new(settings));
        let (mut lost, mut largest_step) = (0, 0.0f32);
        let mut last = 0.0;
        for n in 0..150 {
            if n == 60 {
                sabotage(&mut voice);
            }
            let (out, usual) = (voice.capture(&tone(start, n)), healthy.capture(&tone(start, n)));
            if n >= 60 {
                // Lost is what has not half of its usual level.
                lost += u32::from(out.rms() < 0.5 * usual.rms());
                for sample in out.samples {
                    largest_step = largest_step.max((sample - last).abs());
                    last = sample;
                }
            } else {
                last = out.samples[479];
            }
        }
        println!("{name}: {} failures, {lost} frames lost, largest step {largest_step}", voice.report().failures);
        assert_eq!(voice.report().failures, 1, "{name}");
        assert!(lost <= 10, "{name}: {} ms lost", lost * 10);
        assert!(largest_step < 0.06, "{name}: {largest_step}");
    }
}
