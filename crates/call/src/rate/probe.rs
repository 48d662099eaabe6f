//! Trying a path for more than is being sent: a short burst at a higher rate, judged by the receiver's clock
//! (libwebrtc's `ProbeController` and `ProbeBitrateEstimator`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use visavis_media::BitsPerSecond;

/// A probe takes this long at its rate: long enough for the receiver's clock, and too short for a queue that could be
/// seen or heard where the path carries only what is being sent.
const LENGTH: Duration = Duration::from_millis(18);
/// Packets of a probe, and their payloads in bytes.
const PACKETS: (usize, usize) = (5, 24);
const PAYLOAD: (usize, usize) = (80, 1160);
/// What a packet of it has beside its payload: headers, extension, tag, UDP and IP.
const HEADERS: usize = 58;
/// A probe asks for this multiple of the target.
const STEP: f64 = 2.0;
/// The feedback to a probe is waited for this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Share of the packets that must have arrived.
const RECEIVED: f64 = 0.8;
/// A burst that arrived more quickly than this multiple of how it left was held up on the way: it says nothing.
const SQUEEZED: f64 = 2.0;
/// Of what a probe that met a limit arrived with, this share is used.
const USED: f64 = 0.92;
/// What is not this much above the target is what was sent already.
const RAISES: f64 = 1.02;
/// A probe that came through with this share of its rate met no limit.
const UNLIMITED: f64 = 0.9;
/// Where jitter is more than this, two probes have to agree.
const CERTAIN_JITTER: Duration = Duration::from_millis(3);
/// A limit that was met is tried again after this long, then more and more seldom.
const RETRY: Duration = Duration::from_millis(1500);
const LONGEST_RETRY: Duration = Duration::from_secs(6);

/// A wish for a burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Probe {
    /// Counts up; names the probe.
    pub id: u32,
    /// On the wire.
    pub rate: BitsPerSecond,
}

impl Probe {
    /// How many packets it takes, and with how many bytes of payload.
    pub(crate) fn packets(&self) -> (usize, usize) {
        let bytes = (f64::from(self.rate.0) / 8.0 * LENGTH.as_secs_f64()) as usize;
        let count = (bytes / (PAYLOAD.1 + HEADERS)).clamp(PACKETS.0, PACKETS.1);
        (count, (bytes / count).saturating_sub(HEADERS).clamp(PAYLOAD.0, PAYLOAD.1))
    }
}

/// Which packets a probe is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sent {
    pub probe: Probe,
    pub ssrc: u32,
    pub first: u16,
    pub count: u16,
}

impl Sent {
    fn holds(&self, ssrc: u32, sequence: u16) -> bool {
        ssrc == self.ssrc && sequence.wrapping_sub(self.first) < self.count
    }

    /// Whether this packet left behind all of them.
    fn is_before(&self, ssrc: u32, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.first);
        ssrc == self.ssrc && ahead >= self.count && ahead < u16::MAX / 2
    }
}

/// What came of a probe, in bits per second on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Judged {
    /// The path has proved to carry this; less than the target where that is already the limit.
    Carries(f64),
    /// The first probe of a call: the path carries this, and less than was begun with.
    Narrow(f64),
    /// Too little of it came, or it has to be confirmed.
    Nothing,
}

/// At which rate a probe's packets came.
struct Measured {
    rate: f64,
    /// …without the longest pause between two of them: a queue spaces all of them, jitter holds up some.
    evenly: f64,
}

/// Decides when to probe, and judges what comes of it.
#[derive(Debug)]
pub(super) struct Prober {
    next_id: u32,
    /// The probe whose feedback is waited for, and since when.
    waiting: Option<(Probe, Option<Instant>)>,
    /// Of the probe's packets: when they left, when they came, bytes.
    seen: VecDeque<(Instant, Option<Duration>, usize)>,
    /// Something that left later has been told of: of packets that were not, nothing will be.
    past: bool,
    /// What an earlier probe of this rate said where jitter is high.
    first_of_two: Option<f64>,
    next: Option<Instant>,
    retry: Duration,
}

impl Prober {
    pub(super) fn new() -> Self {
        let seen = VecDeque::new();
        Self { next_id: 0, waiting: None, seen, past: false, first_of_two: None, next: None, retry: RETRY }
    }

    /// The probe that follows the first picture of a call, before anything has been heard.
    pub(super) fn begin(&mut self, target: f64, limit: f64) -> Option<Probe> {
        (target < limit).then(|| self.make(target, limit, None))
    }

    /// Whether a single probe can be believed, where the path has this much jitter.
    pub(super) fn is_sure(jitter: Duration) -> bool {
        jitter <= CERTAIN_JITTER
    }

    /// Whether a probe's feedback is waited for.
    pub(super) fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    fn make(&mut self, target: f64, limit: f64, now: Option<Instant>) -> Probe {
        let rate = (target * STEP).min(limit / USED * 1.02);
        let probe = Probe { id: self.next_id, rate: BitsPerSecond(rate as u32) };
        self.next_id = self.next_id.wrapping_add(1);
        (self.waiting, self.past) = (Some((probe, now)), false);
        self.seen.clear();
        probe
    }

    /// A limit was met: what a probe says now is about the queue at it.
    pub(super) fn limited(&mut self, now: Instant) {
        (self.waiting, self.first_of_two, self.retry) = (None, None, RETRY);
        self.seen.clear();
        self.next = Some(now + self.retry);
    }

    /// A probe, if it is time for one and `calm`. `limit` is the most that is wanted.
    pub(super) fn poll(&mut self, now: Instant, target: f64, limit: f64, calm: bool) -> Option<Probe> {
        let since = self.waiting.as_mut().map(|(_, since)| *since.get_or_insert(now));
        if since.is_some_and(|at| now.saturating_duration_since(at) > PATIENCE) {
            self.waiting = None;
            self.failed(now);
        }
        let due = self.next.is_none_or(|at| at <= now);
        if self.waiting.is_some() || !calm || !due || target >= limit {
            return None;
        }
        Some(self.make(target, limit, Some(now)))
    }

    fn failed(&mut self, now: Instant) {
        self.first_of_two = None;
        self.next = Some(now + self.retry);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }

    /// The fate of a packet. `sent` says which ones are the probe's.
    pub(super) fn add(&mut self, sent: &Sent, report: (u32, u16), left: Instant, came: Option<Duration>, bytes: usize) {
        let mine = self.waiting.is_some_and(|(probe, _)| probe.id == sent.probe.id);
        self.past |= mine && sent.is_before(report.0, report.1);
        if mine && sent.holds(report.0, report.1) && self.seen.len() < usize::from(sent.count) {
            self.seen.push_back((left, came, bytes));
        }
    }

    /// What a probe says, once its feedback is complete, or cannot be any more.
    pub(super) fn judge(&mut self, now: Instant, sent: &Sent, target: f64, jitter: Duration) -> Option<Judged> {
        if self.seen.len() < usize::from(sent.count) && !self.past {
            return None;
        }
        let (probe, _) = self.waiting.take_if(|(probe, _)| probe.id == sent.probe.id)?;
        let (first, measured) = (probe.id == 0, self.measure(usize::from(sent.count)));
        self.seen.clear();
        let wanted = f64::from(probe.rate.0);
        let Some(Measured { rate: measured, evenly }) = measured else {
            if first {
                // Nothing is known yet: it is tried again at once.
                self.next = Some(now);
            } else {
                self.failed(now);
            }
            return Some(Judged::Nothing);
        };
        if measured * USED <= target * RAISES {
            self.failed(now);
            // Only a guess can be wrong by so much: later there would have been a queue to tell of it.
            let narrow = first && evenly * USED < target;
            return Some(if narrow { Judged::Narrow(evenly * USED) } else { Judged::Carries(measured * USED) });
        }
        if !Self::is_sure(jitter) && self.first_of_two.is_none() {
            self.first_of_two = Some(measured);
            self.next = Some(now);
            return Some(Judged::Nothing);
        }
        let measured = self.first_of_two.take().map_or(measured, |first| first.min(measured));
        if measured > UNLIMITED * wanted {
            // The next one at once.
            (self.next, self.retry) = (Some(now), RETRY);
        } else {
            self.failed(now);
        }
        Some(Judged::Carries(measured * USED))
    }

    fn measure(&self, count: usize) -> Option<Measured> {
        let came = self.seen.iter().filter_map(|(left, came, bytes)| came.map(|came| (*left, came, *bytes)));
        let came: Vec<_> = came.collect();
        if (came.len() as f64) < RECEIVED * count as f64 {
            return None;
        }
        let (first, last) = came.first().zip(came.last())?;
        let bytes: usize = came.iter().map(|(.., bytes)| bytes).sum();
        // Between n packets there are n − 1 times: what left last is still leaving then, what came first had come.
        let left = last.0.saturating_duration_since(first.0).as_secs_f64();
        let arrived = last.1.checked_sub(first.1)?.as_secs_f64();
        let (left_rate, arrived_rate) =
            ((bytes - last.2) as f64 * 8.0 / left, (bytes - first.2) as f64 * 8.0 / arrived.max(1e-4));
        let sound = left > 0.002 && left < 1.0 && arrived < 1.0 && arrived_rate < SQUEEZED * left_rate;
        // The longest pause between two of them, and what came after it.
        let pauses = came.windows(2).map(|pair| (pair[1].1.saturating_sub(pair[0].1).as_secs_f64(), pair[1].2));
        let (pause, after) = pauses.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let evenly = (bytes - first.2 - after) as f64 * 8.0 / (arrived - pause).max(1e-4);
        sound.then(|| Measured { rate: left_rate.min(arrived_rate), evenly: left_rate.min(evenly.max(arrived_rate)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of the first or a later probe at 2 Mb/s. `came` tells when each of its packets comes, by the time
    /// when it left and by how many bits came before its end.
    fn judged(first: bool, jitter: Duration, came: impl Fn(usize, f64, f64) -> Option<f64>) -> Option<Judged> {
        let (now, mut prober) = (Instant::now(), Prober::new());
        let mut probe = prober.begin(1e6, 4e6).expect("wanted");
        if !first {
            let sent = Sent { probe, ssrc: 1, first: 0, count: 1 };
            prober.add(&sent, (1, 1), now, None, 100);
            assert_eq!(prober.judge(now, &sent, 1e6, jitter), Some(Judged::Nothing));
            probe = prober.poll(now, 1e6, 4e6, true).expect("at once");
        }
        let (count, payload) = probe.packets();
        let sent = Sent { probe, ssrc: 1, first: u16::MAX - 1, count: count as u16 };
        let bytes = payload + HEADERS;
        for i in 0..count {
            let left = i as f64 * bytes as f64 * 8.0 / f64::from(probe.rate.0);
            let came = came(i, left, (i + 1) as f64 * bytes as f64 * 8.0).map(|s| Duration::from_secs_f64(s + 77.0));
            let left = now + Duration::from_secs_f64(left);
            prober.add(&sent, (1, sent.first.wrapping_add(i as u16)), left, came, bytes);
        }
        prober.judge(now, &sent, 1e6, jitter)
    }

    fn over(path: f64, lost: usize) -> impl Fn(usize, f64, f64) -> Option<f64> {
        move |i, left, bits| (i != lost).then_some(left.max(bits / path))
    }

    fn carries(judged: Option<Judged>) -> f64 {
        let Some(Judged::Carries(rate)) = judged else { panic!("{judged:?}") };
        rate
    }

    #[test]
    fn a_wide_path_is_seen_to_carry_the_probe_and_a_narrow_one_what_it_carries() {
        for first in [true, false] {
            let rate = |path| carries(judged(first, Duration::ZERO, over(path, 99)));
            assert!((1.8e6..2.0e6).contains(&rate(50e6)) && (1.2e6..1.4e6).contains(&rate(1.4e6)));
        }
        assert!(carries(judged(false, Duration::ZERO, over(0.7e6, 99))) < 1.0e6);
    }

    #[test]
    fn the_first_probe_tells_that_a_path_is_narrower_than_was_guessed_unless_jitter_held_up_a_part_of_it() {
        let Some(Judged::Narrow(rate)) = judged(true, Duration::ZERO, over(0.3e6, 99)) else { panic!("not seen") };
        assert!((0.25e6..0.3e6).contains(&rate), "{rate}");
        for held in 1..5 {
            let came = |i, left, _| Some(if i >= held { left + 0.04 } else { left });
            let judged = judged(true, Duration::ZERO, came);
            assert!(!matches!(judged, Some(Judged::Narrow(_))), "{held}: {judged:?}");
        }
    }

    #[test]
    fn one_lost_packet_of_five_is_no_reason_to_learn_nothing() {
        assert!(carries(judged(false, Duration::ZERO, over(50e6, 2))) > 1.2e6);
    }

    #[test]
    fn where_jitter_is_high_one_probe_is_not_believed() {
        assert_eq!(judged(false, Duration::from_millis(20), over(50e6, 99)), Some(Judged::Nothing));
    }

    #[test]
    fn a_probe_whose_feedback_was_lost_is_given_up_as_soon_as_something_later_is_told_of() {
        let (now, mut prober) = (Instant::now(), Prober::new());
        let probe = prober.begin(1e6, 4e6).expect("wanted");
        let sent = Sent { probe, ssrc: 1, first: u16::MAX, count: 5 };
        let tell = |prober: &mut Prober, ssrc, sequence| {
            prober.add(&sent, (ssrc, sequence), now, Some(Duration::ZERO), 900);
            prober.judge(now, &sent, 1e6, Duration::ZERO)
        };
        // One of its own, one before it, one of the sound's.
        assert_eq!([(1, 0), (1, 65_534), (2, 4)].map(|(ssrc, n)| tell(&mut prober, ssrc, n)), [None; 3]);
        assert_eq!(prober.poll(now, 1e6, 4e6, true), None);
        assert_eq!(tell(&mut prober, 1, 4), Some(Judged::Nothing));
        assert!(prober.poll(now, 1e6, 4e6, true).is_some());
    }

    #[test]
    fn a_probe_is_short_at_every_rate() {
        for kbps in [60, 200, 1000, 3000, 10_000] {
            let rate = BitsPerSecond::kilo(kbps);
            let (count, payload) = Probe { id: 0, rate }.packets();
            let took = (count * (payload + HEADERS)) as f64 * 8.0 / f64::from(rate.0);
            assert!(count >= 5 && (0.014..0.095).contains(&took) && (kbps < 300 || took < 0.03), "{kbps}: {took} s");
        }
    }

    #[test]
    fn a_limit_that_is_still_there_is_tried_more_and_more_seldom() {
        let (begun, mut prober, mut times) = (Instant::now(), Prober::new(), Vec::new());
        for ms in (0..60_000u64).step_by(50) {
            let now = begun + Duration::from_millis(ms);
            if prober.poll(now, 1e6, 4e6, true).is_some() {
                times.push(ms);
            }
        }
        assert!((5..20).contains(&times.len()), "{times:?}");
        assert!(times.windows(2).all(|w| w[1] - w[0] < 9000), "{times:?}");
    }
}
