//! Figures for whoever runs a server, as text for Prometheus (exposition format 0.0.4).
//!
//! Sums only: no room, no address, nothing about any one call.

use crate::guard::Guard;
use crate::hub::{ApartFigures, Hub, HubFigures};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How the text calls itself.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is counted where it happens.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections accepted, before anything is known of them.
    pub(crate) accepted: Counter,
    /// Those refused because the server is full.
    pub(crate) full: Counter,
    /// Those refused because too many come from one address.
    pub(crate) too_many: Counter,
    /// Those refused because they come too often from one address.
    pub(crate) too_often: Counter,
    /// Handshakes of TLS that failed or took too long.
    pub(crate) no_tls: Counter,
    /// Requests that could not be read, or took too long.
    pub(crate) no_request: Counter,
    /// Files that changed and were read again.
    pub(crate) reloaded: Counter,
    /// Files that changed and could not be used.
    pub(crate) not_reloaded: Counter,
}

/// Only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All figures as text.
pub(crate) fn render(counters: &Counters, hub: &Hub, guard: &Guard, since: Instant) -> String {
    let HubFigures { rooms, connections, origins, relay, slow, silent, taken_over, flooding, apart } = hub.figures();
    let mut page = Page(String::with_capacity(4096));
    page.one("connections", "gauge", "WebSockets that are open.", connections);
    page.one("rooms", "gauge", "Rooms that are open.", rooms);
    let remembered = [("connections", guard.remembered()), ("rooms", origins)];
    page.each("remembered_addresses", "gauge", "Addresses remembered for limits.", "limit", remembered);
    page.one("accepted_total", "counter", "TCP connections accepted.", counters.accepted.get());
    let refused = [
        ("full", counters.full.get()),
        ("address_connections", counters.too_many.get()),
        ("address_rate", counters.too_often.get()),
        ("no_tls", counters.no_tls.get()),
        ("no_request", counters.no_request.get()),
    ];
    page.each("refused_connections_total", "counter", "Connections that led to nothing.", "reason", refused);
    let seats = [("opened", relay.opened), ("joined", relay.joined), ("resumed", relay.resumed)];
    page.each("seats_total", "counter", "Seats taken.", "how", seats);
    page.one("messages_passed_total", "counter", "Sealed messages passed on.", relay.passed);
    let refused = relay.refused.iter().map(|(code, count)| (code.as_str(), *count));
    page.each("refused_messages_total", "counter", "Messages refused, by the code told.", "code", refused);
    let ended = [("slow", slow), ("silent", silent), ("taken_over", taken_over), ("flooding", flooding)];
    page.each("ended_connections_total", "counter", "Connections that the server ended.", "reason", ended);
    let reloads = [("used", counters.reloaded.get()), ("failed", counters.not_reloaded.get())];
    page.each("reloads_total", "counter", "Files that changed and were read again.", "result", reloads);
    apart.iter().for_each(|apart| page.apart(apart));
    page.one("uptime_seconds", "gauge", "Seconds since the server started.", since.elapsed().as_secs());
    page.0
}

struct Page(String);

impl Page {
    /// Of a server that shares its rooms with others.
    fn apart(&mut self, figures: &ApartFigures) {
        let &ApartFigures { up, away, guests, rooms, sent, heard, unreadable, nodes_gone, cut } = figures;
        self.one("redis_up", "gauge", "Whether there is a connection to Redis.", u8::from(up));
        let apart = [("here", guests), ("elsewhere", away)];
        self.each("guests", "gauge", "Connections of other servers here, and ours elsewhere.", "where", apart);
        self.one("rooms_claimed", "gauge", "Rooms that other servers find here.", rooms);
        let frames = [("sent", sent), ("received", heard), ("unreadable", unreadable)];
        self.each("forwarded_messages_total", "counter", "Messages between servers.", "direction", frames);
        self.one("servers_gone_total", "counter", "Other servers found to be gone.", nodes_gone);
        self.one("cut_connections_total", "counter", "Connections ended because their room was out of reach.", cut);
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "visavis_{name} {value}");
    }

    fn each<'a, T: std::fmt::Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, T)>,
    ) {
        self.head(name, kind, help);
        for (which, value) in values {
            let _ = writeln!(self.0, "visavis_{name}{{{label}=\"{which}\"}} {value}");
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP visavis_{name} {help}\n# TYPE visavis_{name} {kind}");
    }
}
