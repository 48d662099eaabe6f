//! What happens to a call once both sides have keys.

use super::links::LinkId;
use super::negotiation::Verdict;
use super::sealed::{Offered, Unread};
use super::talk::{CONNECTING, MAX_CHAT_LINES, Talk, Transport};
use super::{Output, PeerKey, Session, Stage, later};
use crate::api::{ChatLine, EndReason, Event, Guest, Path, PeerView};
use crate::control::ControlMessage;
use crate::peer::{PeerCommand, PeerEvent};
use std::time::{Duration, Instant};
use visavis_signaling::{ClientMessage, ErrorCode, Kind, LeaveReason, RoomCode, ServerMessage};

/// Who closed a connection to build another offers that within this time.
const NEW_OFFER: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn begin_talk(&mut self, now: Instant, mut talk: Talk, code: RoomCode) {
        talk.code = Some(code);
        talk.transport = Transport::Connecting { limit: later(now, CONNECTING), ready_by: None };
        let link = talk.link;
        for other in self.links.take_other_seats(link) {
            self.output(Output::Send(other, ClientMessage::LeaveRoom));
        }
        self.output(Output::Release { keep: Some(link) });
        if let Some(trouble) = talk.relay_trouble.clone() {
            self.tell(Event::RelayTrouble(trouble));
        }
        self.stage = Stage::Talking(Box::new(talk));
    }

    /// The answer that proved the code, and the candidates that came before it.
    pub(super) fn apply_answer(&mut self, now: Instant, sdp: String) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        talk.negotiation.on_answer();
        let (key, early) = (talk.key, talk.take_early());
        self.output(Output::PeerDo(key, PeerCommand::AcceptAnswer(sdp)));
        for envelope in early {
            self.talk_message(now, self.talk_link(), ServerMessage::IceCandidate(envelope));
        }
    }

    pub(super) fn talk_link(&self) -> LinkId {
        match &self.stage {
            Stage::Talking(talk) => talk.link,
            Stage::Home | Stage::Waiting(_) | Stage::Joining(_) | Stage::Ended(_) => LinkId(u32::MAX),
        }
    }

    pub(super) fn talk_timeout(&mut self, now: Instant) {
        self.rejoin_timeout(now);
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.closed.is_some_and(|at| at <= now) {
            self.end(now, EndReason::PeerHungUp);
            return;
        }
        match &mut talk.transport {
            Transport::Connecting { limit, .. } if *limit <= now => self.no_connection(now),
            Transport::Connecting { ready_by, .. } => {
                if ready_by.is_some_and(|at| at <= now) {
                    *ready_by = None;
                    self.build_anew(now);
                }
            }
            Transport::Connected { interrupted: Some(interruption), .. } => {
                if interruption.is_over(now) {
                    self.end(now, EndReason::ConnectionLost);
                } else if interruption.is_due(now) {
                    self.mend(now);
                }
            }
            Transport::Connected { interrupted: None, .. } => {}
        }
    }

    pub(super) fn talk_message(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.link != link {
            // A seat granted too late elsewhere is given back.
            if matches!(message, ServerMessage::Opened(_) | ServerMessage::Joined(_)) {
                self.output(Output::Send(link, ClientMessage::LeaveRoom));
            }
            return;
        }
        match message {
            ServerMessage::Offer(envelope) if talk.is_of_another_call(&envelope) => self.room_is_taken(now),
            ServerMessage::Offer(envelope) => {
                let key = talk.key;
                match talk.open_offer(now, &envelope) {
                    Ok(Offered::Anew(sdp)) => self.turn_to_new_connection(now, PeerCommand::AcceptOffer(sdp)),
                    Ok(Offered::Same(sdp)) => match talk.negotiation.on_offer() {
                        Verdict::Answer => {
                            let sdp = self.fit(sdp);
                            let Stage::Talking(talk) = &mut self.stage else { return };
                            if let Some(command) = talk.take_offer(now, sdp) {
                                self.output(Output::PeerDo(key, command));
                            }
                        }
                        Verdict::Ignore => tracing::debug!("both offered: ours stands"),
                    },
                    Err(why) => self.unread(now, why, "an offer that does not open"),
                }
            }
            ServerMessage::Answer(envelope) => {
                let key = talk.key;
                match talk.open_description(now, Kind::Answer, &envelope) {
                    Ok(sdp) => {
                        if talk.negotiation.on_answer() {
                            talk.exchange.settled();
                            let sdp = self.fit(sdp);
                            self.output(Output::PeerDo(key, PeerCommand::AcceptAnswer(sdp)));
                        }
                    }
                    Err(why) => self.unread(now, why, "an answer that does not open"),
                }
            }
            ServerMessage::IceCandidate(envelope) => {
                let mut ahead = false;
                let opened = talk.open_candidate(&self.links, &envelope, &mut ahead);
                if ahead {
                    self.go_along(now);
                }
                match opened {
                    Ok(Some(json)) => self.take_candidate(json),
                    Ok(None) => tracing::debug!("a candidate is not used"),
                    Err(why) => self.unread(now, why, "a candidate that does not open"),
                }
            }
            ServerMessage::PeerLeft { peer_id, reason } => self.somebody_left(now, &peer_id, reason),
            ServerMessage::PeerJoined { peer_id, pake } => {
                talk.newcomer =
                    pake.filter(|_| talk.left).map(|share| (peer_id.clone(), share)).or(talk.newcomer.take());
                self.somebody_came(now, peer_id);
            }
            ServerMessage::Error { code, .. } => self.talk_error(now, &code),
            ServerMessage::Resumed(seat) => self.seat_resumed(now, seat),
            ServerMessage::Opened(seat) | ServerMessage::Joined(seat) => self.seat_given(now, seat),
            ServerMessage::Unknown => {}
        }
        self.look_who_is_there(now);
    }

    /// Something sealed is not used. What does not open is the server's doing and changes nothing; what opens and is
    /// no description is the other side's, and there is no call with such an app.
    pub(super) fn unread(&mut self, now: Instant, why: Unread, what: &'static str) {
        match why {
            Unread::Foreign => self.patience.strange(what),
            Unread::Outdated => tracing::debug!("a message about a connection that was given up"),
            Unread::Unusable(fault) => self.end(now, EndReason::Unusable(fault.to_string())),
        }
    }

    /// No way was found, or a server kept it from being found.
    fn no_connection(&mut self, now: Instant) {
        let meddled = self.patience.oddities() > 0;
        self.end(now, if meddled { EndReason::Meddled } else { self.no_way() });
    }

    /// No way was found; a server of ours that should have been one is named.
    pub(super) fn no_way(&self) -> EndReason {
        let trouble = match &self.stage {
            Stage::Talking(talk) => talk.relay_trouble.clone(),
            Stage::Home | Stage::Waiting(_) | Stage::Joining(_) | Stage::Ended(_) => None,
        };
        trouble.map_or(EndReason::ConnectFailed, EndReason::NoRelay)
    }

    fn talk_error(&mut self, now: Instant, code: &ErrorCode) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.is_connected() {
            // Media needs no server; only a change of network in mid-call may need this seat.
            return self.seat_refused(now, code);
        }
        match code {
            ErrorCode::Dismissed => {
                // Dismissed right after our proof: it did not open, so the words were not theirs.
                let reason = if talk.negotiation.is_polite() { EndReason::WrongCode } else { EndReason::Dismissed };
                self.end(now, reason);
            }
            ErrorCode::SeatGone => self.end(now, EndReason::PeerLeft),
            _ => {}
        }
    }

    pub(super) fn they_left(&mut self, now: Instant, reason: LeaveReason) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        match (talk.is_connected(), reason) {
            (false, _) => self.end(now, EndReason::PeerLeft),
            // Said by themselves on the control channel it would be true. A server can say anything: it counts only once
            // nothing gets through, which is soon where they are gone.
            (true, LeaveReason::Left | LeaveReason::Dismissed) => {
                talk.left = true;
                if matches!(talk.transport, Transport::Connected { interrupted: Some(_), .. }) {
                    self.gone_without_a_word(now);
                }
            }
            // Their way to the server broke, or the server says so: media tells whether they are there.
            (true, LeaveReason::Lost | LeaveReason::Unknown) => {}
        }
    }

    pub(super) fn talk_event(&mut self, now: Instant, event: PeerEvent) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        match event {
            PeerEvent::Connected { mine, theirs, path } => self.connected(now, &mine, &theirs, path),
            PeerEvent::IceConnected => self.ice_connected(now),
            PeerEvent::IceDisconnected | PeerEvent::IceFailed => self.interrupted(now),
            PeerEvent::Uses(address) => talk.local = address,
            PeerEvent::Way(path, relay) => self.goes_by(path, relay),
            PeerEvent::RelayTrouble(trouble) => {
                talk.relay_trouble = Some(trouble.clone());
                self.tell(Event::RelayTrouble(trouble));
            }
            PeerEvent::Staged(number, sdp) => self.staged(number, sdp),
            PeerEvent::Nudged => self.go_along(now),
            PeerEvent::ControlOpen => {
                talk.control_open = true;
                self.say_hello();
            }
            PeerEvent::Control(text) => self.control(now, &text),
            PeerEvent::Closed if talk.is_connected() => self.end(now, EndReason::PeerLeft),
            PeerEvent::Closed => {}
            // They closed the connection in due form, though a goodbye may have been too early for the channel.
            PeerEvent::TheyClosed if talk.greeted => self.end(now, EndReason::PeerHungUp),
            // Or they never heard that it stands, and offer another one: that offer takes the longer way.
            PeerEvent::TheyClosed => talk.closed = Some(later(now, NEW_OFFER)),
            PeerEvent::Misbehaves(what) => self.end(now, EndReason::Unusable(what)),
            PeerEvent::Broken(what) => self.end(now, EndReason::Internal(what)),
            PeerEvent::Failed(error) if talk.is_connected() => {
                tracing::debug!(error, "a step of the connection failed");
                talk.negotiation.forget_offer();
                self.exchange_over(now);
                self.interrupted(now);
            }
            PeerEvent::Failed(error) if talk.packets_get_through() => {
                tracing::debug!(error, "a connection failed that packets get through");
                self.failed_early(now);
            }
            PeerEvent::Offer(_) | PeerEvent::Answer(_) | PeerEvent::Candidate { .. } | PeerEvent::Failed(_) => {
                let answered = matches!(event, PeerEvent::Answer(_));
                if talk.attempt_event(&mut self.outputs, &self.links, event) {
                    self.no_connection(now);
                } else if answered {
                    self.exchange_over(now);
                }
            }
        }
    }

    fn connected(&mut self, now: Instant, mine: &[u8], theirs: &[u8], path: Path) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        if talk.announced.as_deref() != Some(theirs) {
            self.end(now, EndReason::Intercepted);
            return;
        }
        let verification = talk.transcript.verification_number_for(mine, theirs).to_string();
        let relay = talk.way.1.clone().filter(|_| path == Path::Relayed);
        talk.transport = Transport::Connected {
            since: now,
            path,
            relay: relay.clone(),
            verification: verification.clone(),
            interrupted: None,
        };
        let key = talk.key;
        self.output(Output::MediaStart(key));
        self.tell(Event::Connected { verification, path, relay });
        self.say_hello();
    }

    /// The path may be another one after each restart of ICE.
    fn goes_by(&mut self, path: Path, relay: Option<String>) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        talk.way = (path, relay.clone());
        let Transport::Connected { path: old, relay: old_relay, .. } = &mut talk.transport else { return };
        if (*old, &*old_relay) != (path, &relay) {
            (*old, *old_relay) = (path, relay.clone());
            self.tell(Event::Path { path, relay });
        }
    }

    fn ice_connected(&mut self, now: Instant) {
        let watchdog = self.watchdog;
        let Stage::Talking(talk) = &mut self.stage else { return };
        let limit = talk.ready_by(now);
        match &mut talk.transport {
            Transport::Connecting { ready_by, .. } => {
                if watchdog && ready_by.is_none() {
                    *ready_by = Some(limit);
                }
                self.tell(Event::IceConnected);
            }
            Transport::Connected { .. } => self.mended(),
        }
    }

    pub(super) fn send_control(&mut self, message: &ControlMessage) {
        if let Stage::Talking(talk) = &self.stage
            && talk.control_open
        {
            let key = talk.key;
            self.output(Output::PeerDo(key, PeerCommand::SendControl(message.write())));
        }
    }

    pub(super) fn say_hello(&mut self) {
        let me = self.me.clone();
        self.send_control(&ControlMessage::Hello {
            name: me.name,
            muted: me.muted,
            video_on: me.video_on && me.camera_works,
            has_camera: me.camera_works,
            sound_only: me.sound_only,
            guest: false,
            page: String::new(),
        });
    }

    pub(super) fn say_bye(&mut self, key: PeerKey, reason: &EndReason) {
        if !matches!(reason, EndReason::PeerHungUp) {
            self.output(Output::PeerDo(key, PeerCommand::SendControl(ControlMessage::Bye { again: false }.write())));
        }
    }

    pub(super) fn chat(&mut self, text: String) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let message = ControlMessage::Chat { text };
        // Shown as it is sent.
        let Some(ControlMessage::Chat { text }) = ControlMessage::read(&message.write()) else { return };
        if text.is_empty() || !talk.is_connected() || talk.unsent.len() >= MAX_CHAT_LINES {
            return;
        }
        push_line(&mut talk.chat, ChatLine { mine: true, text: text.as_str().into() });
        if talk.greeted {
            self.send_control(&message);
        } else {
            talk.unsent.push(text);
        }
    }

    fn control(&mut self, now: Instant, text: &str) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Some(message) = ControlMessage::read(text) else { return };
        match message {
            ControlMessage::Hello { name, muted, video_on, has_camera, sound_only, guest, page } => {
                let server = self.links.get(talk.link).map(|link| link.info.host.clone()).unwrap_or_default();
                let by_own_word = !page.is_empty() && !page.eq_ignore_ascii_case(&server);
                let host = if by_own_word { page } else { server };
                let guest = guest.then_some(Guest { host, by_own_word });
                let view = PeerView { name, muted, video_on, has_camera, sound_only, guest };
                let before = std::mem::replace(&mut talk.view, view);
                let first = !std::mem::replace(&mut talk.greeted, true);
                if before.muted != muted {
                    self.tell(Event::PeerMuted(muted));
                }
                if before.video_on != video_on {
                    self.tell(Event::PeerVideo(video_on));
                }
                if first {
                    self.first_heard();
                }
            }
            ControlMessage::Chat { text } => {
                if !text.is_empty() {
                    push_line(&mut talk.chat, ChatLine { mine: false, text: text.as_str().into() });
                    self.tell(Event::Chat(text));
                }
            }
            ControlMessage::Bye { again } => self.goodbye(now, again),
            ControlMessage::Ping { id } => self.send_control(&ControlMessage::Pong { id }),
            ControlMessage::Pong { id } => self.tell(Event::Pong(id)),
            ControlMessage::Ahead { connection, sdp } => self.hold_ahead(now, connection, sdp),
            ControlMessage::AheadHeld { generation } => talk.ahead.held_by_them(&generation),
            ControlMessage::Unknown => {}
        }
    }

    /// The webrtc crate drops a message that reaches it before its own end of the channel counts as open, so a first
    /// hello may be lost, though only one of the two. Whoever is heard has an open end: say it again, and all else.
    fn first_heard(&mut self) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let unsent = std::mem::take(&mut talk.unsent);
        self.say_hello();
        for text in unsent {
            self.send_control(&ControlMessage::Chat { text });
        }
        self.agree_ahead();
    }

    pub(super) fn ping(&mut self, id: u64) {
        self.send_control(&ControlMessage::Ping { id });
    }
}

fn push_line(chat: &mut Vec<ChatLine>, line: ChatLine) {
    if chat.len() >= MAX_CHAT_LINES {
        chat.remove(0);
    }
    chat.push(line);
}
