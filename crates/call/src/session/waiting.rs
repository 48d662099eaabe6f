//! A room that is open: whoever comes is answered, and the first to prove the code is in the call.

use super::again::Awaited;
use super::at_door::Refusal;
use super::door::Asking;
use super::links::{LinkId, Seat};
use super::meeting::Meeting;
use super::sealed::Unread;
use super::talk::Talk;
use super::{Output, PeerKey, Session, Stage, later};
use crate::api::{EndReason, Event};
use crate::peer::PeerCommand;
use std::time::{Duration, Instant};
use visavis_media::PeerId;
use visavis_signaling::{
    ClientMessage, ErrorCode, Invitation, Kind, LeaveReason, RoomCode, ServerMessage, Share, answer,
};

/// No server has given us a seat for so long: say so instead of waiting for nobody.
const OPENING: Duration = Duration::from_secs(5);
/// The server may count us into our lasting room still, after a crash: it is asked again so often…
const TAKEN_AGAIN: Duration = Duration::from_secs(3);
/// …and given up after this long, in which it notices that nobody is there.
const TAKEN: Duration = Duration::from_secs(60);
/// Who took our offer has this long to answer it.
const ANSWERING: Duration = Duration::from_secs(15);
/// Newcomers that may be waiting for our keys to be ready.
const MAX_QUEUED: usize = 8;

/// Where the code came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// We drew it; if it is taken, we draw another.
    Drawn,
    /// The person asked for it.
    Asked,
    /// The person asked to meet under it: whoever comes second joins.
    Meet,
}

/// See the module's text.
pub(crate) struct Waiting {
    pub code: RoomCode,
    pub choice: Choice,
    pub notice: Option<String>,
    /// Only who was in a call with us is waited for, under the code of that call.
    pub(super) awaited: Option<Awaited>,
    attempts: Vec<Talk>,
    /// Of a lasting room: who proved the code and is not let in yet.
    pub(super) asking: Option<Asking>,
    /// Nobody else is asked about until then.
    pub(super) quiet: Option<Instant>,
    /// Of a lasting room: servers that say it is taken are asked again then.
    taken: Option<Instant>,
    queued: Vec<(LinkId, PeerId, Share)>,
    /// Newcomers who came when no attempt was left.
    turned_away: usize,
    /// Until the first seat is ours.
    opening: Option<Instant>,
    pub(super) meeting: Meeting,
}

impl Waiting {
    fn new(code: RoomCode, choice: Choice) -> Self {
        Self {
            code,
            choice,
            notice: None,
            awaited: None,
            attempts: Vec::new(),
            asking: None,
            quiet: None,
            taken: None,
            queued: Vec::new(),
            turned_away: 0,
            opening: None,
            meeting: Meeting::default(),
        }
    }

    /// For who was in a call with us, in a room that is open.
    pub(super) fn for_them_again(code: RoomCode, awaited: Awaited) -> Self {
        Self { awaited: Some(awaited), ..Self::new(code, Choice::Asked) }
    }

    /// Whether somebody is being answered, or asked about.
    pub(super) fn is_answering(&self) -> bool {
        !self.attempts.is_empty() || self.asking.is_some()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        // Who came back in time is not cut short.
        let awaited = self.awaited.as_ref().filter(|_| !self.is_answering()).map(|awaited| awaited.until);
        let asking = self.asking.as_ref().map(|asking| asking.until);
        let attempts = self.attempts.iter().map(|a| a.limit);
        let others = attempts.chain(self.opening).chain(self.taken).chain(self.meeting.deadline());
        others.chain(awaited).chain(asking).min()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = PeerKey> {
        self.attempts.iter().map(|a| a.key)
    }

    pub(crate) fn attempt_mut(&mut self, key: PeerKey) -> Option<&mut Talk> {
        self.attempts.iter_mut().find(|a| a.key == key)
    }

    pub(super) fn take_attempt(&mut self, key: PeerKey) -> Option<Talk> {
        let i = self.attempts.iter().position(|a| a.key == key)?;
        Some(self.attempts.swap_remove(i))
    }

    fn attempt_of(&self, link: LinkId, peer: &PeerId) -> Option<PeerKey> {
        self.attempts.iter().find(|a| a.link == link && a.seats.them() == peer).map(|a| a.key)
    }
}

impl Session {
    pub(super) fn start(&mut self, now: Instant, code: RoomCode, choice: Choice) {
        let opening = Some(later(now, OPENING));
        self.stage = Stage::Waiting(Waiting { opening, ..Waiting::new(code.clone(), choice) });
        if self.secret_for(&code).is_none() {
            self.output(Output::Derive(code.clone()));
        }
        self.output(Output::Serve { code, look: choice == Choice::Meet });
        let ids: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.waiting_link(now, id);
        }
        // Used up under this code before: a count does not begin anew because the room does.
        self.guessed_out(now);
    }

    /// The room is given up and another opened, with a word about why.
    fn start_over(&mut self, now: Instant, notice: &str) {
        self.leave_everywhere();
        self.start(now, RoomCode::random(), Choice::Drawn);
        if let Stage::Waiting(waiting) = &mut self.stage
            && !notice.is_empty()
        {
            waiting.notice = Some(notice.to_owned());
        }
    }

    pub(super) fn waiting_link(&mut self, _now: Instant, id: LinkId) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        let Some(link) = self.links.get(id) else { return };
        if !matches!(link.info.kind, super::LinkKind::Configured { .. } | super::LinkKind::Own { .. }) {
            return self.ask_nearby();
        }
        if link.up && link.seat == Seat::Standing {
            let open = ClientMessage::open(waiting.code.room_id());
            self.links.seat(id, Seat::Asked);
            self.output(Output::Send(id, open));
        }
    }

    pub(super) fn waiting_timeout(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.opening.is_some_and(|at| at <= now) {
            waiting.opening = None;
            if waiting.taken.is_some() {
                return self.end(now, EndReason::CodeTaken);
            }
            let why = self.links.any_trouble(|_| true).unwrap_or_else(|| "no server answers".into());
            self.end(now, EndReason::SignalingUnreachable(why));
            return;
        }
        self.meeting_timeout(now);
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let late: Vec<_> = waiting.attempts.iter().filter(|a| a.limit <= now).map(|a| a.key).collect();
        for key in late {
            self.drop_attempt(now, key, Some("they took the offer and did not answer"));
        }
        self.ask_again_where_taken(now);
        self.asking_timeout(now);
        self.awaited_timeout(now);
    }

    pub(super) fn waiting_message(&mut self, now: Instant, link: LinkId, message: ServerMessage) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        match message {
            ServerMessage::Opened(_) if !self.links.asked(link) => {
                self.patience.strange("a room that was not asked for")
            }
            ServerMessage::Opened(seat) => {
                let first = waiting.opening.take().is_some();
                let code = waiting.code.to_string();
                self.links.seat(link, Seat::Taken(seat.peer_id.clone()));
                self.seated_with(link, seat.ice_servers);
                if first {
                    self.tell(Event::Joined { opened: true, code });
                }
            }
            ServerMessage::Resumed(seat) => {
                // Whoever left while we were away is gone; who came meanwhile is told to us as it happened.
                let gone: Vec<_> = waiting
                    .attempts
                    .iter()
                    .filter(|a| a.link == link && !seat.peers.iter().any(|p| p.peer_id == *a.seats.them()))
                    .map(|a| a.key)
                    .collect();
                for key in gone {
                    self.drop_attempt(now, key, None);
                }
                self.asks_no_more(link, |asking| !seat.peers.iter().any(|p| p.peer_id == *asking));
            }
            ServerMessage::PeerJoined { peer_id, pake: Some(share) } => self.newcomer(now, link, peer_id, share),
            ServerMessage::PeerJoined { peer_id, pake: None } => {
                self.output(Output::Send(link, ClientMessage::dismiss(peer_id)));
            }
            ServerMessage::PeerLeft { peer_id, reason } => self.newcomer_left(now, link, &peer_id, reason),
            ServerMessage::Answer(envelope) => {
                if let Some(key) = waiting.attempt_of(link, &envelope.from) {
                    match waiting.code.is_lasting() {
                        true => self.knock(now, key, &envelope),
                        false => self.proof(now, key, &envelope),
                    }
                }
            }
            ServerMessage::IceCandidate(envelope) => {
                // Who has not proved the code yet may only be early with candidates; they stay sealed until then.
                let key = waiting.attempt_of(link, &envelope.from);
                if let Some(talk) = key.and_then(|k| waiting.attempt_mut(k)) {
                    talk.keep_early(envelope);
                }
            }
            ServerMessage::Error { code, message } => self.waiting_error(now, link, &code, &message),
            ServerMessage::Joined(seat) => self.meet_nearby(now, link, seat),
            ServerMessage::Offer(_) | ServerMessage::Unknown => {}
        }
    }

    fn waiting_error(&mut self, now: Instant, link: LinkId, code: &ErrorCode, message: &str) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        match code {
            ErrorCode::RoomTaken if waiting.awaited.is_some() => self.end(now, EndReason::PeerHungUp),
            ErrorCode::RoomTaken => match waiting.choice {
                Choice::Drawn | Choice::Meet if !self.patience.another_contradiction() => {
                    self.links.seat(link, Seat::Refused);
                    self.links.trouble(link, "it says that every code is taken");
                }
                Choice::Drawn => self.start_over(now, ""),
                Choice::Asked if waiting.code.is_lasting() => self.taken_elsewhere(now, link),
                Choice::Asked => self.end(now, EndReason::CodeTaken),
                Choice::Meet => {
                    let code = waiting.code.clone();
                    self.leave_everywhere();
                    self.join(now, Invitation { code, server: None }, true);
                }
            },
            ErrorCode::SeatGone => {
                self.asks_no_more(link, |_| true);
                self.links.seat(link, Seat::Standing);
                self.waiting_link(now, link);
            }
            ErrorCode::AlreadyInRoom if self.links.asked(link) && self.links.leftover(link) => {
                self.output(Output::Send(link, ClientMessage::LeaveRoom));
                self.waiting_link(now, link);
            }
            ErrorCode::NobodyHere | ErrorCode::RoomFull => self.nobody_nearby(now, link),
            ErrorCode::Version => self.end(now, EndReason::Version),
            ErrorCode::ServerFull | ErrorCode::TooFast => {
                self.links.seat(link, Seat::Refused);
                self.links.trouble(link, message);
            }
            // About one message that we sent; the room stands.
            _ => tracing::debug!(?code, "server refused a message"),
        }
    }

    /// A server says that our lasting room is open already: most likely by ourselves, before a crash.
    fn taken_elsewhere(&mut self, now: Instant, link: LinkId) {
        self.links.seat(link, Seat::Refused);
        self.links.trouble(link, "it says that this room is open somewhere else");
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.taken.is_none() && waiting.opening.is_some() {
            waiting.opening = Some(later(now, TAKEN));
        }
        waiting.taken = Some(later(now, TAKEN_AGAIN));
    }

    fn ask_again_where_taken(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.taken.is_none_or(|at| at > now) {
            return;
        }
        let refused = self.links.iter().filter(|(_, link)| link.seat == Seat::Refused).map(|(id, _)| id);
        let refused: Vec<_> = refused.collect();
        // As long as some server does not have us, it is asked; once all do, none is.
        waiting.taken = (!refused.is_empty()).then(|| later(now, TAKEN_AGAIN));
        for id in refused {
            self.links.seat(id, Seat::Standing);
            self.waiting_link(now, id);
        }
    }

    pub(super) fn newcomer(&mut self, now: Instant, link: LinkId, peer: PeerId, share: Share) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let secret = self.secret.as_ref().filter(|(of, _)| *of == waiting.code).map(|(_, s)| s.clone());
        let Some(secret) = secret else {
            if waiting.queued.len() < MAX_QUEUED {
                waiting.queued.push((link, peer, share));
            }
            return;
        };
        let Some(me) = self.links.my_id(link) else { return };
        if waiting.attempt_of(link, &peer).is_some() || peer == me {
            self.patience.strange("a newcomer who is there already");
            return;
        }
        let Ok(guess) = self.book.counter(&waiting.code).spend(now) else {
            // A courtesy to a few; a server's flood must not fill the way out with it, on which our offers go.
            waiting.turned_away += 1;
            if waiting.turned_away <= MAX_QUEUED {
                self.output(Output::Send(link, ClientMessage::dismiss(peer)));
            } else {
                self.patience.strange("more newcomers than a room holds");
            }
            return;
        };
        let answered = answer(&secret, &share);
        let key = self.new_key();
        match answered {
            Ok((ours, agreed)) => {
                let limit = later(now, ANSWERING);
                let talk = Talk::host(key, link, me, peer, agreed.into_keys(), ours, guess, limit);
                let Stage::Waiting(waiting) = &mut self.stage else { return };
                waiting.attempts.push(talk);
                if waiting.code.is_lasting() {
                    return self.ask_to_hold(key);
                }
                self.output(Output::PeerNew(key, self.links.ice_servers(link)));
                self.output(Output::PeerDo(key, PeerCommand::CreateOffer { restart: false }));
            }
            Err(error) => {
                tracing::debug!(%error, "a newcomer's share was refused");
                self.output(Output::Send(link, ClientMessage::dismiss(peer)));
                self.guessed_out(now);
            }
        }
    }

    pub(super) fn answer_queued(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        for (link, peer, share) in std::mem::take(&mut waiting.queued) {
            self.newcomer(now, link, peer, share);
        }
    }

    fn newcomer_left(&mut self, now: Instant, link: LinkId, peer: &PeerId, _reason: LeaveReason) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        waiting.queued.retain(|(l, p, _)| (*l, p) != (link, peer));
        if let Some(key) = waiting.attempt_of(link, peer) {
            self.drop_attempt(now, key, None);
        }
        self.asks_no_more(link, |asking| asking == peer);
    }

    /// An attempt came to nothing; the guess that it was stays spent. With a reason, the peer is sent away.
    pub(super) fn drop_attempt(&mut self, now: Instant, key: PeerKey, dismissed: Option<&str>) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(attempt) = waiting.take_attempt(key) else { return };
        self.output(Output::PeerDrop(key));
        if let Some(why) = dismissed {
            tracing::debug!(why, "newcomer dismissed");
            self.output(Output::Send(attempt.link, ClientMessage::dismiss(attempt.seats.them().clone())));
        }
        self.guessed_out(now);
    }

    /// Turns everybody away who is being answered.
    pub(super) fn drop_attempts(&mut self) {
        self.refuse_who_asks(Refusal::Busy);
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        for attempt in std::mem::take(&mut waiting.attempts) {
            self.output(Output::PeerDrop(attempt.key));
            self.output(Output::Send(attempt.link, ClientMessage::dismiss(attempt.seats.them().clone())));
        }
    }

    fn guessed_out(&mut self, now: Instant) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        if !self.book.counter(&waiting.code).exhausted() || !waiting.attempts.is_empty() {
            return;
        }
        if waiting.awaited.is_some() {
            self.end(now, EndReason::Guessing);
        } else if self.patience.another_code() {
            self.start_over(now, "Somebody failed to get in three times, so this is a new code");
        } else {
            self.end(now, EndReason::Guessing);
        }
    }

    /// A sealed answer: if it opens, its sender knows the code.
    fn proof(&mut self, now: Instant, key: PeerKey, envelope: &visavis_signaling::Envelope) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(talk) = waiting.attempt_mut(key) else { return };
        let sdp = match talk.open_description(now, Kind::Answer, envelope) {
            Ok(sdp) => sdp,
            Err(Unread::Foreign) => {
                self.drop_attempt(now, key, Some("their answer does not open: wrong code, or changed on its way"));
                return;
            }
            Err(Unread::Outdated) => {
                self.drop_attempt(now, key, Some("their answer is about another connection"));
                return;
            }
            Err(Unread::Unusable(fault)) => {
                // They know the code, and still cost an attempt, so that nobody can come for ever.
                waiting.notice = Some(format!("Somebody who knows the code was turned away: their app sent {fault}"));
                self.drop_attempt(now, key, Some("their answer opens and is of no use"));
                return;
            }
        };
        let Some(mut talk) = waiting.take_attempt(key) else { return };
        if let Some(guess) = talk.guess.take() {
            self.book.counter(&waiting.code).give_back(guess);
        }
        let code = waiting.code.clone();
        if let Some(awaited) = waiting.awaited.take() {
            talk.chat = awaited.chat;
        }
        self.drop_attempts();
        self.tell(Event::PeerJoined);
        self.begin_talk(now, talk, code);
        self.apply_answer(now, sdp);
    }
}
