//! Made-up states of a call, for tests and for the gallery that designers look at.

use crate::settings::Settings;
use std::sync::Arc;
use std::time::{Duration, Instant};
use visavis_call::{Again, ChatLine, EndReason, Ended, Figures, InCall, Path, PeerView, Phase, Reach, State, Waiting};
use visavis_capture::{CameraState, DeviceInfo, DeviceLists, DeviceState};
use visavis_media::Size;
use visavis_signaling::RoomCode;

/// The code in every example.
pub const CODE: &str = "velvet-canyon-orbit-zero";
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
        microphone_level: 0.08,
        muted: false,
        video_on: true,
    }
}

/// Waiting in a room that people in the network and over a server can find.
pub fn waiting() -> Waiting {
    let local = Reach::LocalNetwork { addresses: vec!["192.0.2.7:7460".into()] };
    let server = Reach::Server { host: "calls.example".into(), link: Some(LINK.into()) };
    Waiting { code: code(), reach: vec![local, server], notice: None }
}

/// A call that began this long before `now`.
pub fn in_call(now: Instant, lasted: Duration) -> InCall {
    let line = |mine, text: &str| ChatLine { mine, text: text.into() };
    InCall {
        peer: PeerView { name: "Grace".into(), muted: false, video_on: true, has_camera: true },
        since: now.checked_sub(lasted).unwrap_or(now),
        path: Path::Direct,
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

/// A call that ended for this reason after twelve minutes.
pub fn ended(reason: EndReason) -> Ended {
    Ended { reason, duration: Duration::from_secs(754), peer_name: "Grace".into(), again: Again::Start }
}
