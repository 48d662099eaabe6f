//! Two who meet under one code at the same moment, without a server between them: both find nobody, both open the room,
//! each in their own app. While one waits like this, the driver names apps nearby that rank before ours (so that only one
//! of two gives way); we ask there, and where somebody waits we join them instead.

use super::joining::Joining;
use super::links::{LinkId, LinkKind, Seat};
use super::waiting::{Choice, Waiting};
use super::{Output, Session, Stage, later};
use crate::api::Event;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use visavis_signaling::{ClientMessage, Newcomer, Seat as Seating};

/// An app that has started may open its room a moment later: it is asked again after this long, which is as often as a
/// server likes to be asked…
const AGAIN: Duration = Duration::from_millis(500);
/// …and no more than so many times in all.
const MOST: u32 = 8;

/// Asking apps nearby, while a room is open to meet in.
#[derive(Default)]
pub(super) struct Meeting {
    asked: BTreeMap<LinkId, Newcomer>,
    again: Option<Instant>,
    times: u32,
}

impl Meeting {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again
    }
}

fn nearby(kind: &LinkKind) -> bool {
    match kind {
        LinkKind::ThisMachine | LinkKind::LocalNetwork => true,
        LinkKind::Configured { .. } | LinkKind::Own { .. } | LinkKind::Echo => false,
    }
}

impl Session {
    /// Asks on every link to an app nearby where we have not asked yet.
    pub(super) fn ask_nearby(&mut self) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some((_, secret)) = self.secret.as_ref().filter(|(of, _)| *of == waiting.code) else { return };
        if waiting.choice != Choice::Meet {
            return;
        }
        let free = self.links.iter().filter(|(_, l)| nearby(&l.info.kind) && l.up && l.seat == Seat::Standing);
        for id in free.map(|(id, _)| id).collect::<Vec<_>>() {
            if waiting.meeting.times >= MOST {
                return;
            }
            waiting.meeting.times += 1;
            let (newcomer, share) = Newcomer::start(secret);
            waiting.meeting.asked.insert(id, newcomer);
            self.links.seat(id, Seat::Asked);
            let join = ClientMessage::join(waiting.code.room_id(), share);
            self.outputs.push_back(Output::Send(id, join));
        }
    }

    /// Nobody waits there, or not yet.
    pub(super) fn nobody_nearby(&mut self, now: Instant, link: LinkId) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.meeting.asked.remove(&link).is_some() {
            self.links.seat(link, Seat::Refused);
            waiting.meeting.again.get_or_insert(later(now, AGAIN));
        }
    }

    pub(super) fn meeting_timeout(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.meeting.again.is_none_or(|at| at > now) {
            return;
        }
        waiting.meeting.again = None;
        let refused = self.links.iter().filter(|(_, l)| nearby(&l.info.kind) && l.seat == Seat::Refused);
        for id in refused.map(|(id, _)| id).collect::<Vec<_>>() {
            self.links.seat(id, Seat::Standing);
        }
        self.ask_nearby();
    }

    /// Somebody waits there: we give our own room up and are their newcomer.
    pub(super) fn meet_nearby(&mut self, now: Instant, link: LinkId, seat: Seating) {
        let Stage::Waiting(Waiting { code, meeting, .. }) = &mut self.stage else { return };
        let Some(newcomer) = meeting.asked.remove(&link) else {
            self.output(Output::Send(link, ClientMessage::LeaveRoom));
            return;
        };
        let code = code.clone();
        self.drop_attempts();
        self.links.seat(link, Seat::Taken(seat.peer_id));
        self.links.ice(link, seat.ice_servers);
        for other in self.links.take_other_seats(link) {
            self.output(Output::Send(other, ClientMessage::LeaveRoom));
        }
        self.tell(Event::Joined { opened: false, code: code.to_string() });
        self.stage = Stage::Joining(Joining::found(now, code, link, newcomer));
    }
}
