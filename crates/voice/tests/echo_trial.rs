//! A trial of the echo with the whole chain behind the microphone.

use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_SAMPLES};
use visavis_voice::echo_trial::{EchoOutcome, EchoTrial};
use visavis_voice::processing::{NoiseSuppression, VoiceProcessor, VoiceSettings};

/// From loudspeaker to microphone, in samples: 60 ms.
const WAY: usize = 2_880;

/// What is read of the microphone now was heard so much earlier.
const READ: Duration = Duration::from_millis(20);

/// A room with a little noise: the loudspeaker comes back after 60 ms and with a few reflections, `gain` times as loud.
fn trial(settings: VoiceSettings, gain: f32) -> EchoOutcome {
    let (mut trial, mut voice) = (EchoTrial::default(), VoiceProcessor::new(settings));
    let mut played = vec![0.0f32; WAY + 2_000];
    let (mut seed, mut at) = (1u32, Instant::now());
    while !trial.is_over() {
        let frame = trial.play().unwrap_or([0.0; FRAME_SAMPLES]);
        voice.render(&AudioFrame { samples: frame, at });
        played.extend(frame);
        let now = played.len() - FRAME_SAMPLES;
        let heard: [f32; FRAME_SAMPLES] = std::array::from_fn(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = 0.002 * (seed as f32 / u32::MAX as f32 - 0.5);
            let echo = |later: usize| played[now + i - WAY - later];
            hiss + gain * (echo(0) + 0.4 * echo(613) - 0.25 * echo(1_327))
        });
        voice.capture(&AudioFrame { samples: heard, at: at - READ });
        trial.hear(&heard, voice.behind_canceller());
        at += Duration::from_millis(10);
    }
    trial.outcome().expect("over")
}

#[test]
fn with_the_chain_as_it_is_by_default_the_echo_is_found_and_removed() {
    for gain in [0.05, 0.3] {
        let outcome = trial(VoiceSettings::default(), gain);
        let EchoOutcome::Echo(echo) = outcome else { panic!("{gain}: {outcome:?}") };
        assert!(echo.is_removed(), "{gain}: {echo:?}");
        assert!((echo.delay.as_secs_f32() - 0.06).abs() < 0.002, "{gain}: {echo:?}");
    }
}

#[test]
fn no_other_part_of_the_chain_is_taken_for_the_canceller() {
    let without = VoiceSettings { echo_cancellation: false, ..VoiceSettings::default() };
    let light = VoiceSettings { noise_suppression: NoiseSuppression::Light, ..without };
    for settings in [without, light, VoiceSettings::OFF] {
        let outcome = trial(settings, 0.2);
        let EchoOutcome::Echo(echo) = outcome else { panic!("{settings:?}: {outcome:?}") };
        assert!(!echo.is_removed() && echo.left_db > -3.0, "{settings:?}: {echo:?}");
    }
}

#[test]
fn where_the_microphone_hears_nothing_of_it_the_chain_invents_no_echo() {
    assert_eq!(trial(VoiceSettings::default(), 0.0), EchoOutcome::Headphones);
}
