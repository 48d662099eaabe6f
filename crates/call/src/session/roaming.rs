//! A path that breaks in mid-call: whoever notices begins ICE anew at once, by whatever still carries a word.
//!
//! Noticed is the loss of the address that the path leads from, or silence. First comes what both sides agreed on ahead
//! (see `ahead`), which needs no word at all; then an offer over signaling, as soon as there is a seat to send it from.
//! An offer cuts what there was, so none is made that could not be sent: a path that is only silent may come back.

use super::ahead::Held;
use super::talk::{Talk, Transport};
use super::{Output, Session, Stage, later, sdp};
use crate::api::Event;
use crate::peer::PeerCommand;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use visavis_signaling::{Budget, Kind};

/// Without a packet for so long, the call is over.
const OVER: Duration = Duration::from_secs(30);
/// From one attempt to the next: doubled from the first to the last. ICE itself goes on trying all the while.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// An offer is on its way for so long at most: servers keep what they could not deliver, so that another one would only
/// be one more to be answered.
const ON_ITS_WAY: Duration = Duration::from_secs(8);

/// Descriptions that we make at once, and each second: less than the other side takes. An offer counts twice, for the
/// other side may make as many, which are to be answered: so a network that never comes to rest is no flood.
const SAID: (u32, u32) = (8, 1);

/// How long nothing has got through, and what was done about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interruption {
    pub since: Instant,
    next: Instant,
    tries: u32,
}

impl Interruption {
    fn new(now: Instant) -> Self {
        Self { since: now, next: now, tries: 0 }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        self.next.min(self.since + OVER)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.since + OVER
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    fn tried(&mut self, now: Instant) {
        self.next = later(now, FIRST_WAIT.saturating_mul(1 << self.tries.min(8)).min(LONGEST_WAIT));
        self.tries += 1;
    }
}

/// Descriptions that are under way.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The ICE generation of our last description.
    mine: Option<String>,
    /// Of our last offer, and when it was asked for, unless it is answered.
    offered: Option<String>,
    on_its_way: Option<Instant>,
    /// Their offer is being answered; the generation it names.
    answering: Option<Option<String>>,
    /// A newer one came meanwhile, and candidates after it.
    next: Option<(String, Vec<String>)>,
}

impl Exchange {
    /// Notes a description of ours; returns what an answer answers.
    pub(super) fn described(&mut self, kind: Kind, sdp: &str) -> Option<String> {
        self.mine = sdp::generation_of(sdp).map(str::to_owned);
        match kind {
            Kind::Offer => {
                self.offered.clone_from(&self.mine);
                None
            }
            Kind::Answer | Kind::IceCandidate => self.answering.take().flatten(),
        }
    }

    /// The generation that our candidates are of.
    pub(super) fn mine(&self) -> Option<&str> {
        self.mine.as_deref()
    }

    /// Whether an answer to this generation answers our last offer.
    pub(super) fn is_of(&self, generation: &str) -> bool {
        self.offered.as_deref() == Some(generation)
    }

    /// Our offer was answered, or will not be.
    pub(super) fn settled(&mut self) {
        self.on_its_way = None;
    }

    fn is_busy(&self, now: Instant) -> bool {
        self.answering.is_some() || self.on_its_way.is_some_and(|at| now < at + ON_ITS_WAY)
    }
}

impl Talk {
    /// What to do about an offer of theirs. While another one is being answered it waits, and only the newest does.
    pub(super) fn take_offer(&mut self, now: Instant, sdp: String) -> Option<PeerCommand> {
        self.exchange.settled();
        if self.exchange.answering.is_some() {
            self.exchange.next = Some((sdp, Vec::new()));
            return None;
        }
        // An answer is owed in any case.
        let _ = self.said.get_or_insert_with(|| Budget::new(now, SAID.0, SAID.1)).take(now);
        self.exchange.answering = Some(sdp::generation_of(&sdp).map(str::to_owned));
        self.ahead.forget();
        Some(PeerCommand::AcceptOffer(sdp))
    }
}

impl Session {
    /// This machine's addresses are others than before.
    pub(super) fn network_changed(&mut self, now: Instant, addresses: BTreeSet<IpAddr>) {
        let gone = |address: &IpAddr| !addresses.contains(address);
        let local = if let Stage::Talking(talk) = &self.stage { talk.local } else { None };
        let lost = match local {
            Some(local) => crate::network::matters(&local) && gone(&local),
            None => self.addresses.iter().flatten().any(gone),
        };
        self.addresses = Some(addresses);
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Transport::Connected { interrupted, .. } = &mut talk.transport else { return };
        match interrupted {
            Some(interruption) => {
                // What was said names addresses of before.
                interruption.tries = 0;
                talk.exchange.settled();
                self.mend(now);
            }
            None if lost => self.interrupted(now),
            // Others come and go, and the path stays.
            None => {}
        }
    }

    /// Tries at once where there is a new way to try.
    pub(super) fn mend_if_broken(&mut self, now: Instant) {
        if let Stage::Talking(talk) = &self.stage
            && matches!(talk.transport, Transport::Connected { interrupted: Some(_), .. })
        {
            self.mend(now);
        }
    }

    /// Nothing gets through.
    pub(super) fn interrupted(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let (left, link) = (talk.left, talk.link);
        let Transport::Connected { interrupted: interrupted @ None, .. } = &mut talk.transport else { return };
        if left {
            return self.gone_without_a_word(now);
        }
        *interrupted = Some(Interruption::new(now));
        talk.seats.hurry(now);
        self.tell(Event::Reconnecting);
        // The server may be silent for the same reason.
        self.output(Output::Probe(link));
        self.mend(now);
    }

    /// One attempt at it; the next one is due after a while.
    pub(super) fn mend(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Transport::Connected { interrupted: Some(interruption), .. } = &mut talk.transport else { return };
        interruption.tried(now);
        let on_this_machine = talk.local.is_some_and(|address| address.is_loopback());
        if self.addresses.as_ref().is_some_and(BTreeSet::is_empty) && !on_this_machine {
            // Without a network nothing can be done; once there is one, it is done at once.
            return;
        }
        if talk.ahead.is_agreed() {
            return self.switch();
        }
        let heard = talk.seats.are_good() && self.links.get(talk.link).is_some_and(|link| link.up);
        if !heard || talk.exchange.is_busy(now) {
            return;
        }
        let said = talk.said.get_or_insert_with(|| Budget::new(now, SAID.0, SAID.1));
        if !(said.take(now) && said.take(now)) {
            return;
        }
        // The one before, if any, may have been lost with a network.
        talk.negotiation.forget_offer();
        if talk.negotiation.begin_offer() {
            talk.ahead.forget();
            talk.exchange.on_its_way = Some(now);
            let key = talk.key;
            self.output(Output::PeerDo(key, PeerCommand::CreateOffer { restart: true }));
        }
    }

    /// The other side has gone over to what was agreed on ahead: so do we, whether or not we noticed anything.
    pub(super) fn go_along(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Transport::Connected { interrupted, .. } = &mut talk.transport else { return };
        if !talk.ahead.is_held() {
            return;
        }
        let noticed = interrupted.is_some();
        interrupted.get_or_insert(Interruption::new(now)).tried(now);
        if !noticed {
            self.tell(Event::Reconnecting);
        }
        self.switch();
    }

    fn switch(&mut self) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Some((mine, Held { generation, candidates, sdp })) = talk.ahead.take() else { return };
        tracing::info!("the path broke; going over to what was agreed on ahead");
        talk.negotiation.forget_offer();
        talk.exchange = Exchange { mine: Some(mine), ..Exchange::default() };
        talk.generation = (generation, candidates);
        let key = talk.key;
        self.output(Output::PeerDo(key, PeerCommand::Switch(sdp)));
    }

    /// Packets get through, again or over another path.
    pub(super) fn mended(&mut self) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Transport::Connected { interrupted, .. } = &mut talk.transport else { return };
        let again = interrupted.take().is_some();
        talk.exchange.settled();
        if again {
            self.tell(Event::Reconnected);
        }
        self.agree_ahead();
    }

    /// A candidate of theirs is used, after the offer it belongs to.
    pub(super) fn take_candidate(&mut self, json: String) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        match &mut talk.exchange.next {
            Some((_, candidates)) => candidates.push(json),
            None => {
                let key = talk.key;
                self.output(Output::PeerDo(key, PeerCommand::AddCandidate(json)));
            }
        }
    }

    /// Their offer was answered, or cannot be: the next one's turn.
    pub(super) fn exchange_over(&mut self, now: Instant) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let key = talk.key;
        talk.exchange.settled();
        talk.exchange.answering = None;
        let Some((sdp, candidates)) = talk.exchange.next.take() else { return };
        let commands =
            talk.take_offer(now, sdp).into_iter().chain(candidates.into_iter().map(PeerCommand::AddCandidate));
        let commands: Vec<_> = commands.map(|command| Output::PeerDo(key, command)).collect();
        self.outputs.extend(commands);
    }

    /// A description without what is of no use between the two: loopback addresses, unless they may be on one machine.
    pub(super) fn fit(&self, description: String) -> String {
        let Stage::Talking(talk) = &self.stage else { return description };
        let here = self.links.get(talk.link).is_some_and(|link| link.info.on_this_machine());
        if here { description } else { sdp::without_loopback(&description) }
    }
}
