//! The connections to signaling servers, as the session sees them.

use std::collections::BTreeMap;
use visavis_media::PeerId;
use visavis_signaling::IceServer;

/// A server that keeps saying we are elsewhere is not asked for ever.
const MAX_LEFTOVERS: u32 = 3;
/// What a server says goes onto a screen: a sentence or two of it.
const LONGEST_WORDS: usize = 300;

/// One connection to one signaling server; numbers are never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LinkId(pub u32);

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// One that the person configured, or that came with an invitation.
    Configured {
        /// For the link that opens the room in a browser.
        url: String,
    },
    /// The one inside this app.
    Own {
        /// Where others in the local network reach it.
        addresses: Vec<String>,
    },
    /// Another app on this machine.
    ThisMachine,
    /// Another app in the local network.
    LocalNetwork,
    /// The echo peer's, which nobody else is looked for on.
    Echo,
}

/// What is known of a link.
#[derive(Clone, Debug)]
pub(crate) struct LinkInfo {
    pub kind: LinkKind,
    /// Host, for reading.
    pub host: String,
}

impl LinkInfo {
    /// Whether whoever comes over it may be on this machine, so that loopback addresses are of use.
    pub(crate) fn on_this_machine(&self) -> bool {
        match &self.kind {
            LinkKind::Own { .. } | LinkKind::ThisMachine | LinkKind::Echo => true,
            LinkKind::Configured { .. } | LinkKind::LocalNetwork => {
                let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(h, _)| h);
                host == "localhost"
                    || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
            }
        }
    }
}

/// Ours in a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seat {
    /// None.
    Standing,
    /// Asked for.
    Asked,
    /// Taken, under this name.
    Taken(PeerId),
    /// Refused or lost; nothing more comes of this link in this call.
    Refused,
}

pub(crate) struct Link {
    pub info: LinkInfo,
    pub up: bool,
    pub trouble: Option<String>,
    pub seat: Seat,
    /// STUN and TURN servers that this server hands out.
    pub ice: Vec<IceServer>,
    /// How often a seat of an earlier call had to be given up first.
    leftovers: u32,
}

/// All links.
#[derive(Default)]
pub(crate) struct Links(BTreeMap<LinkId, Link>);

impl Links {
    pub(crate) fn add(&mut self, id: LinkId, info: LinkInfo) {
        self.0.insert(id, Link { info, up: false, trouble: None, seat: Seat::Standing, ice: Vec::new(), leftovers: 0 });
    }

    pub(crate) fn remove(&mut self, id: LinkId) {
        self.0.remove(&id);
    }

    pub(crate) fn up(&mut self, id: LinkId) {
        if let Some(link) = self.0.get_mut(&id) {
            (link.up, link.trouble) = (true, None);
        }
    }

    pub(crate) fn down(&mut self, id: LinkId, why: String) {
        if let Some(link) = self.0.get_mut(&id) {
            (link.up, link.trouble) = (false, Some(why));
        }
    }

    /// Something is wrong with a link that stands, in its server's words.
    pub(crate) fn trouble(&mut self, id: LinkId, why: &str) {
        if let Some(link) = self.0.get_mut(&id) {
            link.trouble = Some(crate::control::clean(why, LONGEST_WORDS));
        }
    }

    pub(crate) fn ice(&mut self, id: LinkId, servers: Vec<IceServer>) {
        if let Some(link) = self.0.get_mut(&id) {
            link.ice = super::ice_servers::usable(servers, link.info.on_this_machine());
        }
    }

    pub(crate) fn ice_servers(&self, id: LinkId) -> Vec<IceServer> {
        self.0.get(&id).map(|l| l.ice.clone()).unwrap_or_default()
    }

    /// The server still counts us into an earlier room. Whether leaving it and asking again is worth a try.
    pub(crate) fn leftover(&mut self, id: LinkId) -> bool {
        let Some(link) = self.0.get_mut(&id) else { return false };
        link.leftovers += 1;
        link.seat = Seat::Standing;
        link.leftovers <= MAX_LEFTOVERS
    }

    pub(crate) fn known(&self, id: LinkId) -> bool {
        self.0.contains_key(&id)
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.0.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.0.iter().map(|(id, link)| (*id, link))
    }

    pub(crate) fn seat(&mut self, id: LinkId, seat: Seat) {
        if let Some(link) = self.0.get_mut(&id) {
            link.seat = seat;
        }
    }

    /// Whether a seat was asked for and not answered yet.
    pub(crate) fn asked(&self, id: LinkId) -> bool {
        self.0.get(&id).is_some_and(|l| l.seat == Seat::Asked)
    }

    /// Our name on a link where we have a seat.
    pub(crate) fn my_id(&self, id: LinkId) -> Option<PeerId> {
        match &self.0.get(&id)?.seat {
            Seat::Taken(me) => Some(me.clone()),
            Seat::Standing | Seat::Asked | Seat::Refused => None,
        }
    }

    /// Whether a seat is ours anywhere.
    pub(crate) fn seated(&self) -> bool {
        self.0.values().any(|link| matches!(link.seat, Seat::Taken(_)))
    }

    /// Gives up every seat; names the links where one was asked for or taken.
    pub(crate) fn take_seats(&mut self) -> Vec<LinkId> {
        let mut left = Vec::new();
        for (id, link) in &mut self.0 {
            if matches!(link.seat, Seat::Asked | Seat::Taken(_)) {
                left.push(*id);
            }
            link.seat = Seat::Standing;
            link.leftovers = 0;
        }
        left
    }

    /// Gives up every seat but one.
    pub(crate) fn take_other_seats(&mut self, keep: LinkId) -> Vec<LinkId> {
        let kept = self.0.get(&keep).map(|l| l.seat.clone());
        let left = self.take_seats();
        if let Some(seat) = kept {
            self.seat(keep, seat);
        }
        left.into_iter().filter(|id| *id != keep).collect()
    }

    /// A server among the links that `asked` names that has said neither yes nor no.
    pub(crate) fn any_silent(&self, asked: impl Fn(&Link) -> bool) -> Option<String> {
        let silent = |link: &&Link| {
            let server = matches!(link.info.kind, LinkKind::Configured { .. });
            server && asked(link) && matches!(link.seat, Seat::Standing | Seat::Asked)
        };
        self.0.values().find(silent).map(|link| format!("{}: it does not answer", link.info.host))
    }

    /// What is wrong with one of the links that `asked` names.
    pub(crate) fn any_trouble(&self, asked: impl Fn(&Link) -> bool) -> Option<String> {
        self.0
            .values()
            .filter(|link| asked(link))
            .find_map(|l| l.trouble.as_ref().map(|why| format!("{}: {why}", l.info.host)))
    }
}
