//! When a sound device that was plugged in is offered: a rule without I/O or clock, for both directions together.
//!
//! Fed with the device lists as they are read, asked for what to offer. New is what was not there a moment ago: not what
//! there was at the start, not what a sound server lists again after it was restarted, and not a headset that changes
//! its profile. A headset is one offer, with its microphone and its loudspeaker, as far as they are not used anyway.

use super::device_choice::Wish;
use crate::api::DeviceOffer;
use std::time::{Duration, Instant};
use visavis_capture::{DeviceError, DeviceInfo, SoundDevices, SoundLists};

/// What comes so soon after a sound system has appeared was there before: servers list their cards one by one.
const SETTLES: Duration = Duration::from_secs(3);
/// What is gone for no longer has changed its profile, or has a loose plug.
const LINGERS: Duration = Duration::from_secs(3);
/// A system that takes a new device by itself has so long to do so before it is offered.
const PATIENCE: Duration = Duration::from_secs(1);
/// An offer that nobody takes ends then.
const LASTS: Duration = Duration::from_secs(30);

/// What one direction uses.
#[derive(Clone, Debug)]
pub(crate) struct Used<'a> {
    /// What is wanted of it, or will be as soon as it is needed.
    pub wish: Wish,
    /// The id of what is open.
    pub open: Option<&'a str>,
}

impl Used<'_> {
    /// Whether a device is used, or none of this kind is to be.
    fn up(&self, device: &DeviceInfo, list: &SoundDevices) -> bool {
        let meant = match &self.wish {
            Wish::Off | Wish::StandIn(_) => return true,
            Wish::Default => list.default_device(),
            Wish::Device(wanted) => list.find(wanted).ok().or_else(|| list.default_device()),
        };
        self.open == Some(&device.id) || meant.is_some_and(|meant| meant.id == device.id)
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct DeviceOffers {
    lists: Option<SoundLists>,
    /// What is there or was a moment ago, and when it was seen last.
    known: Vec<(DeviceInfo, Instant)>,
    /// Until when nothing is news; `None` while the sound system does not answer.
    settled: Option<Instant>,
    came: Option<(DeviceInfo, Instant)>,
}

impl DeviceOffers {
    /// The lists were read, or could not be.
    pub(crate) fn listed(&mut self, lists: Result<SoundLists, &DeviceError>, now: Instant) {
        let Ok(lists) = lists else {
            (self.lists, self.settled, self.came) = (None, None, None);
            return;
        };
        let there = || lists.speakers.offered.iter().chain(&lists.microphones.offered);
        // Another sound system: it has names of its own for the same devices.
        let other_host = !self.known.is_empty() && !there().any(|d| self.known.iter().any(|(k, _)| host(k) == host(d)));
        if other_host {
            self.settled = None;
        }
        let settled = *self.settled.get_or_insert(now + SETTLES);
        if now >= settled {
            let is_new = |device: &&DeviceInfo| !self.known.iter().any(|(known, _)| known.belongs_with(device));
            let parts = |device: &DeviceInfo| there().filter(|other| other.belongs_with(device)).count();
            let new = there().filter(|device| !device.is_screen()).filter(is_new).max_by_key(|device| parts(device));
            self.came = new.map(|new| (new.clone(), now)).or(self.came.take());
        }
        self.known.retain(|(known, seen)| now < *seen + LINGERS && !there().any(|device| device.id == known.id));
        self.known.extend(there().map(|device| (device.clone(), now)));
        self.lists = Some(lists);
    }

    /// The person does not want it, or has chosen for themselves.
    pub(crate) fn dismiss(&mut self) {
        self.came = None;
    }

    /// What to offer now.
    pub(crate) fn offer(&self, microphone: &Used<'_>, speaker: &Used<'_>, now: Instant) -> Option<DeviceOffer> {
        let ((came, since), lists) = (self.came.as_ref()?, self.lists.as_ref()?);
        if now < *since + PATIENCE || now >= *since + LASTS {
            return None;
        }
        let part = |list: &SoundDevices, used: &Used<'_>| {
            let mut parts = list.offered.iter().filter(|device| device.belongs_with(came));
            parts.find(|device| !used.up(device, list)).cloned()
        };
        let microphones = &lists.microphones;
        let separate = microphones.offered.iter().any(|device| !microphones.is_bluetooth(device));
        // Its microphone would cost a Bluetooth headset its sound.
        let microphone = part(microphones, microphone).filter(|part| !separate || !microphones.is_bluetooth(part));
        let speaker = part(&lists.speakers, speaker);
        let any = microphone.as_ref().or(speaker.as_ref())?;
        let name = any.name_with(speaker.as_ref().filter(|_| microphone.is_some()));
        Some(DeviceOffer { name, microphone: microphone.map(|part| part.id), speaker: speaker.map(|part| part.id) })
    }

    /// When [`offer`](Self::offer) may say something else although nothing happened.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let (_, since) = self.came.as_ref()?;
        [*since + PATIENCE, *since + LASTS].into_iter().find(|at| *at > now)
    }
}

fn host(device: &DeviceInfo) -> &str {
    device.id.split_once(':').map_or("", |(host, _)| host)
}

#[cfg(test)]
mod tests;
