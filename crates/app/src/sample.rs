//! Made-up states of a call, for tests and for the gallery that designers look at.

use crate::quality::{Health, Moment};
use crate::settings::Settings;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_call::{
    Again, Asks, ChatLine, Check, DeviceOffer, Echo, EchoOutcome, EchoTest, EndReason, Ended, Figures, Finding, Guest,
    InCall, NetworkCheck, Path, PeerView, Phase, Reach, ServerCheck, State, StatsSnapshot, Waiting, Way,
};
use visavis_capture::{CameraState, DeviceInfo, DeviceLists, DeviceState, Replaced, WhyReplaced};
use visavis_media::Size;
use visavis_signaling::RoomCode;

/// The code in every example.
pub const CODE: &str = "velvet-canyon-orbit-zero";
/// The six words of the room in every example.
pub const ROOM: &str = "velvet-canyon-orbit-zero-garden-knock";
/// The link that goes with it.
pub const LINK: &str = "https://calls.example/#velvet-canyon-orbit-zero";

/// [`CODE`], read.
pub fn code() -> RoomCode {
    CODE.parse().expect("its checksum holds")
}

/// Settings of somebody who has used the app before.
pub fn settings() -> Settings {
    Settings { name: "Ada".into(), notice_seen: true, ..Settings::default() }
}

/// A laptop with a second camera and a headset.
pub fn devices() -> DeviceLists {
    let device = |id: &str, name: &str, default| DeviceInfo { id: id.into(), name: name.into(), default };
    DeviceLists {
        cameras: vec![device("/dev/video0", "Built-in camera", true), device("/dev/video2", "HD Webcam C920", false)],
        microphones: vec![device("a:mic", "Built-in microphone", true), device("a:headset", "Headset", false)],
        speakers: vec![device("a:speaker", "Built-in speakers", true), device("a:phones", "Headset", false)],
    }
}

/// A state in this phase, with everything well.
pub fn state(phase: Phase) -> State {
    let size = Size::new(1280, 720).expect("both sides are even");
    State {
        phase,
        camera: CameraState::Running { name: "Built-in camera".into(), size, fps: 30.0 },
        microphone: DeviceState::Running { name: "Built-in microphone".into(), instead_of: None },
        speaker: DeviceState::Running { name: "Built-in speakers".into(), instead_of: None },
        devices: Arc::new(devices()),
        offer: None,
        microphone_level: 0.08,
        microphone_silent: false,
        speaks_muted: false,
        muted: false,
        video_on: true,
        check: None,
    }
}

/// A microphone that stands in for a headset, for this reason.
pub fn stand_in(why: WhyReplaced) -> DeviceState {
    let instead_of = Some(Replaced { name: "Headset".into(), why });
    DeviceState::Running { name: "Built-in microphone".into(), instead_of }
}

/// A headset that was plugged in.
pub fn offer() -> DeviceOffer {
    DeviceOffer { name: "Jabra Evolve 65".into(), microphone: Some("a:evolve".into()), speaker: Some("a:ears".into()) }
}

/// Waiting in a room that people in the network and over a server can find.
pub fn waiting() -> Waiting {
    let local = Reach::LocalNetwork { addresses: vec!["192.0.2.7:7460".into()] };
    let server = Reach::Server { host: "calls.example".into(), link: Some(LINK.into()) };
    Waiting { code: code(), reach: vec![local, server], notice: None, asks: None, away: None }
}

/// The words of a room that was kept.
pub fn room() -> RoomCode {
    ROOM.parse().expect("its checksum holds")
}

/// That room, open.
pub fn room_waiting() -> Waiting {
    let link = format!("https://calls.example/#{ROOM}");
    let server = Reach::Server { host: "calls.example".into(), link: Some(link) };
    Waiting { code: room(), reach: vec![server], ..waiting() }
}

/// That room, with somebody at the door since a moment before `now`.
pub fn asked(now: Instant) -> Waiting {
    let since = now.checked_sub(Duration::from_secs(8)).unwrap_or(now);
    let until = now + Duration::from_millis(51_500);
    Waiting { asks: Some(Asks { name: "Grace".into(), guest: None, since, until }), ..room_waiting() }
}

/// Somebody in a browser; the page may be hosted apart from the call's server.
pub fn guest(apart: bool) -> Guest {
    Guest { host: "calls.example".into(), by_own_word: apart }
}

/// A call that began this long before `now`.
pub fn in_call(now: Instant, lasted: Duration) -> InCall {
    let line = |mine, text: &str| ChatLine { mine, text: text.into() };
    InCall {
        peer: PeerView { name: "Grace".into(), video_on: true, has_camera: true, ..PeerView::default() },
        since: now.checked_sub(lasted).unwrap_or(now),
        path: Path::Direct,
        relay: None,
        verification: "31415 92653 58979 32384 62643".into(),
        interrupted: None,
        chat: vec![
            line(false, "Can you see the compiler's output?"),
            line(true, "Yes, and the moth."),
            line(false, "Good."),
        ],
        figures: Figures {
            round_trip: Some(Duration::from_millis(23)),
            received_fps: 30.0,
            received_size: Size::new(1280, 720).ok(),
            received_kbps: 1840.0,
            sent_kbps: 1910.0,
            lost: 0.002,
        },
    }
}

/// A check of one's setup that is through, and found all well.
pub fn check() -> Check {
    let server = |url: &str, finding| ServerCheck { url: url.to_owned(), finding };
    let seen = |ms| Finding::Outside(([192, 0, 2, 7], 40_123).into(), Duration::from_millis(ms));
    let delay = Duration::from_millis(84);
    Check {
        echo: EchoTest::Over(EchoOutcome::Echo(Echo { delay, level_db: -21.0, left_db: -48.0 })),
        network: NetworkCheck {
            servers: vec![
                server("stun:stun.example.org:3478", seen(23)),
                server("stun:stun.example.net", seen(31)),
                server(
                    "turn:relay.example.org",
                    Finding::Relay(([198, 51, 100, 9], 50_000).into(), Duration::from_millis(58)),
                ),
            ],
            way: Way::Direct,
        },
        trouble: None,
    }
}

/// A call that ended for this reason after twelve minutes.
pub fn ended(reason: EndReason) -> Ended {
    Ended { reason, duration: Duration::from_secs(754), peer_name: "Grace".into(), again: Again::Start }
}

/// Kinds of network that a made-up minute can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing to speak of.
    Calm,
    /// A long way, and some loss.
    Fair,
    /// Bursts of loss, a queue that grows, a picture that shrinks and stands still.
    Bad,
    /// Too slow for a picture.
    SoundOnly,
    /// The other side's is.
    TheirSoundOnly,
    /// A computer that is too slow.
    Busy,
}

/// A minute and a half of a call in this weather, the same each time.
pub fn health(weather: Weather) -> Health {
    let sound_only = weather == Weather::TheirSoundOnly;
    let moment = Moment { picture_due: !sound_only, sound_only, interrupted: false };
    let mut health = Health::default();
    let mut total = StatsSnapshot { t: 1.7e12, ..StatsSnapshot::default() };
    for second in 0..90 {
        health.take(&total, moment);
        total.t += 1000.0;
        another_second(&mut total, weather, second);
    }
    health
}

fn another_second(total: &mut StatsSnapshot, weather: Weather, second: u32) {
    let wave = 0.5 + 0.5 * (f64::from(second) / 4.0).sin() * (f64::from(second) / 11.0).cos();
    let worse = f64::from(second.saturating_sub(50).min(25)) / 25.0;
    let (kbps, estimate, height, fps, trip, loss) = match weather {
        Weather::Calm | Weather::TheirSoundOnly => {
            (1850.0 + 100.0 * wave, 2500.0, 720, 30, 23.0 + 3.0 * wave, 0.001 * wave)
        }
        Weather::Fair => (1300.0 + 100.0 * wave, 1500.0, 720, 30, 380.0 + 60.0 * wave, 0.02 * wave),
        Weather::Bad => {
            let estimate = 2500.0 - 2220.0 * worse;
            let height = if worse > 0.7 {
                270
            } else if worse > 0.3 {
                540
            } else {
                720
            };
            let fps = 30 - (14.0 * worse * wave) as u32;
            (estimate * 0.92, estimate, height, fps, 60.0 + 700.0 * worse * wave, 0.14 * worse * wave)
        }
        Weather::SoundOnly => (38.0, 50.0 + 8.0 * wave, 180, 10, 240.0 + 90.0 * wave, 0.02 * wave),
        Weather::Busy => (1100.0 + 60.0 * wave, 2500.0, 540, 24, 23.0, 0.0),
    };
    let bytes = (kbps * 125.0) as u64;
    let packets = (kbps / 9.0) as u64;
    let missing = (loss * packets as f64) as u64;
    total.candidate_pair.available_outgoing_bitrate = 1000.0 * estimate;
    total.candidate_pair.current_round_trip_time = Some(trip / 1000.0);
    let out = &mut total.outbound_video;
    (out.bytes_sent, out.packets_sent) = (out.bytes_sent + bytes, out.packets_sent + packets);
    out.frames_encoded += if weather == Weather::SoundOnly { 0 } else { u64::from(fps) };
    (out.frame_width, out.frame_height) = (height * 16 / 9, height);
    out.sound_only = weather == Weather::SoundOnly;
    out.quality_limitation_reason = match weather {
        Weather::Busy => "cpu",
        Weather::Bad if height < 720 => "bandwidth",
        Weather::Calm | Weather::Fair | Weather::Bad | Weather::SoundOnly | Weather::TheirSoundOnly => "none",
    };
    total.outbound_audio.packets_sent += 50;
    total.inbound_video.lip_sync_offset = Some(0.01 * wave);
    total.microphone.echo_return_loss_enhancement = Some(40.0);
    (total.remote_inbound_video.fraction_lost, total.remote_inbound_audio.fraction_lost) = (1.4 * loss, 1.3 * loss);
    let video = &mut total.inbound_video;
    (video.bytes_received, video.packets_received) = (video.bytes_received + bytes, video.packets_received + packets);
    (video.packets_lost, video.frames_decoded) = (video.packets_lost + missing, video.frames_decoded + u64::from(fps));
    (video.frame_width, video.frame_height) = (height * 16 / 9, height);
    video.total_decode_time += 0.003 * f64::from(fps);
    video.jitter_buffer_delay += (0.006 + 0.05 * loss) * f64::from(fps);
    video.jitter_buffer_emitted_count += u64::from(fps);
    if loss > 0.06 && second.is_multiple_of(3) {
        (video.freeze_count, video.total_freezes_duration) =
            (video.freeze_count + 1, video.total_freezes_duration + 0.42);
    }
    let audio = &mut total.inbound_audio;
    audio.packets_received += 50;
    audio.packets_lost += (50.0 * loss) as u64;
    audio.total_samples_received += 48_000;
    audio.concealed_samples += (0.3 * loss * 48_000.0) as u64;
    audio.jitter_buffer_emitted_count += 50;
    audio.jitter_buffer_delay += 50.0 * (0.035 + 0.9 * loss + 0.00002 * trip);
}
