//! The door of a lasting room: nothing of its owner's is sent to a caller before the owner has let them in.
//!
//! Whoever was once told the six words can come at any time, so proving them is not enough. To a newcomer the owner's side
//! first sends, with its half of the key agreement and sealed, nothing but "hold" and the owner's name. Who can open it
//! knocks: a sealed answer with their name, which proves the words, so that their attempt is given back and the owner is
//! asked. Only *Accept* makes a peer connection and a real offer; *Decline*, or a minute without an answer, sends a sealed
//! refusal. Neither addresses nor fingerprints of either side are in any of this. In the call nobody is asked again: its
//! keys say who it is.

use super::at_door::{AtDoor, Refusal, Who};
use super::links::LinkId;
use super::sealed::Unread;
use super::talk::Talk;
use super::{Output, PeerKey, Session, Stage, later};
use crate::api::{Asks, EndReason, Event};
use crate::peer::PeerCommand;
use std::time::{Duration, Instant};
use visavis_media::PeerId;
use visavis_signaling::{ClientMessage, Envelope, ErrorCode, Kind, ServerMessage};

/// The owner has this long to answer: somebody may have to come from the next room.
const ASKING: Duration = Duration::from_secs(60);
/// After somebody was declined or not answered nobody is asked about for a moment, so that who calls again and again
/// leaves the owner the time to do something about it.
const QUIET: Duration = Duration::from_secs(5);
/// The caller waits a little longer than that: the refusal has to arrive.
const WAITING: Duration = Duration::from_secs(75);

/// Somebody who proved the code of a lasting room, and whom its owner has not let in yet.
pub(super) struct Asking {
    talk: Box<Talk>,
    who: Who,
    since: Instant,
    pub(super) until: Instant,
}

/// The owner's door, seen from outside.
pub(super) struct Outside {
    talk: Box<Talk>,
    /// Whose room it is.
    pub(super) owner: String,
    pub(super) since: Instant,
}

impl Session {
    fn who_i_am(&self) -> Who {
        Who { name: self.me.name.clone(), guest: false }
    }

    /// A newcomer's share was answered: they are told to hold, and nothing else.
    pub(super) fn ask_to_hold(&mut self, key: PeerKey) {
        let me = self.who_i_am();
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if let Some(talk) = waiting.attempt_mut(key) {
            talk.say_at_door(&mut self.outputs, Kind::Offer, &AtDoor::Hold(me));
        }
    }

    /// What an attempt at a lasting room answers: if it opens, its sender knows the code, and the owner is asked.
    pub(super) fn knock(&mut self, now: Instant, key: PeerKey, envelope: &Envelope) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(talk) = waiting.attempt_mut(key) else { return };
        match talk.open_at_door(now, Kind::Answer, envelope) {
            Ok(AtDoor::Knock(who)) => self.ask_owner(now, key, who),
            Ok(AtDoor::Hold(_) | AtDoor::Refused(_) | AtDoor::Description(_)) => {
                self.drop_attempt(now, key, Some("what they answer is no knock"));
            }
            Err(Unread::Foreign | Unread::Outdated) => {
                self.drop_attempt(now, key, Some("their knock does not open: wrong code, or changed on its way"));
            }
            Err(Unread::Unusable(_)) => self.drop_attempt(now, key, Some("their knock opens and is of no use")),
        }
    }

    fn ask_owner(&mut self, now: Instant, key: PeerKey, who: Who) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(mut talk) = waiting.take_attempt(key) else { return };
        if let Some(guess) = talk.guess.take() {
            self.book.counter(&waiting.code).give_back(guess);
        }
        let guest = who.guest.then(|| self.links.get(talk.link).map(|l| l.info.host.clone()).unwrap_or_default());
        let asking = Asking { talk: Box::new(talk), who, since: now, until: later(now, ASKING) };
        let quiet = waiting.quiet.is_some_and(|until| until > now);
        if waiting.asking.is_some() {
            // Found by way of another server than who is being asked about.
            return self.refuse(asking, Refusal::Busy);
        }
        if quiet {
            return self.refuse(asking, Refusal::Quiet);
        }
        let name = asking.who.name.clone();
        waiting.asking = Some(asking);
        self.tell(Event::Asks { name, guest });
    }

    /// The owner lets in who asks, or does not.
    pub(super) fn let_in(&mut self, now: Instant, accepted: bool) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(asking) = waiting.asking.take() else { return };
        if !accepted {
            waiting.quiet = Some(later(now, QUIET));
            return self.refuse(asking, Refusal::Declined);
        }
        let Asking { mut talk, who, .. } = asking;
        talk.view.name = who.name;
        let code = waiting.code.clone();
        if let Some(awaited) = waiting.awaited.take() {
            talk.chat = awaited.chat;
        }
        self.drop_attempts();
        self.tell(Event::PeerJoined);
        let (key, link) = (talk.key, talk.link);
        self.begin_talk(now, *talk, code);
        self.output(Output::PeerNew(key, self.links.ice_servers(link)));
        self.output(Output::PeerDo(key, PeerCommand::CreateOffer { restart: false }));
    }

    fn refuse(&mut self, asking: Asking, why: Refusal) {
        let Asking { mut talk, .. } = asking;
        talk.say_at_door(&mut self.outputs, Kind::Offer, &AtDoor::Refused(why));
        let gone = ClientMessage::dismiss(talk.seats.them().clone());
        self.output(Output::Send(talk.link, gone));
    }

    /// The room is left, or somebody else is in the call: who asks is told so.
    pub(super) fn refuse_who_asks(&mut self, why: Refusal) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if let Some(asking) = waiting.asking.take() {
            self.refuse(asking, why);
        }
    }

    pub(super) fn asking_timeout(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if let Some(asking) = waiting.asking.take_if(|asking| asking.until <= now) {
            let name = if asking.who.name.is_empty() { "Somebody" } else { &asking.who.name };
            waiting.quiet = Some(later(now, QUIET));
            waiting.notice = Some(format!("{name} asked to be let in, and nobody answered"));
            self.tell(Event::AsksNoMore);
            self.refuse(asking, Refusal::Unanswered);
        }
    }

    /// Somebody went away; if it is who asks, there is nothing to be answered any more.
    pub(super) fn asks_no_more(&mut self, link: LinkId, gone: impl Fn(&PeerId) -> bool) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let is_gone = |asking: &mut Asking| asking.talk.link == link && gone(asking.talk.seats.them());
        if waiting.asking.take_if(is_gone).is_some() {
            self.tell(Event::AsksNoMore);
        }
    }

    /// Who asks, for the owner to see.
    pub(super) fn asks(&self) -> Option<Asks> {
        let Stage::Waiting(waiting) = &self.stage else { return None };
        let Asking { talk, who, since, until } = waiting.asking.as_ref()?;
        let host = || self.links.get(talk.link).map(|link| link.info.host.clone()).unwrap_or_default();
        Some(Asks { name: who.name.clone(), guest: who.guest.then(host), since: *since, until: *until })
    }

    /// We are to hold: we say who we are, and wait.
    pub(super) fn hold(&mut self, now: Instant, mut talk: Talk, owner: Who) {
        let me = self.who_i_am();
        talk.say_at_door(&mut self.outputs, Kind::Answer, &AtDoor::Knock(me));
        for other in self.links.take_other_seats(talk.link) {
            self.output(Output::Send(other, ClientMessage::LeaveRoom));
        }
        self.output(Output::Release { keep: Some(talk.link) });
        let Stage::Joining(joining) = &mut self.stage else { return };
        let name = owner.name.clone();
        joining.limit = later(now, WAITING);
        joining.outside = Some(Outside { talk: Box::new(talk), owner: owner.name, since: now });
        self.tell(Event::Holds { name });
    }

    /// What comes while we wait to be let in.
    pub(super) fn outside_message(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        let Some(outside) = joining.outside.as_mut().filter(|outside| outside.talk.link == link) else {
            // A seat granted too late elsewhere is given back.
            if matches!(message, ServerMessage::Opened(_) | ServerMessage::Joined(_)) {
                self.output(Output::Send(link, ClientMessage::LeaveRoom));
            }
            return;
        };
        let is_them = |peer: &PeerId| peer == outside.talk.seats.them();
        match message {
            ServerMessage::Offer(envelope) => match outside.talk.open_at_door(now, Kind::Offer, &envelope) {
                Ok(AtDoor::Description(sdp)) => self.come_in(now, sdp),
                Ok(AtDoor::Refused(why)) => self.end(now, reason(why)),
                Ok(AtDoor::Hold(_) | AtDoor::Knock(_)) => self.patience.strange("one word at the door twice"),
                Err(Unread::Foreign) => self.patience.strange("an offer that does not open"),
                Err(Unread::Outdated) => {}
                Err(Unread::Unusable(fault)) => self.end(now, EndReason::Unusable(fault.to_string())),
            },
            ServerMessage::PeerLeft { peer_id, .. } if is_them(&peer_id) => self.end(now, EndReason::PeerLeft),
            ServerMessage::Resumed(seat) if !seat.peers.iter().any(|peer| is_them(&peer.peer_id)) => {
                self.end(now, EndReason::PeerLeft);
            }
            ServerMessage::Error { code: ErrorCode::Dismissed | ErrorCode::SeatGone, .. } => {
                self.end(now, EndReason::PeerLeft);
            }
            ServerMessage::Opened(_)
            | ServerMessage::Joined(_)
            | ServerMessage::Resumed(_)
            | ServerMessage::PeerJoined { .. }
            | ServerMessage::PeerLeft { .. }
            | ServerMessage::Answer(_)
            | ServerMessage::IceCandidate(_)
            | ServerMessage::Error { .. }
            | ServerMessage::Unknown => {}
        }
    }

    fn come_in(&mut self, now: Instant, sdp: String) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        let Some(outside) = joining.outside.take() else { return };
        let code = joining.code.clone();
        self.accept_first(now, *outside.talk, sdp, code);
    }
}

fn reason(why: Refusal) -> EndReason {
    match why {
        Refusal::Declined => EndReason::Declined,
        // Whether they or somebody else called a moment ago: nobody was asked now, so nobody answered.
        Refusal::Unanswered | Refusal::Quiet => EndReason::NotAnswered,
        Refusal::Busy => EndReason::RoomFull,
    }
}
