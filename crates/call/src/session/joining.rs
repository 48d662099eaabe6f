//! Looking for who waits under a code: on every link at once, and who proves to know the code first is taken.
//!
//! The first two words of a code are no secret and may be drawn twice, so somebody found under them need not be the one
//! who is looked for. Whose offer does not open is left, and the others are still waited for; each costs an attempt.

use super::at_door::AtDoor;
use super::door::Outside;
use super::links::{Link, LinkId, LinkKind, Seat};
use super::sealed::Unread;
use super::talk::Talk;
use super::waiting::Choice;
use super::{Output, Session, Stage, later};
use crate::api::{EndReason, Event};
use crate::peer::PeerCommand;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use visavis_media::PeerId;
use visavis_signaling::{ClientMessage, Envelope, ErrorCode, Invitation, Kind, Newcomer, RoomCode, ServerMessage};

/// Time to find somebody.
const SEARCHING: Duration = Duration::from_secs(8);
/// Time for their offer, from when the first was found.
const OFFERING: Duration = Duration::from_secs(15);

/// See the module's text.
pub(crate) struct Joining {
    pub code: RoomCode,
    /// The server that the invitation named: no other is asked for who waits, though apps nearby are.
    server: Option<String>,
    /// Open the room where nobody is there.
    either: bool,
    /// It is the echo peer that is called, and nobody else is asked.
    echo: bool,
    pub since: Instant,
    pub(super) limit: Instant,
    /// The local network is still being searched.
    pub more_links: bool,
    /// Our half of the key agreement, one for each link that we asked on.
    asked: BTreeMap<LinkId, Newcomer>,
    /// Somebody said that nobody waits there.
    nobody: bool,
    /// Somebody was there, at least once.
    found: bool,
    /// The best reason so far why who was found is not the one; it counts when there is nobody else.
    refused: Option<EndReason>,
    /// Who waits there has a lasting room, and was asked to let us in.
    pub(super) outside: Option<Outside>,
}

impl Joining {
    pub(super) fn new(now: Instant, invitation: Invitation, either: bool) -> Self {
        Self {
            code: invitation.code,
            server: invitation.server,
            either,
            echo: false,
            since: now,
            limit: later(now, SEARCHING),
            more_links: true,
            asked: BTreeMap::new(),
            nobody: false,
            found: false,
            refused: None,
            outside: None,
        }
    }

    /// With somebody found already, on a link where we asked before.
    pub(super) fn found(now: Instant, code: RoomCode, link: LinkId, newcomer: Newcomer) -> Self {
        let asked = BTreeMap::from([(link, newcomer)]);
        Self {
            limit: later(now, OFFERING),
            more_links: false,
            asked,
            found: true,
            ..Self::new(now, Invitation { code, server: None }, true)
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.limit
    }

    /// Whether who is looked for may be there.
    fn asks(&self, link: &Link) -> bool {
        match &link.info.kind {
            LinkKind::Echo => self.echo,
            LinkKind::Configured { url } => !self.echo && self.server.as_ref().is_none_or(|server| server == url),
            LinkKind::Own { .. } | LinkKind::ThisMachine | LinkKind::LocalNetwork => !self.echo,
        }
    }

    /// The host of the server that the invitation named.
    pub(crate) fn host(&self) -> Option<&str> {
        self.server.as_deref().map(host_of)
    }

    fn refuse(&mut self, reason: EndReason) {
        if self.refused.as_ref().is_none_or(|before| weight(before) < weight(&reason)) {
            self.refused = Some(reason);
        }
    }
}

/// What stands in an address for its host and port.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Which of several reasons tells a person most about what to do next.
fn weight(reason: &EndReason) -> u32 {
    match reason {
        EndReason::WrongCode => 4,
        EndReason::Version => 3,
        EndReason::Dismissed | EndReason::Guarded => 2,
        EndReason::RoomFull => 1,
        _ => 0,
    }
}

impl Session {
    pub(super) fn join(&mut self, now: Instant, invitation: Invitation, either: bool) {
        let code = invitation.code.clone();
        self.stage = Stage::Joining(Joining::new(now, invitation, either));
        if self.secret_for(&code).is_none() {
            self.output(Output::Derive(code.clone()));
        }
        self.output(Output::Search(code));
        self.join_everywhere(now);
    }

    /// Calls the echo peer, whose link is there.
    pub(super) fn call_echo(&mut self, now: Instant, code: RoomCode) {
        let invitation = Invitation { code: code.clone(), server: None };
        self.stage = Stage::Joining(Joining { echo: true, more_links: false, ..Joining::new(now, invitation, false) });
        self.output(Output::Derive(code));
    }

    pub(super) fn join_everywhere(&mut self, now: Instant) {
        let ids: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.joining_link(now, id);
        }
    }

    pub(super) fn joining_link(&mut self, now: Instant, id: LinkId) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        let Some((_, secret)) = self.secret.as_ref().filter(|(of, _)| *of == joining.code) else { return };
        let Some(link) = self.links.get(id).filter(|link| joining.asks(link)) else { return };
        if link.up && link.seat == Seat::Standing && joining.outside.is_none() {
            let (newcomer, share) = Newcomer::start(secret);
            joining.asked.insert(id, newcomer);
            let join = ClientMessage::join(joining.code.room_id(), share);
            self.links.seat(id, Seat::Asked);
            self.output(Output::Send(id, join));
        }
        self.joining_settled(now);
    }

    /// Ends the search when nothing is left to hope for.
    pub(super) fn joining_settled(&mut self, now: Instant) {
        let Stage::Joining(joining) = &self.stage else { return };
        let hope = |link: &super::links::Link| match link.seat {
            Seat::Asked | Seat::Taken(_) => true,
            Seat::Standing => link.trouble.is_none(),
            Seat::Refused => false,
        };
        if joining.more_links || self.links.iter().any(|(_, l)| joining.asks(l) && hope(l)) {
            return;
        }
        self.nobody_found(now);
    }

    fn nobody_found(&mut self, now: Instant) {
        let Stage::Joining(joining) = &self.stage else { return };
        if let Some(reason) = joining.refused.clone() {
            return self.end(now, reason);
        }
        let (code, either, nobody) = (joining.code.clone(), joining.either, joining.nobody);
        let asked = |link: &Link| joining.asks(link);
        let trouble = self.links.any_trouble(asked).or_else(|| self.links.any_silent(asked));
        match trouble {
            _ if either => {
                self.leave_everywhere();
                self.start(now, code, Choice::Meet);
            }
            Some(why) if !nobody => self.end(now, EndReason::SignalingUnreachable(why)),
            _ => self.end(now, EndReason::NobodyHere),
        }
    }

    pub(super) fn joining_timeout(&mut self, now: Instant) {
        let Stage::Joining(joining) = &self.stage else { return };
        if joining.limit > now {
            return;
        }
        if joining.outside.is_some() {
            return self.end(now, EndReason::NotAnswered);
        }
        if self.links.seated() {
            let unheard = if self.patience.oddities() > 0 { EndReason::Meddled } else { EndReason::PeerLeft };
            let reason = joining.refused.clone().unwrap_or(unheard);
            return self.end(now, reason);
        }
        self.nobody_found(now);
    }

    pub(super) fn joining_message(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        if matches!(&self.stage, Stage::Joining(joining) if joining.outside.is_some()) {
            return self.outside_message(now, link, message);
        }
        match message {
            ServerMessage::Joined(_) if !self.links.asked(link) => {
                self.patience.strange("a seat that was not asked for")
            }
            ServerMessage::Joined(seat) => {
                self.links.seat(link, Seat::Taken(seat.peer_id));
                self.seated_with(link, seat.ice_servers);
                let Stage::Joining(joining) = &mut self.stage else { return };
                if !std::mem::replace(&mut joining.found, true) {
                    joining.limit = later(now, OFFERING);
                    let code = joining.code.to_string();
                    self.tell(Event::Joined { opened: false, code });
                }
            }
            ServerMessage::Offer(envelope) => self.first_offer(now, link, &envelope),
            ServerMessage::PeerLeft { .. } if self.links.my_id(link).is_some() => {
                self.not_the_one(now, link, EndReason::PeerLeft);
            }
            ServerMessage::Error { code, message } => self.joining_error(now, link, &code, &message),
            ServerMessage::Opened(_)
            | ServerMessage::Resumed(_)
            | ServerMessage::PeerJoined { .. }
            | ServerMessage::PeerLeft { .. }
            | ServerMessage::Answer(_)
            | ServerMessage::IceCandidate(_)
            | ServerMessage::Unknown => {}
        }
    }

    fn joining_error(&mut self, now: Instant, link: LinkId, code: &ErrorCode, message: &str) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        let seated = self.links.my_id(link).is_some();
        match code {
            ErrorCode::NobodyHere => {
                joining.nobody = true;
                self.links.seat(link, Seat::Refused);
                self.joining_settled(now);
            }
            ErrorCode::RoomFull if !seated => self.turned_away(now, link, EndReason::RoomFull),
            ErrorCode::Dismissed if seated && joining.code.is_lasting() => {
                self.turned_away(now, link, EndReason::Guarded);
            }
            ErrorCode::Dismissed if seated => self.turned_away(now, link, EndReason::Dismissed),
            ErrorCode::AlreadyInRoom if !seated && self.links.asked(link) && self.links.leftover(link) => {
                self.output(Output::Send(link, ClientMessage::LeaveRoom));
                self.joining_link(now, link);
            }
            ErrorCode::Version => self.turned_away(now, link, EndReason::Version),
            ErrorCode::SeatGone if seated => self.turned_away(now, link, EndReason::PeerLeft),
            // About something that we said before we asked.
            ErrorCode::NotInRoom | ErrorCode::NoSuchPeer | ErrorCode::NotOpener => {}
            _ if !seated => {
                self.links.seat(link, Seat::Refused);
                self.links.trouble(link, message);
                self.joining_settled(now);
            }
            _ => tracing::debug!(?code, "server refused a message"),
        }
    }

    /// Nothing more comes of a link, and we have no seat there.
    fn turned_away(&mut self, now: Instant, link: LinkId, reason: EndReason) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        joining.refuse(reason);
        joining.asked.remove(&link);
        self.links.seat(link, Seat::Refused);
        self.joining_settled(now);
    }

    /// Who is there is not the one who is looked for: they are left, and the others are still waited for.
    fn not_the_one(&mut self, now: Instant, link: LinkId, reason: EndReason) {
        self.output(Output::Send(link, ClientMessage::LeaveRoom));
        self.turned_away(now, link, reason);
    }

    /// The answer to our share came, with the first sealed offer: if that opens, its sender knows the code.
    fn first_offer(&mut self, now: Instant, link: LinkId, envelope: &Envelope) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        let (Some(share), Some(me)) = (envelope.pake.as_ref(), self.links.my_id(link)) else {
            self.patience.strange("an offer without a key share");
            return;
        };
        if envelope.to != me || envelope.from == me || envelope.room_id != joining.code.room_id() {
            self.patience.strange("an offer for somebody else");
            return;
        }
        let Some(newcomer) = joining.asked.remove(&link) else { return };
        let (code, joining_limit) = (joining.code.clone(), joining.limit);
        let Ok(guess) = self.book.counter(&code).spend(now) else {
            // Others may be there, but none of them may be answered any more.
            self.end(now, if code.is_lasting() { EndReason::Guarded } else { EndReason::WrongCode });
            return;
        };
        let keys = match newcomer.finish(share) {
            Ok(agreed) => agreed.into_keys(),
            Err(error) => {
                tracing::debug!(%error, "their share was refused");
                self.not_the_one(now, link, EndReason::WrongCode);
                return;
            }
        };
        let them: PeerId = envelope.from.clone();
        let key = self.new_key();
        let mut talk = Talk::newcomer(key, link, me, them, envelope.call_id.clone(), keys, joining_limit);
        let read = match code.is_lasting() {
            true => talk.open_at_door(now, Kind::Offer, envelope),
            false => talk.open_description(now, Kind::Offer, envelope).map(AtDoor::Description),
        };
        if read != Err(Unread::Foreign) {
            // It opens: whoever sealed it knows the code.
            self.book.counter(&code).give_back(guess);
        }
        match read {
            Ok(AtDoor::Description(sdp)) => self.accept_first(now, talk, sdp, code),
            Ok(AtDoor::Hold(owner)) => self.hold(now, talk, owner),
            Ok(AtDoor::Knock(_) | AtDoor::Refused(_)) => {
                self.end(now, EndReason::Unusable("a word that does not belong here".into()));
            }
            Err(Unread::Foreign) => {
                self.not_the_one(now, link, EndReason::WrongCode);
            }
            Err(Unread::Outdated) => {
                self.end(now, EndReason::Unusable("an offer of another connection".into()));
            }
            Err(Unread::Unusable(fault)) => {
                self.end(now, EndReason::Unusable(fault.to_string()));
            }
        }
    }

    /// Their first offer, which is answered: the call begins.
    pub(super) fn accept_first(&mut self, now: Instant, talk: Talk, sdp: String, code: RoomCode) {
        let (key, link) = (talk.key, talk.link);
        for other in self.links.take_other_seats(link) {
            self.output(Output::Send(other, ClientMessage::LeaveRoom));
        }
        self.output(Output::Release { keep: Some(link) });
        self.output(Output::PeerNew(key, self.links.ice_servers(link)));
        self.output(Output::PeerDo(key, PeerCommand::AcceptOffer(sdp)));
        self.tell(Event::PeerJoined);
        self.begin_talk(now, talk, code);
    }
}
