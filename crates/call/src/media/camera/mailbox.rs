//! What has come in for the deck's thread.

use super::policy::Attempt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use visavis_capture::{CameraSpec, CameraState};

/// Of each kind only the newest counts.
#[derive(Default)]
pub(super) struct Mail {
    /// The camera that is wanted now, or none.
    pub wish: Option<Option<CameraSpec>>,
    /// How the open camera fares.
    pub report: Option<(Attempt, CameraState)>,
    /// The deck is being closed.
    pub over: bool,
}

/// Nobody who writes to it waits, and nothing piles up.
#[derive(Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    came: Condvar,
}

impl Mailbox {
    pub(super) fn put(&self, write: impl FnOnce(&mut Mail)) {
        write(&mut self.mail.lock().unwrap_or_else(PoisonError::into_inner));
        self.came.notify_one();
    }

    /// Waits until something comes, at most until `limit`.
    pub(super) fn take(&self, limit: Option<Instant>) -> Mail {
        let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
        while !mail.over && mail.wish.is_none() && mail.report.is_none() {
            mail = match limit.map(|limit| limit.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => self.came.wait_timeout(mail, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.came.wait(mail).unwrap_or_else(PoisonError::into_inner),
            };
        }
        Mail { over: mail.over, wish: mail.wish.take(), report: mail.report.take() }
    }

    /// Whether somebody wants something else already.
    pub(super) fn holds_wish(&self) -> bool {
        let mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
        mail.over || mail.wish.is_some()
    }
}
