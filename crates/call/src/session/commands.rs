//! What the person wants of a call, and how one is left.

use super::at_door::Refusal;
use super::patience::Patience;
use super::{Output, Session, Stage, waiting};
use crate::api::{Command, EndReason, Event};
use std::time::Instant;
use visavis_signaling::{ClientMessage, Invitation, RoomCode};

impl Session {
    pub(super) fn command(&mut self, now: Instant, command: Command) {
        if self.idle() && matches!(command, Command::Start(_) | Command::Join(_) | Command::Meet(_)) {
            self.patience = Patience::default();
        }
        match command {
            Command::Start(code) if self.idle() => match code {
                Some(code) => self.start(now, code, waiting::Choice::Asked),
                None => self.start(now, RoomCode::random(), waiting::Choice::Drawn),
            },
            Command::Join(invitation) if self.idle() => {
                self.last_invitation = Some(invitation.clone());
                self.join(now, invitation, false);
            }
            Command::Meet(code) if self.idle() => {
                self.last_invitation = None;
                self.join(now, Invitation { code, server: None }, true);
            }
            Command::Prepare(invitation) if self.idle() => {
                if self.secret_for(&invitation.code).is_none() {
                    self.output(Output::Derive(invitation.code));
                }
            }
            Command::Start(_) | Command::Join(_) | Command::Meet(_) | Command::Prepare(_) => {}
            Command::HangUp => self.hang_up(now),
            Command::LetIn(accepted) => self.let_in(now, accepted),
            Command::SetMuted(muted) => {
                self.me.muted = muted;
                self.say_hello();
            }
            Command::SetVideo(on) => {
                self.me.video_on = on;
                self.say_hello();
            }
            Command::SetName(name) => {
                self.me.name = name;
                self.say_hello();
            }
            Command::Chat(text) => self.chat(text),
            Command::Ping(id) => self.ping(id),
            Command::SetCamera(_)
            | Command::SetMicrophone(_)
            | Command::SetSpeaker(_)
            | Command::SetSoundDevices { .. }
            | Command::DismissOffer
            | Command::SetSound(_)
            | Command::TestSpeaker
            | Command::CheckSetup
            | Command::TestEcho
            | Command::SetServers(_)
            | Command::SetIce { .. } => {}
        }
    }

    fn hang_up(&mut self, now: Instant) {
        match &self.stage {
            Stage::Home => {}
            Stage::Ended(_) => self.stage = Stage::Home,
            Stage::Waiting(waiting) if waiting.awaited.is_some() => self.end(now, EndReason::HungUp),
            Stage::Waiting(_) => {
                self.refuse_who_asks(Refusal::Declined);
                self.leave_everywhere();
                self.stage = Stage::Home;
            }
            Stage::Joining(_) => {
                self.leave_everywhere();
                self.stage = Stage::Home;
            }
            Stage::Talking(_) => self.end(now, EndReason::HungUp),
        }
    }

    /// Leaves every seat, drops every peer connection and gives the links back.
    pub(super) fn leave_everywhere(&mut self) {
        let mut keys = Vec::new();
        match &self.stage {
            Stage::Waiting(waiting) => keys.extend(waiting.keys()),
            Stage::Talking(talk) => keys.push(talk.key),
            Stage::Home | Stage::Joining(_) | Stage::Ended(_) => {}
        }
        for key in keys {
            self.output(Output::PeerDrop(key));
        }
        for link in self.links.take_seats() {
            self.output(Output::Send(link, ClientMessage::LeaveRoom));
        }
        self.output(Output::Release { keep: None });
    }

    pub(super) fn end(&mut self, now: Instant, reason: EndReason) {
        let ended = self.ended(now, reason.clone());
        if let Stage::Talking(talk) = &self.stage {
            let (key, connected) = (talk.key, talk.is_connected());
            if connected {
                self.say_bye(key, &reason);
                self.output(Output::MediaStop);
            }
        }
        self.leave_everywhere();
        self.stage = Stage::Ended(ended);
        self.tell(Event::Ended(reason));
    }

    pub(super) fn idle(&self) -> bool {
        matches!(self.stage, Stage::Home | Stage::Ended(_))
    }
}
