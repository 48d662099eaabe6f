//! The running call as the window holds it, and the rule by which the window is drawn again.
//!
//! Drawing costs, on machines without a graphics card most of all. So it is drawn once for each picture of the other
//! side, at most every 100 ms for the microphone's level, at most every 33 ms for anything else, and not at all where
//! nothing that is to be seen has changed.

use crate::quality::{Health, Moment, Verdict};
use crate::widgets::meter_bars;
use egui::Context;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use visavis_call::{Command, Endpoint, InCall, Options, Phase, Recent, StartError, State, StatsSnapshot, TimedEvent};
use visavis_media::VideoFrame;

/// Not zero, for egui draws twice then.
const AT_ONCE: Duration = Duration::from_micros(1);
/// Changes that come together are drawn together; nobody sees this delay.
const SOON: Duration = Duration::from_millis(33);
/// The microphone's level is followed at this pace: each frame costs, and a meter that moves more often tells no more.
const LEVEL: Duration = Duration::from_millis(100);
/// The same in a window that nobody is at.
const LEVEL_UNFOCUSED: Duration = Duration::from_secs(1);
/// While the other's pictures come at least this often, one's own are drawn along with them.
const FLOWING: Duration = Duration::from_millis(100);

/// A running call, shared with the threads that wake the window.
pub struct Engine {
    // Threads of the endpoint itself look in here to see what changed. They only ever try the lock, and the endpoint
    // is dropped outside of it: so none of them waits for, or drops, what waits for it.
    endpoint: RwLock<Option<Endpoint>>,
    drawn: Mutex<Option<(Arc<State>, Verdict)>>,
    watched: Mutex<Watched>,
    ctx: Context,
    began: Instant,
    /// When the other's last picture came, in milliseconds from `began`, plus one; zero before the first.
    last_other: AtomicU64,
}

/// How the running call fares; nothing between calls.
#[derive(Default)]
struct Watched {
    /// When it connected: another call has other figures.
    call: Option<Instant>,
    /// Shared with the window, which draws from it while the next second is added to a copy.
    health: Arc<Health>,
}

impl Watched {
    fn take(&mut self, statistics: &[StatsSnapshot], state: &State) {
        let Phase::InCall(call) = &state.phase else {
            if self.call.is_some() {
                *self = Self::default();
            }
            return;
        };
        if self.call != Some(call.since) {
            *self = Self { call: Some(call.since), ..Self::default() };
        }
        for snapshot in statistics {
            Arc::make_mut(&mut self.health).take(snapshot, Moment::of(call));
        }
    }
}

impl Engine {
    /// Starts the call's engine; it wakes the window from now on.
    ///
    /// # Errors
    /// [`StartError`] where it cannot start.
    pub fn start(ctx: &Context, options: Options) -> Result<Arc<Self>, StartError> {
        let engine = Arc::new(Self {
            endpoint: RwLock::new(None),
            drawn: Mutex::new(None),
            watched: Mutex::default(),
            ctx: ctx.clone(),
            began: Instant::now(),
            last_other: AtomicU64::new(0),
        });
        let woken = engine.clone();
        let endpoint = Endpoint::start(options, move || woken.on_change())?;
        let woken = engine.clone();
        endpoint.preview().on_arrival(move || woken.on_own_picture());
        let woken = engine.clone();
        endpoint.remote().on_arrival(move || woken.on_other_picture());
        *engine.endpoint.write().unwrap_or_else(PoisonError::into_inner) = Some(endpoint);
        engine.on_change();
        Ok(engine)
    }

    fn with<R>(&self, act: impl FnOnce(&Endpoint) -> R) -> Option<R> {
        self.endpoint.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(act)
    }

    /// Asks for something; never waits.
    pub fn send(&self, command: Command) {
        self.with(|endpoint| endpoint.send(command));
    }

    /// What is true now, and how the call fares; from here on the window shows it. `None` after [`Engine::stop`].
    pub fn state(&self) -> Option<(Arc<State>, Arc<Health>)> {
        let state = self.with(Endpoint::state)?;
        let health = self.watched.lock().unwrap_or_else(PoisonError::into_inner).health.clone();
        let drawn = (state.clone(), health.verdict());
        *self.drawn.lock().unwrap_or_else(PoisonError::into_inner) = Some(drawn);
        Some((state, health))
    }

    /// What happened since the last time.
    pub fn events(&self) -> Vec<TimedEvent> {
        self.with(Endpoint::events).unwrap_or_default()
    }

    /// What happened lately, for a report of trouble.
    pub fn recent(&self) -> Recent {
        self.with(Endpoint::recent).unwrap_or_default()
    }

    /// The newest picture of ours and of the other's, where there is one since the last time.
    pub fn pictures(&self) -> [Option<VideoFrame>; 2] {
        self.with(|endpoint| [endpoint.preview().try_take(), endpoint.remote().try_take()]).unwrap_or_default()
    }

    /// Hangs up properly, gives the devices back and ends every thread; takes up to a few seconds.
    pub fn stop(&self) {
        let endpoint = self.endpoint.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(endpoint);
    }

    fn on_change(&self) {
        let now = self.endpoint.try_read().ok().and_then(|endpoint| endpoint.as_ref().map(|e| self.watch(e)));
        let drawn = self.drawn.try_lock().ok().and_then(|drawn| drawn.clone());
        let wait = match now.zip(drawn) {
            None => Some(SOON),
            Some(((_, Some(verdict)), (_, said))) if verdict != said => Some(SOON),
            Some(((now, _), (drawn, _))) => wait(&now, &drawn, self.ctx.input(|input| input.focused)),
        };
        if let Some(wait) = wait {
            self.ctx.request_repaint_after(wait);
        }
    }

    /// Adds what the last second's statistics say; what is true now, and the verdict unless somebody is reading it.
    fn watch(&self, endpoint: &Endpoint) -> (Arc<State>, Option<Verdict>) {
        let state = endpoint.state();
        // What is not fetched now is fetched with the next change: there are twenty a second.
        let verdict = self.watched.try_lock().ok().map(|mut watched| {
            watched.take(&endpoint.statistics(), &state);
            watched.health.verdict()
        });
        (state, verdict)
    }

    fn on_other_picture(&self) {
        let at = self.began.elapsed().as_millis() as u64 + 1;
        self.last_other.store(at, Ordering::Relaxed);
        self.ctx.request_repaint_after(AT_ONCE);
    }

    fn on_own_picture(&self) {
        let last = self.last_other.load(Ordering::Relaxed);
        let flowing =
            Duration::from_millis((self.began.elapsed().as_millis() as u64 + 1).saturating_sub(last)) < FLOWING;
        if last == 0 || !flowing {
            self.ctx.request_repaint_after(AT_ONCE);
        }
    }
}

/// How long drawing what is true now may wait, `drawn` being what is on screen; `None` where it shows no difference.
pub fn wait(now: &State, drawn: &State, focused: bool) -> Option<Duration> {
    let same_level = meter_bars(now.microphone_level) == meter_bars(drawn.microphone_level);
    match (look_alike(now, drawn), same_level, focused) {
        (false, _, _) => Some(SOON),
        (true, true, _) => None,
        (true, false, true) => Some(LEVEL),
        (true, false, false) => Some(LEVEL_UNFOCUSED),
    }
}

/// Whether the window looks the same for both, but for the microphone's level.
pub fn look_alike(a: &State, b: &State) -> bool {
    let devices = (Arc::ptr_eq(&a.devices, &b.devices) || a.devices == b.devices) && a.offer == b.offer;
    let switches = (a.muted, a.video_on) == (b.muted, b.video_on);
    let words = (a.microphone_silent, a.speaks_muted) == (b.microphone_silent, b.speaks_muted);
    let works = a.camera == b.camera && a.microphone == b.microphone && a.speaker == b.speaker;
    let checks = a.check == b.check;
    devices && switches && words && works && checks && phases_look_alike(&a.phase, &b.phase)
}

fn phases_look_alike(a: &Phase, b: &Phase) -> bool {
    match (a, b) {
        (Phase::Home, Phase::Home) => true,
        (Phase::Waiting(a), Phase::Waiting(b)) => {
            a.code == b.code && a.reach == b.reach && (&a.notice, &a.away, &a.asks) == (&b.notice, &b.away, &b.asks)
        }
        (Phase::Joining { code: a, since: s, host: _ }, Phase::Joining { code: b, since: t, host: _ })
        | (Phase::Connecting { code: a, since: s, host: _ }, Phase::Connecting { code: b, since: t, host: _ }) => {
            a == b && s == t
        }
        (Phase::Outside { code: a, since: s, owner: o }, Phase::Outside { code: b, since: t, owner: p }) => {
            a == b && s == t && o == p
        }
        (Phase::InCall(a), Phase::InCall(b)) => calls_look_alike(a, b),
        (Phase::Ended(a), Phase::Ended(b)) => a.reason == b.reason && a.duration == b.duration,
        (
            Phase::Home
            | Phase::Waiting(_)
            | Phase::Joining { .. }
            | Phase::Connecting { .. }
            | Phase::Outside { .. }
            | Phase::InCall(_)
            | Phase::Ended(_),
            _,
        ) => false,
    }
}

/// Figures are shown in panels only, which follow with the next frame: the time above moves once a second.
fn calls_look_alike(a: &InCall, b: &InCall) -> bool {
    let peers = a.peer == b.peer;
    let way = a.path == b.path && a.verification == b.verification && a.since == b.since;
    peers && way && a.interrupted == b.interrupted && a.chat.len() == b.chat.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use visavis_call::EndReason;

    #[test]
    fn a_level_that_moves_no_bar_changes_nothing_and_one_that_does_can_wait() {
        let a = sample::state(Phase::Home);
        let mut b = a.clone();
        b.microphone_level *= 1.001;
        assert_eq!(wait(&b, &a, true), None);
        b.microphone_level *= 4.0;
        assert_eq!((wait(&b, &a, true), wait(&b, &a, false)), (Some(LEVEL), Some(LEVEL_UNFOCUSED)));
        let mut offered = a.clone();
        offered.offer = Some(sample::offer());
        assert_eq!(wait(&offered, &a, true), Some(SOON));
        b.muted = true;
        assert_eq!((wait(&b, &a, true), wait(&b, &a, false)), (Some(SOON), Some(SOON)));
    }

    #[test]
    fn every_phase_looks_like_itself_and_like_no_other() {
        let now = Instant::now();
        let phases = [
            Phase::Home,
            Phase::Waiting(sample::waiting()),
            Phase::Waiting(sample::asked(now)),
            Phase::Outside { code: sample::room(), since: now, owner: "Grace".into() },
            Phase::Joining { code: sample::code(), since: now, host: None },
            Phase::Connecting { code: sample::code(), since: now, host: None },
            Phase::InCall(sample::in_call(now, Duration::ZERO)),
            Phase::Ended(sample::ended(EndReason::HungUp)),
            Phase::Ended(sample::ended(EndReason::PeerLeft)),
        ];
        for (i, a) in phases.iter().enumerate() {
            for (j, b) in phases.iter().enumerate() {
                assert_eq!(look_alike(&sample::state(a.clone()), &sample::state(b.clone())), i == j, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn what_is_seen_in_a_call_is_noticed_and_figures_are_not() {
        let now = Instant::now();
        let state = |change: fn(&mut InCall)| {
            let mut call = sample::in_call(now, Duration::ZERO);
            change(&mut call);
            sample::state(Phase::InCall(call))
        };
        let before = state(|_| {});
        assert!(look_alike(&before, &state(|call| call.figures.lost = 0.5)));
        let changes: [fn(&mut InCall); 7] = [
            |call| call.peer.sound_only = true,
            |call| call.peer.muted = true,
            |call| call.peer.video_on = false,
            |call| call.peer.has_camera = false,
            |call| call.interrupted = Some(call.since),
            |call| call.chat.clear(),
            |call| call.peer.name.push('!'),
        ];
        for change in changes {
            assert!(!look_alike(&before, &state(change)));
        }
    }

    #[test]
    fn a_call_is_watched_from_its_first_second_to_its_last_and_the_next_begins_anew() {
        let begun = Instant::now();
        let in_call = |since| sample::state(Phase::InCall(sample::in_call(since, Duration::ZERO)));
        let seconds =
            |from: u32| (from..from + 5).map(|i| StatsSnapshot { t: 1000.0 * f64::from(i), ..Default::default() });
        let seconds = |from| seconds(from).collect::<Vec<_>>();
        let count = |watched: &Watched| watched.health.history().iter().count();
        let mut watched = Watched::default();
        watched.take(&seconds(0), &sample::state(Phase::Home));
        assert_eq!(count(&watched), 0);
        watched.take(&seconds(1), &in_call(begun));
        let shown = watched.health.clone();
        watched.take(&seconds(6), &in_call(begun));
        assert_eq!((count(&watched), shown.history().iter().count()), (9, 4), "what is being drawn stays as it is");
        watched.take(&seconds(11), &in_call(begun + Duration::from_secs(60)));
        assert_eq!(count(&watched), 4);
        watched.take(&[], &sample::state(Phase::Ended(sample::ended(EndReason::HungUp))));
        assert_eq!((count(&watched), watched.call), (0, None));
    }
}
