//! A report of trouble for the clipboard: versions, devices, path, figures and what happened last.
//!
//! It is made of kinds, counts and figures only. Codes, addresses, hosts, names of people and what they write are not
//! looked at; what device names and drivers say goes through [`Mask`] on its way in.

mod mask;
mod words;

pub use mask::Mask;

use crate::settings::Settings;
use crate::widgets::clock;
use std::fmt::Write as _;
use std::time::Instant;
use visavis_call::{InCall, Path, Phase, Reach, Recent, State, StatsSnapshot};
use words::{camera_choice, camera_words, device_words, microphone_choice, speaker_choice};

/// What is said beside every button that copies a report.
pub const NOTE: &str =
    "Versions, devices, path, figures and what happened last. No codes, names, addresses or messages.";

/// What does not change while the app runs.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// Name and version of the operating system.
    pub name: String,
    /// What draws the window.
    pub renderer: String,
}

impl System {
    /// The operating system's own name for itself; reads a file, so not for the window's thread.
    pub fn name_of_this() -> String {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let pretty = pretty.map_or(std::env::consts::OS, |name| name.trim_matches('"'));
        format!("{pretty}, {}", std::env::consts::ARCH)
    }
}

/// What a report is made from.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The machine.
    pub system: &'a System,
    /// What is true now.
    pub state: &'a State,
    /// What was chosen.
    pub settings: &'a Settings,
    /// What happened lately.
    pub recent: &'a Recent,
    /// The moment of the report.
    pub now: Instant,
}

/// Writes the report: some dozens of lines of `key: value`.
pub fn report(facts: Facts<'_>) -> String {
    let Facts { system, state, settings, recent, now } = facts;
    let mask = Mask::new(state, settings);
    let mut lines = vec![
        format!("Visavis {} on {} ({})", env!("CARGO_PKG_VERSION"), mask.clean(&system.name), session()),
        format!("libraries: {}", env!("VISAVIS_LIBRARIES")),
        format!("window: {}", mask.clean(&system.renderer)),
        format!("state: {}", phase_words(&state.phase, now)),
        format!("camera: {} chosen; {}", camera_choice(&settings.camera), camera_words(&state.camera, &mask)),
        format!(
            "microphone: {} chosen; {}",
            microphone_choice(&settings.microphone),
            device_words(&state.microphone, &mask)
        ),
        format!("loudspeaker: {} chosen; {}", speaker_choice(&settings.speaker), device_words(&state.speaker, &mask)),
        format!(
            "devices there: {} cameras, {} microphones, {} loudspeakers",
            state.devices.cameras.len(),
            state.devices.microphones.len(),
            state.devices.speakers.len()
        ),
        format!("switches: muted {}, video on {}", state.muted, state.video_on),
        servers_words(settings),
    ];
    lines.push(match recent.path {
        Some(Path::Direct) => "path: direct".into(),
        Some(Path::Relayed) => "path: relayed".into(),
        None => "path: no call yet".into(),
    });
    if let Phase::InCall(call) = &state.phase {
        lines.extend(call_words(call, now));
    }
    if let Some(statistics) = &recent.statistics {
        lines.extend(statistics_words(statistics));
    }
    lines.push("last events, seconds before this report:".into());
    lines.extend(recent.happenings.iter().map(|happening| {
        let before = now.saturating_duration_since(happening.at).as_secs_f64();
        let times = if happening.times > 1 { format!(" ×{}", happening.times) } else { String::new() };
        format!("  -{before:.1} {}{times}", happening.what)
    }));
    lines.join("\n") + "\n"
}

/// X11, Wayland or whatever the desktop calls it; a single word that names nobody.
fn session() -> &'static str {
    let set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    match (set("WAYLAND_DISPLAY"), set("DISPLAY")) {
        (true, _) => "Wayland",
        (false, true) => "X11",
        (false, false) => "no display variable",
    }
}

fn phase_words(phase: &Phase, now: Instant) -> String {
    let seconds = |since: Instant| now.saturating_duration_since(since).as_secs();
    match phase {
        Phase::Home => "home".into(),
        Phase::Waiting(waiting) => {
            let mut words = String::from("waiting; found by:");
            for reach in &waiting.reach {
                words += match reach {
                    Reach::LocalNetwork { addresses } if addresses.is_empty() => " this machine,",
                    Reach::LocalNetwork { .. } => " local network,",
                    Reach::Server { .. } => " a server,",
                    Reach::Unreachable { .. } => " (a server that does not answer),",
                };
            }
            words.trim_end_matches(',').to_owned()
        }
        Phase::Joining { since, .. } => format!("joining for {} s", seconds(*since)),
        Phase::Connecting { since, .. } => format!("connecting for {} s", seconds(*since)),
        Phase::Outside { since, .. } => format!("waiting to be let in for {} s", seconds(*since)),
        Phase::InCall(call) => format!("in a call for {}", clock(seconds(call.since))),
        Phase::Ended(ended) => format!("{} after {}", ended.reason.name(), clock(ended.duration.as_secs())),
    }
}

fn call_words(call: &InCall, now: Instant) -> Vec<String> {
    let interrupted = match call.interrupted {
        Some(since) => format!("interrupted for {:.1} s", now.saturating_duration_since(since).as_secs_f64()),
        None => "not interrupted".into(),
    };
    let peer = &call.peer;
    let figures = &call.figures;
    let trip = figures.round_trip.map_or("unknown".into(), |trip| format!("{} ms", trip.as_millis()));
    vec![
        format!("other side: muted {}, video on {}, has a camera {}", peer.muted, peer.video_on, peer.has_camera),
        format!(
            "now: {interrupted}, round trip {trip}, lost {:.1} %, receiving {:.0} fps and {:.0} kb/s, sending {:.0} kb/s",
            100.0 * figures.lost,
            figures.received_fps,
            figures.received_kbps,
            figures.sent_kbps
        ),
    ]
}

fn statistics_words(all: &StatsSnapshot) -> [String; 6] {
    let (vi, ai, vo, ao, pair) =
        (&all.inbound_video, &all.inbound_audio, &all.outbound_video, &all.outbound_audio, &all.candidate_pair);
    let mut video_in = format!(
        "video in: {} packets, {} lost, {} nack, {} pli, {} of {} pictures decoded, {} key, {}x{}",
        vi.packets_received,
        vi.packets_lost,
        vi.nack_count,
        vi.pli_count,
        vi.frames_decoded,
        vi.frames_received,
        vi.key_frames_decoded,
        vi.frame_width,
        vi.frame_height
    );
    // Writing into a string cannot fail.
    let _ = write!(video_in, ", {} freezes of {:.1} s in all", vi.freeze_count, vi.total_freezes_duration);
    [
        video_in,
        format!(
            "audio in: {} packets, {} lost, {} of {} samples concealed ({} in silence)",
            ai.packets_received,
            ai.packets_lost,
            ai.concealed_samples,
            ai.total_samples_received,
            ai.silent_concealed_samples
        ),
        format!(
            "video out: {} packets, {} pictures, {} key, {}x{}, target {:.0} kb/s, limited by {}, {} nack, {} pli",
            vo.packets_sent,
            vo.frames_encoded,
            vo.key_frames_encoded,
            vo.frame_width,
            vo.frame_height,
            vo.target_bitrate / 1000.0,
            vo.quality_limitation_reason,
            vo.nack_count,
            vo.pli_count
        ),
        format!("audio out: {} packets", ao.packets_sent),
        format!(
            "lost of ours, as the other side reports: video {} ({:.1} % lately), audio {} ({:.1} % lately)",
            all.remote_inbound_video.packets_lost,
            100.0 * all.remote_inbound_video.fraction_lost,
            all.remote_inbound_audio.packets_lost,
            100.0 * all.remote_inbound_audio.fraction_lost
        ),
        format!(
            "path figures: round trip {}, {:.0} kb/s available",
            pair.current_round_trip_time.map_or("unknown".into(), |trip| format!("{:.0} ms", 1000.0 * trip)),
            pair.available_outgoing_bitrate / 1000.0
        ),
    ]
}

fn servers_words(settings: &Settings) -> String {
    let urls = || settings.ice_servers.iter().flat_map(|server| &server.urls);
    let stun = urls().filter(|url| url.starts_with("stun")).count();
    let turn = urls().filter(|url| url.starts_with("turn")).count();
    let only = if settings.relay_only { ", relayed always" } else { "" };
    format!("servers set: {} signaling, {stun} STUN, {turn} TURN{only}", settings.servers.len())
}

#[cfg(test)]
mod tests;
