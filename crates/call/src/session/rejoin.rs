//! A seat that is lost in mid-call is taken anew, so that there is a way to agree on another path when this one breaks.
//!
//! A server that was restarted knows neither the room nor us. Both sides enter it again, in any order: who opened it
//! opens it, who joined it joins, and who finds it the other way round changes over. Nothing is agreed on anew: the keys
//! are those of the call, so no share is answered, no attempt is spent, and whoever else comes is shown nothing that they
//! could open. Each greets whom it finds with something sealed, which tells the one that knows the keys from all others.
//!
//! The room being somebody else's meanwhile only means that signaling cannot be had; media needs none.

use super::links::{LinkId, Seat};
use super::seats::{Door, Refusal};
use super::talk::Transport;
use super::{Output, Session, Stage};
use crate::api::Event;
use std::time::Instant;
use visavis_media::PeerId;
use visavis_signaling::{ClientMessage, ErrorCode, LeaveReason, Newcomer, Seat as Seating};

impl Session {
    /// The way to the server broke or stands again.
    pub(super) fn talk_link_changed(&mut self, now: Instant, id: LinkId) {
        let up = self.links.get(id).is_some_and(|link| link.up);
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.link != id {
            return;
        }
        if up {
            talk.seats.link_up(now);
            self.enter(now);
        } else {
            talk.seats.link_down();
        }
    }

    /// Our seat is ours again.
    pub(super) fn seat_resumed(&mut self, now: Instant, seat: Seating) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let strangers = talk.seats.resumed(now, seat.peers.into_iter().map(|peer| peer.peer_id));
        self.greet(&strangers);
        self.mend_if_broken(now);
    }

    /// What the server says about our seat, or about our asking for one.
    pub(super) fn seat_refused(&mut self, now: Instant, code: &ErrorCode) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let need = matches!(talk.transport, Transport::Connected { interrupted: Some(_), .. });
        let turn = match code {
            ErrorCode::SeatGone | ErrorCode::NotInRoom | ErrorCode::Dismissed => {
                // Who turned us out does so again.
                let patiently = *code == ErrorCode::Dismissed;
                if talk.seats.lose(now, patiently) {
                    tracing::info!("the seat on the signaling server is gone");
                    self.links.seat(self.talk_link(), Seat::Standing);
                    self.enter(now);
                }
                return;
            }
            // About something said before.
            ErrorCode::NoSuchPeer | ErrorCode::NotOpener | ErrorCode::TooLarge | ErrorCode::UnknownType => return,
            ErrorCode::RoomTaken => Some(Door::Join),
            ErrorCode::NobodyHere => Some(Door::Open),
            ErrorCode::RoomFull
            | ErrorCode::ServerFull
            | ErrorCode::TooFast
            | ErrorCode::AlreadyInRoom
            | ErrorCode::Version
            | ErrorCode::BadMessage
            | ErrorCode::Other(_) => None,
        };
        match talk.seats.refused(now, turn, need) {
            Refusal::Through(door) => self.ask(now, door),
            Refusal::Later => {
                tracing::debug!(?code, "signaling unavailable");
                self.links.seat(self.talk_link(), Seat::Standing);
            }
            Refusal::Unasked => tracing::debug!(?code, "server refused a message"),
        }
    }

    /// Enters the room again, where that is due.
    fn enter(&mut self, now: Instant) {
        let Stage::Talking(talk) = &self.stage else { return };
        let door = if talk.negotiation.is_polite() { Door::Join } else { Door::Open };
        if let Some(door) = talk.seats.due(now, door) {
            self.ask(now, door);
        }
    }

    fn ask(&mut self, now: Instant, door: Door) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let (link, Some(code)) = (talk.link, talk.code.clone()) else { return talk.seats.put_off(now) };
        let message = match door {
            Door::Open => ClientMessage::open(code.room_id()),
            Door::Join => match self.secret.as_ref().filter(|(of, _)| *of == code) {
                // A share as any newcomer's. Nobody's answer to it is taken.
                Some((_, secret)) => ClientMessage::join(code.room_id(), Newcomer::start(secret).1),
                None => {
                    talk.seats.put_off(now);
                    return self.output(Output::Derive(code));
                }
            },
        };
        talk.seats.asked(now, door);
        self.links.seat(link, Seat::Asked);
        self.output(Output::Send(link, message));
    }

    /// A seat is given to us.
    pub(super) fn seat_given(&mut self, now: Instant, seat: Seating) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let link = talk.link;
        let others = seat.peers.into_iter().map(|peer| peer.peer_id);
        let Some(strangers) = talk.seats.entered(now, seat.peer_id.clone(), others) else {
            return self.patience.strange("a seat that was not asked for");
        };
        self.links.seat(link, Seat::Taken(seat.peer_id));
        self.links.ice(link, seat.ice_servers);
        self.greet(&strangers);
    }

    /// Somebody came into the room of a call.
    pub(super) fn somebody_came(&mut self, now: Instant, name: PeerId) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let link = talk.link;
        match talk.is_connected().then(|| talk.seats.came(now, name.clone())) {
            Some(Some(true)) => self.greet(&[name]),
            // Nobody else is expected before the call stands.
            None if name == *talk.seats.them() => {}
            None | Some(Some(false)) => self.output(Output::Send(link, ClientMessage::dismiss(name))),
            Some(None) => {}
        }
    }

    /// Somebody left it.
    pub(super) fn somebody_left(&mut self, now: Instant, name: &PeerId, reason: LeaveReason) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        talk.newcomer.take_if(|(newcomer, _)| newcomer == name);
        if talk.seats.went(name) {
            self.they_left(now, reason);
        }
    }

    /// Tells those who are there, and may be the other side, that we are.
    fn greet(&mut self, strangers: &[PeerId]) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        for name in strangers {
            talk.greet(&mut self.outputs, name);
        }
    }

    /// Someone's offer of a call of their own: they wait there, and not for us. Our place is somebody else's.
    pub(super) fn room_is_taken(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        talk.seats.is_taken(now);
        let link = talk.link;
        tracing::info!("signaling unavailable");
        self.links.seat(link, Seat::Standing);
        self.output(Output::Send(link, ClientMessage::LeaveRoom));
    }

    /// Once something of theirs has opened under a new name, signaling is there again.
    pub(super) fn look_who_is_there(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if !talk.seats.take_found(now) {
            return;
        }
        tracing::info!("both have a seat on the signaling server again");
        talk.left = false;
        // What was on its way did not arrive.
        talk.exchange.settled();
        self.mend_if_broken(now);
    }

    /// Lets time pass.
    pub(super) fn rejoin_timeout(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let link = talk.link;
        for name in talk.seats.unwanted(now) {
            self.output(Output::Send(link, ClientMessage::dismiss(name)));
        }
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.seats.is_unanswered(now) {
            let need = matches!(talk.transport, Transport::Connected { interrupted: Some(_), .. });
            talk.seats.refused(now, None, need);
            self.links.seat(link, Seat::Standing);
        }
        self.enter(now);
    }

    /// Says whether the other side can be told something by way of the server, where that has changed.
    pub(super) fn note_signaling(&mut self) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let there = talk.seats.are_good() && self.links.get(talk.link).is_some_and(|link| link.up);
        if talk.is_connected() && talk.signaling != there {
            talk.signaling = there;
            self.tell(Event::Signaling(there));
        }
    }
}
