//! Looking for who waits under a code: on every link at once, and the first that has somebody is taken.

use super::links::{LinkId, Seat};
use super::talk::{Talk, Unread};
use super::waiting::Choice;
use super::{Output, Session, Stage, later};
use crate::api::{EndReason, Event};
use crate::peer::PeerCommand;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use visavis_media::PeerId;
use visavis_signaling::{ClientMessage, Envelope, ErrorCode, Kind, Newcomer, RoomCode, ServerMessage};

/// Time to find somebody.
const SEARCHING: Duration = Duration::from_secs(8);
/// Time for their offer.
const OFFERING: Duration = Duration::from_secs(15);

/// See the module's text.
pub(crate) struct Joining {
    pub code: RoomCode,
    /// Open the room where nobody is there.
    either: bool,
    pub since: Instant,
    limit: Instant,
    /// The local network is still being searched.
    pub more_links: bool,
    /// Our half of the key agreement, one for each link that we asked on.
    asked: BTreeMap<LinkId, Newcomer>,
    /// Somebody said that nobody waits there.
    nobody: bool,
    /// Where somebody waits.
    pub chosen: Option<LinkId>,
}

impl Joining {
    pub(crate) fn deadline(&self) -> Instant {
        self.limit
    }
}

impl Session {
    pub(super) fn join(&mut self, now: Instant, code: RoomCode, either: bool) {
        self.stage = Stage::Joining(Joining {
            code: code.clone(),
            either,
            since: now,
            limit: later(now, SEARCHING),
            more_links: true,
            asked: BTreeMap::new(),
            nobody: false,
            chosen: None,
        });
        if self.secret_for(&code).is_none() {
            self.output(Output::Derive(code.clone()));
        }
        self.output(Output::Search(code));
        self.join_everywhere(now);
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
        let Some(link) = self.links.get(id) else { return };
        if link.up && link.seat == Seat::Standing && joining.chosen.is_none() {
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
        if joining.more_links || joining.chosen.is_some() || self.links.iter().any(|(_, l)| hope(l)) {
            return;
        }
        self.nobody_found(now);
    }

    fn nobody_found(&mut self, now: Instant) {
        let Stage::Joining(joining) = &self.stage else { return };
        let (code, either, nobody) = (joining.code.clone(), joining.either, joining.nobody);
        let trouble = self.links.any_trouble();
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
        match joining.chosen {
            Some(_) if self.patience.oddities() > 0 => self.end(now, EndReason::Meddled),
            Some(_) => self.end(now, EndReason::PeerLeft),
            None => self.nobody_found(now),
        }
    }

    pub(super) fn joining_message(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        match message {
            ServerMessage::Joined(_) if !self.links.asked(link) => {
                self.patience.strange("a seat that was not asked for")
            }
            ServerMessage::Joined(seat) => {
                if joining.chosen.is_some_and(|chosen| chosen != link) {
                    self.links.seat(link, Seat::Refused);
                    self.output(Output::Send(link, ClientMessage::LeaveRoom));
                    return;
                }
                joining.chosen = Some(link);
                joining.limit = later(now, OFFERING);
                let code = joining.code.to_string();
                self.links.seat(link, Seat::Taken(seat.peer_id));
                self.seated_with(link, seat.ice_servers);
                for other in self.links.take_other_seats(link) {
                    self.output(Output::Send(other, ClientMessage::LeaveRoom));
                }
                self.output(Output::Release { keep: Some(link) });
                self.tell(Event::Joined { opened: false, code });
            }
            ServerMessage::Offer(envelope) if joining.chosen == Some(link) => self.first_offer(now, link, &envelope),
            ServerMessage::PeerLeft { .. } if joining.chosen == Some(link) => self.end(now, EndReason::PeerLeft),
            ServerMessage::Error { code, message } => self.joining_error(now, link, &code, &message),
            ServerMessage::Opened(_)
            | ServerMessage::Resumed(_)
            | ServerMessage::PeerJoined { .. }
            | ServerMessage::PeerLeft { .. }
            | ServerMessage::Offer(_)
            | ServerMessage::Answer(_)
            | ServerMessage::IceCandidate(_)
            | ServerMessage::Unknown => {}
        }
    }

    fn joining_error(&mut self, now: Instant, link: LinkId, code: &ErrorCode, message: &str) {
        let Stage::Joining(joining) = &mut self.stage else { return };
        let chosen = joining.chosen == Some(link);
        match code {
            ErrorCode::NobodyHere => {
                joining.nobody = true;
                self.links.seat(link, Seat::Refused);
                self.joining_settled(now);
            }
            ErrorCode::RoomFull if joining.chosen.is_none() => self.end(now, EndReason::RoomFull),
            ErrorCode::Dismissed if chosen => self.end(now, EndReason::Dismissed),
            ErrorCode::AlreadyInRoom if self.links.asked(link) && self.links.leftover(link) => {
                self.output(Output::Send(link, ClientMessage::LeaveRoom));
                self.joining_link(now, link);
            }
            ErrorCode::Version => self.end(now, EndReason::Version),
            ErrorCode::SeatGone if chosen => self.end(now, EndReason::PeerLeft),
            // About something that we said before we asked.
            ErrorCode::NotInRoom | ErrorCode::NoSuchPeer | ErrorCode::NotOpener => {}
            _ if !chosen => {
                self.links.seat(link, Seat::Refused);
                self.links.trouble(link, message);
                self.joining_settled(now);
            }
            _ => tracing::debug!(?code, "server refused a message"),
        }
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
            self.end(now, EndReason::WrongCode);
            return;
        };
        let keys = match newcomer.finish(share) {
            Ok(agreed) => agreed.into_keys(),
            Err(error) => {
                tracing::debug!(%error, "their share was refused");
                self.end(now, EndReason::WrongCode);
                return;
            }
        };
        let them: PeerId = envelope.from.clone();
        let key = self.new_key();
        let mut talk = Talk::newcomer(key, link, me, them, envelope.call_id.clone(), keys, joining_limit);
        let read = talk.open_description(now, Kind::Offer, envelope);
        if read != Err(Unread::Foreign) {
            // It opens: whoever sealed it knows the code.
            self.book.counter(&code).give_back(guess);
        }
        let sdp = match read {
            Ok(sdp) => sdp,
            Err(Unread::Foreign) => {
                self.end(now, EndReason::WrongCode);
                return;
            }
            Err(Unread::Outdated) => {
                self.end(now, EndReason::Unusable("an offer of another connection".into()));
                return;
            }
            Err(Unread::Unusable(fault)) => {
                self.end(now, EndReason::Unusable(fault.to_string()));
                return;
            }
        };
        self.output(Output::PeerNew(key, self.links.ice_servers(link)));
        self.output(Output::PeerDo(key, PeerCommand::AcceptOffer(sdp)));
        self.tell(Event::PeerJoined);
        self.begin_talk(now, talk, code);
    }
}
