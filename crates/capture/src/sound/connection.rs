//! The connections of this process to the system's sound host: as few as can be, and mended when they break.

use super::fault::open_error;
use super::preference::Preference;
use crate::{DeviceError, worker::panic_text};
use cpal::Host;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The host whose id's first part this is.
pub(super) const PULSE: &str = "pulseaudio";

/// The connections of the process to its sound system.
struct Kept {
    host: Option<Arc<Host>>,
    /// Connections to the same Pulse server for loudspeakers, the first one again among them.
    lanes: Vec<Lane>,
    preference: Preference,
}

/// A connection for one loudspeaker.
///
/// cpal puts all playback streams of a connection into one synchronisation group (sync id 0), and Pulse refuses a stream
/// on another sink than the group's. So a loudspeaker that is opened while another still plays needs a connection of its
/// own.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(super) host: Arc<Host>,
    /// Held by whoever uses it.
    taken: Arc<()>,
}

/// Kept, because each connection to a Pulse server costs a thread that never ends: as many as loudspeakers were ever
/// open at once.
static KEPT: Mutex<Kept> = Mutex::new(Kept { host: None, lanes: Vec::new(), preference: Preference::new() });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_pulse(host: &Host) -> bool {
    host.id().to_string() == PULSE
}

/// The host to ask, a new one where Pulse has come (back).
fn host() -> Result<Arc<Host>, cpal::Error> {
    let mut kept = kept();
    let kept = &mut *kept;
    let now = Instant::now();
    if let Some(host) = kept.host.as_ref().filter(|host| is_pulse(host) || !kept.preference.pulse_is_due(now)) {
        return Ok(host.clone());
    }
    let ids = cpal::available_hosts();
    if let Some(pulse) = ids.iter().find(|id| id.to_string() == PULSE)
        && kept.preference.pulse_is_due(now)
    {
        match cpal::host_from_id(*pulse) {
            Ok(host) => {
                kept.preference.answered();
                return Ok(kept.host.insert(Arc::new(host)).clone());
            }
            Err(_) => kept.preference.refused(now.elapsed(), Instant::now()),
        }
    }
    if let Some(host) = &kept.host {
        return Ok(host.clone());
    }
    if !kept.preference.others_may_serve(now) {
        return Err(cpal::ErrorKind::HostUnavailable.into());
    }
    let other = ids.into_iter().find(|id| id.to_string() != PULSE).ok_or(cpal::ErrorKind::HostUnavailable)?;
    Ok(kept.host.insert(Arc::new(cpal::host_from_id(other)?)).clone())
}

/// A connection on which no loudspeaker plays.
pub(super) fn free_lane() -> Result<Lane, cpal::Error> {
    let first = host()?;
    let mut kept = kept();
    if kept.lanes.is_empty() {
        kept.lanes.push(Lane { host: first.clone(), taken: Arc::default() });
    }
    if let Some(free) = kept.lanes.iter().find(|lane| !is_pulse(&first) || Arc::strong_count(&lane.taken) == 1) {
        return Ok(free.clone());
    }
    let lane = Lane { host: Arc::new(cpal::host_from_id(first.id())?), taken: Arc::default() };
    kept.lanes.push(lane.clone());
    Ok(lane)
}

fn forget(host: &Arc<Host>) {
    let mut kept = kept();
    kept.lanes.retain(|lane| !Arc::ptr_eq(&lane.host, host));
    if kept.host.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, host)) {
        kept.host = None;
        kept.lanes.clear();
        if is_pulse(host) {
            kept.preference.lost(Instant::now());
        }
    }
}

/// A connection for everything but loudspeakers.
pub(super) fn any_lane() -> Result<Lane, cpal::Error> {
    Ok(Lane { host: host()?, taken: Arc::default() })
}

/// Does `ask` with a connection, once more with a new one where it was lost, and survives its panic.
pub(super) fn with_lane<T>(
    lane: impl Fn() -> Result<Lane, cpal::Error>,
    ask: impl Fn(&Lane) -> Result<T, cpal::Error>,
) -> Result<T, DeviceError> {
    let once = || {
        let lane = lane()?;
        let answer = ask(&lane);
        if answer.is_err() {
            forget(&lane.host);
        }
        answer
    };
    match catch_unwind(AssertUnwindSafe(|| once().or_else(|_| once()))) {
        Ok(answer) => answer.map_err(|error| open_error(&error, "the sound system")),
        Err(panic) => Err(DeviceError::Other(panic_text(&*panic).to_owned())),
    }
}
