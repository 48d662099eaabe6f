//! Lips in time: how much later a sound is heard than the picture filmed with it is seen, and which of them waits.
//!
//! Contains no I/O and reads no clock. Sender reports put both streams on the clock of the sender (RFC 3550 §6.4.1), by
//! the moment of capture; what is shown and heard here gives each stream its *lag*, the time since capture but for the
//! unknown difference of the two machines' clocks, which both lags share.
//!
//! Nobody notices sound that is up to 45 ms early or 125 ms late (ITU-R BT.1359), and a picture that waits makes the
//! call slower. So nothing is held back for exactness: the earlier of the two is brought to within 37 ms of the later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use visavis_media::time::{NtpTime, SenderClock};
use visavis_media::{ClockRate, RtpTicks};

/// Who is earlier by no more than this does not wait, in seconds.
const TOLERATED: f64 = 0.037;
/// Sound that waits for the picture waits less again when it need not have been so much; between, it stays.
const CONTENT: f64 = 0.015;
/// Sound never waits longer than this for a picture.
const MOST_FOR_PICTURE: f64 = 0.100;
/// The sound's wait changes by this share of time.
const PACE: f64 = 0.02;
/// The playout buffer follows in steps; the wait does not run further ahead of it than this.
const AHEAD: f64 = 0.025;
/// What Opus needs to look ahead: a decoded sample was said this much before its timestamp (RFC 7845 §4.2).
const OPUS_LOOKAHEAD: f64 = 0.0065;
/// Lags are smoothed over this.
const SMOOTHING: f64 = 0.5;
/// A stream that was not seen or heard for so long has no lag.
const STALE: Duration = Duration::from_secs(3);
/// Streams further apart than this are not of one moment, whatever reports say.
const ABSURD: f64 = 3.0;
/// A report that contradicts the last one by more than this needs another that agrees with it, in seconds.
const CONTRADICTS: f64 = 0.25;
/// Streams whose reports are kept; a call has two, and they may begin anew.
const MAX_STREAMS: usize = 4;

/// The reports of one SSRC.
#[derive(Clone, Copy, Debug)]
struct Reported {
    ssrc: u32,
    /// Pairs with the RTP time as it came, to be read with either clock rate.
    believed: (NtpTime, RtpTicks),
    suspect: Option<(NtpTime, RtpTicks)>,
}

/// What is known of one of the two streams.
#[derive(Clone, Copy, Debug)]
struct Side {
    rate: ClockRate,
    ssrc: Option<u32>,
    lag: Option<Lag>,
}

#[derive(Clone, Copy, Debug)]
struct Lag {
    seconds: f64,
    at: Instant,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct LipSync {
    reports: Vec<Reported>,
    picture: Side,
    sound: Side,
    /// Where both clocks are counted from.
    zero: Option<(Instant, NtpTime)>,
    /// By how much sound waits for the picture, in seconds.
    wait: f64,
    waited_at: Option<Instant>,
}

impl Default for LipSync {
    fn default() -> Self {
        let side = |rate| Side { rate, ssrc: None, lag: None };
        let (picture, sound) = (side(ClockRate::VIDEO), side(ClockRate::AUDIO));
        Self { reports: Vec::new(), picture, sound, zero: None, wait: 0.0, waited_at: None }
    }
}

impl LipSync {
    /// A sender report: of any stream, with any content.
    fn report(&mut self, ssrc: u32, ntp: NtpTime, rtp: RtpTicks) {
        if ntp.0 == 0 {
            // The sender has no clock (RFC 3550 §6.4.1).
            return;
        }
        let rate = if self.sound.ssrc == Some(ssrc) { self.sound.rate } else { self.picture.rate };
        let agrees = |with: (NtpTime, RtpTicks)| {
            remote(with, rate, rtp).is_some_and(|expected| ntp.seconds_since(expected).abs() <= CONTRADICTS)
        };
        if let Some(known) = self.reports.iter_mut().find(|known| known.ssrc == ssrc) {
            if agrees(known.believed) || known.suspect.is_some_and(agrees) {
                (known.believed, known.suspect) = ((ntp, rtp), None);
            } else {
                known.suspect = Some((ntp, rtp));
            }
            return;
        }
        let used = [self.picture.ssrc, self.sound.ssrc];
        if self.reports.len() >= MAX_STREAMS
            && let Some(unused) = self.reports.iter().position(|known| !used.contains(&Some(known.ssrc)))
        {
            self.reports.remove(unused);
        }
        self.reports.push(Reported { ssrc, believed: (ntp, rtp), suspect: None });
    }

    /// What was stamped `ticks` is seen at this moment. Says by how much later its sound is heard, in seconds, as a mean
    /// of the last moments; `None` where that is not known.
    fn shown(&mut self, ticks: RtpTicks, at: Instant) -> Option<f64> {
        let lag = self.lag(self.picture, ticks, at);
        self.picture.follow(lag, at);
        self.offset(at)
    }

    /// What was stamped `ticks` is heard at this moment.
    fn heard(&mut self, ticks: RtpTicks, at: Instant) {
        let lag = self.lag(self.sound, ticks, at).map(|lag| lag + OPUS_LOOKAHEAD);
        self.sound.follow(lag, at);
    }

    /// Before this moment a picture would be too early for its sound.
    fn picture_not_before(&self, ticks: RtpTicks) -> Option<Instant> {
        let (at, ntp) = self.zero?;
        let (sound, picture) = (self.sound.lag?, self.picture.lag?);
        let fresh = picture.at.saturating_duration_since(sound.at) < STALE;
        if !fresh || (sound.seconds - picture.seconds).abs() > ABSURD {
            return None;
        }
        let filmed = remote(self.believed(self.picture)?, self.picture.rate, ticks)?.seconds_since(ntp);
        let moment = Duration::try_from_secs_f64(filmed + sound.seconds - TOLERATED).ok()?;
        at.checked_add(moment)
    }

    /// How long sound should be held back for the picture: to be asked about ten times a second. `held`: how much longer
    /// the playout buffer holds it back at present than the network asks for.
    fn sound_wait(&mut self, now: Instant, held: Duration) -> Duration {
        let elapsed = self.waited_at.replace(now).map_or(0.0, |then| now.saturating_duration_since(then).as_secs_f64());
        let step = PACE * elapsed.min(1.0);
        let early = self.offset(now).map_or(0.0, |offset| -offset);
        if early > TOLERATED {
            self.wait += step.min(early - TOLERATED);
        } else if early < CONTENT {
            self.wait -= step;
        }
        self.wait = self.wait.clamp(0.0, MOST_FOR_PICTURE.min(held.as_secs_f64() + AHEAD));
        Duration::from_secs_f64(self.wait)
    }

    fn offset(&self, now: Instant) -> Option<f64> {
        let (sound, picture) = (self.sound.fresh(now)?, self.picture.fresh(now)?);
        Some(sound - picture).filter(|offset| offset.abs() <= ABSURD)
    }

    fn believed(&self, side: Side) -> Option<(NtpTime, RtpTicks)> {
        self.reports.iter().find(|known| Some(known.ssrc) == side.ssrc).map(|known| known.believed)
    }

    fn lag(&mut self, side: Side, ticks: RtpTicks, at: Instant) -> Option<f64> {
        let captured = remote(self.believed(side)?, side.rate, ticks)?;
        let (local_zero, remote_zero) = *self.zero.get_or_insert((at, captured));
        let local = match at.checked_duration_since(local_zero) {
            Some(after) => after.as_secs_f64(),
            None => -local_zero.duration_since(at).as_secs_f64(),
        };
        Some(local - captured.seconds_since(remote_zero))
    }
}

impl Side {
    /// Another stream takes the place of the one before.
    fn begin(&mut self, ssrc: u32) {
        if self.ssrc.replace(ssrc) != Some(ssrc) {
            self.lag = None;
        }
    }

    fn follow(&mut self, lag: Option<f64>, at: Instant) {
        let Some(seconds) = lag else { return };
        let before = self.lag.filter(|lag| at.saturating_duration_since(lag.at) < STALE);
        let seconds = before.map_or(seconds, |lag| {
            let weight = at.saturating_duration_since(lag.at).as_secs_f64() / SMOOTHING;
            lag.seconds + (seconds - lag.seconds) * weight.min(1.0)
        });
        self.lag = Some(Lag { seconds, at });
    }

    fn fresh(&self, now: Instant) -> Option<f64> {
        self.lag.filter(|lag| now.saturating_duration_since(lag.at) < STALE).map(|lag| lag.seconds)
    }
}

fn remote((ntp, rtp): (NtpTime, RtpTicks), rate: ClockRate, ticks: RtpTicks) -> Option<NtpTime> {
    let mut clock = SenderClock::new(rate);
    clock.on_sender_report(ntp, rtp);
    clock.remote_time(ticks)
}

/// One call's [`LipSync`], which the threads of sound, picture and network share; each holds it for a few sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedLipSync(Arc<Mutex<LipSync>>);

impl SharedLipSync {
    fn lock(&self) -> MutexGuard<'_, LipSync> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sender report of any stream.
    pub(crate) fn report(&self, ssrc: u32, ntp: NtpTime, rtp: RtpTicks) {
        self.lock().report(ssrc, ntp, rtp);
    }

    /// Pictures come from this stream.
    pub(crate) fn picture_stream(&self, ssrc: u32) {
        self.lock().picture.begin(ssrc);
    }

    /// Sound comes from this stream.
    pub(crate) fn sound_stream(&self, ssrc: u32) {
        self.lock().sound.begin(ssrc);
    }

    /// A picture is seen at this moment. Says by how much later, in seconds, its sound is heard, where that is known.
    pub(crate) fn shown(&self, ticks: RtpTicks, at: Instant) -> Option<f64> {
        self.lock().shown(ticks, at)
    }

    /// Sound is heard at this moment.
    pub(crate) fn heard(&self, ticks: RtpTicks, at: Instant) {
        self.lock().heard(ticks, at);
    }

    /// When, by the sender's clock, the picture that is stamped `ticks` was captured; `None` before its first report.
    pub(crate) fn captured(&self, ticks: RtpTicks) -> Option<NtpTime> {
        let lips = self.lock();
        remote(lips.believed(lips.picture)?, lips.picture.rate, ticks)
    }

    /// Before this moment a picture would be too early for its sound; `None` where nothing is known.
    pub(crate) fn picture_not_before(&self, ticks: RtpTicks) -> Option<Instant> {
        self.lock().picture_not_before(ticks)
    }

    /// How long sound should be held back for the picture, at most 100 ms; `held` is how much longer than the network
    /// asks for it is held back at present. To be asked about ten times a second.
    pub(crate) fn sound_wait(&self, now: Instant, held: Duration) -> Duration {
        self.lock().sound_wait(now, held)
    }
}

#[cfg(test)]
#[path = "lip_sync_tests.rs"]
mod tests;
