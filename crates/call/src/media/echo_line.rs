//! What an echo peer says: what it heard two seconds ago.
//!
//! Where loudspeaker and microphone of the one who checks their setup hear each other and nothing cancels the echo, the
//! same words would go round for ever. So sound that comes without a pause for longer than anybody speaks is taken for
//! that, and the echo peer keeps silent until it has died away.

use std::time::{Duration, Instant};
use visavis_media::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES};

/// So much later one hears oneself: long enough to have said a sentence.
const LATER: usize = 200;
/// Nobody speaks for 20 s without taking breath…
const TIRELESS: u32 = 2000;
/// …for 300 ms.
const BREATH: u32 = 30;
/// What went round is gone after 3 s.
const REST: u32 = 300;
/// Loud enough to count, −50 dBFS.
const LOUD: f32 = 0.003;
/// Moments that are further off than this begin anew: the thread was held up.
const OFF: Duration = Duration::from_millis(40);

/// 10 ms of sound.
type Frame = [f32; FRAME_SAMPLES];

/// Two seconds of sound, 384 kB.
#[derive(Debug)]
pub(crate) struct EchoLine {
    line: Vec<Frame>,
    at: usize,
    next: Option<Instant>,
    loud: u32,
    quiet: u32,
    rest: u32,
}

impl EchoLine {
    pub(crate) fn new() -> Self {
        Self { line: vec![[0.0; FRAME_SAMPLES]; LATER], at: 0, next: None, loud: 0, quiet: 0, rest: 0 }
    }

    /// Takes what is heard now, and gives what is said now.
    pub(super) fn pass(&mut self, heard: &Frame, now: Instant) -> AudioFrame {
        let said = std::mem::replace(&mut self.line[self.at], *heard);
        self.at = (self.at + 1) % LATER;
        let follows =
            |next: &Instant| now.saturating_duration_since(*next).max(next.saturating_duration_since(now)) < OFF;
        let at = self.next.filter(follows).unwrap_or(now);
        self.next = Some(at + FRAME_DURATION);
        self.listen(heard);
        if self.rest > 0 {
            self.rest -= 1;
            self.line.iter_mut().for_each(|frame| frame.fill(0.0));
            return AudioFrame { samples: [0.0; FRAME_SAMPLES], at };
        }
        AudioFrame { samples: said, at }
    }

    fn listen(&mut self, heard: &Frame) {
        let power = heard.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32;
        self.quiet = if power > LOUD * LOUD { 0 } else { self.quiet.saturating_add(1) };
        self.loud = if self.quiet >= BREATH { 0 } else { self.loud + 1 };
        if self.loud >= TIRELESS {
            tracing::debug!("the echo peer hears no end of it and keeps silent for a while");
            (self.loud, self.rest) = (0, REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TONE: Frame = [0.1; FRAME_SAMPLES];
    const SILENCE: Frame = [0.0; FRAME_SAMPLES];

    #[test]
    fn what_is_heard_is_said_two_seconds_later_and_no_more() {
        let (mut line, begun) = (EchoLine::new(), Instant::now());
        for n in 0..600u32 {
            let heard = if n < 100 { [n as f32 / 1000.0; FRAME_SAMPLES] } else { SILENCE };
            let said = line.pass(&heard, begun + n * FRAME_DURATION);
            let expected = if (200..300).contains(&n) { (n - 200) as f32 / 1000.0 } else { 0.0 };
            assert_eq!((said.samples[0], said.at), (expected, begun + n * FRAME_DURATION));
        }
    }

    #[test]
    fn moments_are_10_ms_apart_though_the_thread_wakes_early_and_late() {
        let (mut line, begun) = (EchoLine::new(), Instant::now() + Duration::from_secs(1));
        let late = [0, 3, 0, 17, 5];
        let at = |n: u32| begun + n * FRAME_DURATION;
        for n in 0..50u32 {
            let now = at(n) + Duration::from_millis(late[n as usize % 5]);
            assert_eq!(line.pass(&SILENCE, now).at, at(n));
        }
        assert_eq!(line.pass(&SILENCE, at(90)).at, at(90), "it was held up");
    }

    #[test]
    fn what_goes_round_for_ever_is_ended_and_what_pauses_is_not() {
        let (mut line, now) = (EchoLine::new(), Instant::now());
        // All that is said is heard again, as loud as it was.
        let mut heard = TONE;
        let mut round = 0;
        while round < 10_000 && heard != SILENCE {
            let said = line.pass(&heard, now);
            heard = if round < 200 { TONE } else { said.samples };
            round += 1;
        }
        assert!((2000..2400).contains(&round), "{round}");
        for _ in 0..1000 {
            assert_eq!(line.pass(&SILENCE, now).samples, SILENCE);
        }

        let mut said = 0;
        for n in 0..10_000 {
            let heard = if n % 300 < 260 { TONE } else { SILENCE };
            said += u32::from(line.pass(&heard, now).samples == TONE);
        }
        assert!(said > 8_400, "{said}");
    }
}
