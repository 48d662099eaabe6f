//! Which camera is to be open, and when one that failed is tried again: a pure rule that is told the time.
//!
//! A camera is taken back when it returns and taken when it becomes free, for as long as it is wanted. What is wrong
//! stays shown meanwhile, so that nothing flickers with every try. The chosen camera is never replaced by another one:
//! nobody wants to be seen by a camera that they did not choose. (`default` chooses any.)

use std::time::{Duration, Instant};
use visavis_capture::{CameraSpec, CameraState, DeviceError};

/// A camera that failed is looked for this long after the last try has ended.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// A camera that we or others closed a moment ago may still be held: for so long nothing is said about it.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);
/// And meanwhile it is tried this often.
pub(super) const PATIENT_RETRY: Duration = Duration::from_millis(100);

/// What is to be done now; either closes what was open before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Open this one; what it reports belongs to this attempt.
    Open(Attempt, CameraSpec),
    /// Leave it closed.
    Close,
}

/// An opening of a camera; later ones are greater.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Attempt(u64);

/// See the module's text.
#[derive(Default)]
pub(super) struct CameraPolicy {
    wanted: Option<CameraSpec>,
    attempt: Attempt,
    shown: CameraState,
    patient_until: Option<Instant>,
    retry_at: Option<Instant>,
    action: Option<Action>,
}

impl CameraPolicy {
    /// Another camera is wanted from now on, the same one anew, or none.
    pub(super) fn want(&mut self, now: Instant, spec: Option<CameraSpec>) {
        self.patient_until = spec.is_some().then(|| now + PATIENCE);
        self.shown = if spec.is_some() { CameraState::Opening } else { CameraState::Off };
        self.wanted = spec;
        self.try_now();
    }

    /// What an opened camera says; one that was closed since is not heard.
    pub(super) fn report(&mut self, now: Instant, attempt: Attempt, state: CameraState) {
        if attempt != self.attempt || self.wanted.is_none() {
            return;
        }
        match state {
            // Shown since it was wanted; and where it failed before, what is wrong stays shown.
            CameraState::Opening => {}
            CameraState::Off => self.shown = state,
            CameraState::Running { .. } => (self.shown, self.patient_until) = (state, None),
            CameraState::Failed(error) => self.failed(now, error),
        }
    }

    fn failed(&mut self, now: Instant, error: DeviceError) {
        // Whatever runs or hangs of it is given back before the next try.
        self.action = Some(Action::Close);
        let held = matches!(error, DeviceError::Busy { .. } | DeviceError::Stalled);
        if held && self.patient_until.is_some_and(|until| now < until) {
            self.retry_at = Some(now + PATIENT_RETRY);
            return;
        }
        self.patient_until = None;
        self.retry_at = self.may_return(&error).then_some(now + RETRY);
        if !self.is_still_away(&error) {
            self.shown = CameraState::Failed(error);
        }
    }

    /// Whether it may work later on without anybody choosing it again.
    fn may_return(&self, error: &DeviceError) -> bool {
        let device = match &self.wanted {
            Some(CameraSpec::Default | CameraSpec::Device(_)) => true,
            Some(CameraSpec::Pattern(_) | CameraSpec::File(_) | CameraSpec::None) | None => false,
        };
        device
            && match error {
                DeviceError::NotFound { .. }
                | DeviceError::NoDevice
                | DeviceError::Unplugged
                | DeviceError::Busy { .. }
                | DeviceError::Stalled
                | DeviceError::Other(_) => true,
                // A camera that was just plugged in is nobody's until the system has handed it over.
                DeviceError::PermissionDenied => true,
                // Each try would light its lamp, for nothing.
                DeviceError::UnsupportedFormat => false,
                DeviceError::File { .. } => false,
            }
    }

    /// A camera that was unplugged is not found afterwards, which says less.
    fn is_still_away(&self, error: &DeviceError) -> bool {
        self.shown == CameraState::Failed(DeviceError::Unplugged)
            && matches!(error, DeviceError::NotFound { .. } | DeviceError::NoDevice)
    }

    fn try_now(&mut self) {
        self.attempt.0 += 1;
        self.retry_at = None;
        self.action = Some(self.wanted.clone().map_or(Action::Close, |spec| Action::Open(self.attempt, spec)));
    }

    /// When [`CameraPolicy::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again where it is time.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.try_now();
        }
    }

    /// What is to be done; of several things only the last counts.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.action.take()
    }

    /// How the camera fares, for the person.
    pub(super) fn state(&self) -> &CameraState {
        &self.shown
    }
}
