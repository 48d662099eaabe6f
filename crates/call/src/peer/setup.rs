//! How a peer connection is built: codecs, header extensions, interceptors, ICE.

use super::chain::{self, Shared};
use super::cookie::Hellos;
use super::handler::Handler;
use super::nudge::Nudge;
use super::ports::Place;
use super::resolver::{NameCache, host_of};
use super::tap::Feedback;
use super::turn::{Doors, Ground, Relays, Trust};
use super::wire::{Wire, WireSettings};
use crate::options::IceServer;
use crate::rate::{Estimator, SharedTarget};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_media::BitsPerSecond;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceServer, RTCIceTransportPolicy,
    SettingEngineBuilder,
};
use webrtc::rtp_transceiver::RtpSender;

/// Payload type of H.264, constrained baseline 3.1, packetization-mode 1, as libwebrtc numbers it.
const H264: u8 = 102;
/// Payload type of Opus, as libwebrtc numbers it.
const OPUS: u8 = 111;
/// Payload type of redundant Opus (RFC 2198), as libwebrtc numbers it.
const RED: u8 = 63;
/// Payload type of parity over pictures (see `parity`); one of those that are free to be named.
const PARITY: u8 = 119;
/// Its name, which the crate does not have.
pub(super) const MIME_TYPE_RED: &str = "audio/red";
/// Of the codecs beside a track's own the crate keeps only those that repair, which it knows by the beginning of their
/// names. This is no FlexFEC; nobody else takes it for one either, since its name is another.
pub(super) const MIME_TYPE_PARITY: &str = "video/flexfec-visavis";
/// Connectivity checks this often; the crate's 200 ms would put every connect on a grid of 200 ms.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Checks before a pair is given up: 30 s at [`CHECK_INTERVAL`], as long as an interrupted call is held.
const CHECKS: u16 = 1500;
/// No packet for this long: something is wrong.
const DISCONNECTED: Duration = Duration::from_secs(2);
/// …and after this long the path is given up.
const FAILED: Duration = Duration::from_secs(30);
/// A relay is taken no sooner after both descriptions are there, since a path is kept: near a relay the way through it may
/// answer some milliseconds before the direct one, which is better for all of the call. The crate's own 2 s would hold up
/// every call that needs a relay.
const RELAY_WAIT: Duration = Duration::from_millis(150);
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// Where the estimate starts: what nearly every path carries.
pub(super) const START: BitsPerSecond = BitsPerSecond::kilo(1000);
pub(super) const FLOOR: BitsPerSecond = BitsPerSecond::kilo(50);
/// Packets that may come this much out of order: as many as we keep to send again, which come under their old numbers.
/// With the crate's 64 they were refused as replays on any but the shortest path.
const REPLAY_WINDOW: usize = 1024;
/// The control channel's stream id, agreed on beforehand: no round trip to open it.
const CONTROL_STREAM: u16 = 0;
/// Bytes of control messages that may wait for a slow path.
const CONTROL_BUFFER: usize = 256 * 1024;

/// Why nothing can be built where every way but one is forbidden, and that one is missing.
const NO_RELAY: &str = "calls are to be relayed only, and the settings have no TURN server with user name and password";

/// What a connection is built from.
#[derive(Clone, Debug)]
pub(crate) struct PeerSettings {
    pub ice_servers: Vec<IceServer>,
    pub relay_only: bool,
    pub bind: Vec<SocketAddr>,
    pub max_bitrate: BitsPerSecond,
    /// Resolve browsers' `.local` candidates.
    pub mdns: bool,
    pub names: NameCache,
    /// For TURN servers behind TLS.
    pub trust: Trust,
    pub wire: WireSettings,
}

impl PeerSettings {
    /// Asks for the addresses of servers that have names, and waits for none.
    pub(crate) fn look_up(&self) {
        self.names.look_up(self.ice_servers.iter().flat_map(|s| &s.urls).filter_map(|url| host_of(url)));
        if Doors::among(&self.ice_servers).0.any_tls() {
            self.trust.prepare();
        }
    }
}

/// Why no connection could be built or a description not be applied.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PeerError(pub String);

impl From<webrtc::error::Error> for PeerError {
    fn from(error: webrtc::error::Error) -> Self {
        Self(error.to_string())
    }
}

/// A connection with its tracks and control channel.
pub(crate) struct Built {
    pub connection: Arc<dyn PeerConnection>,
    pub video: Arc<TrackLocalStaticRTP>,
    pub audio: Arc<TrackLocalStaticRTP>,
    pub video_sender: Arc<dyn RtpSender>,
    pub audio_sender: Arc<dyn RtpSender>,
    pub video_ssrc: u32,
    pub audio_ssrc: u32,
    pub control: Arc<dyn DataChannel>,
    pub nudge: Arc<Nudge>,
    pub hellos: Hellos,
    pub relays: Arc<Relays>,
    pub shared: Shared,
}

fn feedback(typ: &str, parameter: &str) -> RTCPFeedback {
    RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() }
}

fn video_codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".to_owned(),
        rtcp_feedback: vec![feedback("ccm", "fir"), feedback("nack", ""), feedback("nack", "pli")],
    }
}

fn audio_codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1;usedtx=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

/// Known to nobody but us; others leave it out of their answer.
fn parity_codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_PARITY.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: vec![],
    }
}

/// Sound with copies of earlier sound, sent only while sound gets lost.
fn red_codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_RED.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: format!("{OPUS}/{OPUS}"),
        rtcp_feedback: vec![],
    }
}

/// RTX is left out on purpose (see `chain`): lost packets are resent in the stream itself.
fn media_engine() -> Result<MediaEngine, PeerError> {
    let mut engine = MediaEngine::default();
    let video = RTCRtpCodecParameters { rtp_codec: video_codec(), payload_type: H264 };
    let audio = RTCRtpCodecParameters { rtp_codec: audio_codec(), payload_type: OPUS };
    engine.register_codec(video, RtpCodecKind::Video)?;
    engine.register_codec(audio, RtpCodecKind::Audio)?;
    let red = RTCRtpCodecParameters { rtp_codec: red_codec(), payload_type: RED };
    engine.register_codec(red, RtpCodecKind::Audio)?;
    let parity = RTCRtpCodecParameters { rtp_codec: parity_codec(), payload_type: PARITY };
    engine.register_codec(parity, RtpCodecKind::Video)?;
    Ok(engine)
}

fn track(name: &str, kind: RtpCodecKind, codec: RTCRtpCodec, ssrc: u32) -> TrackLocalStaticRTP {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec, ..Default::default() };
    // The crate routes RTCP by track id, so it is drawn anew for every connection.
    let id = format!("{name}-{ssrc:08x}");
    TrackLocalStaticRTP::new(MediaStreamTrack::new("visavis".into(), id, name.into(), kind, vec![encoding]))
}

fn addresses(bind: &[SocketAddr]) -> Vec<Place> {
    if !bind.is_empty() {
        return bind.iter().map(|address| Place::choose(*address).unwrap_or(Place::given(*address))).collect();
    }
    // A wildcard stands for every interface but loopback, which two apps on one machine without a network need.
    ["0.0.0.0:0", "[::]:0", "127.0.0.1:0"].iter().filter_map(|a| a.parse().ok()).filter_map(Place::choose).collect()
}

/// What ICE waits for, and how long.
fn with_timing(engine: SettingEngineBuilder, relay_only: bool) -> SettingEngineBuilder {
    let zero = Some(Duration::ZERO);
    engine
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS))
        .with_host_acceptance_min_wait(zero)
        .with_srflx_acceptance_min_wait(zero)
        .with_prflx_acceptance_min_wait(zero)
        .with_relay_acceptance_min_wait(if relay_only { zero } else { Some(RELAY_WAIT) })
        .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEP_ALIVE))
}

/// Builds a connection; nothing is sent before a description is set.
pub(crate) async fn build(
    settings: &PeerSettings,
    handler: Handler,
    feedback: mpsc::Sender<Feedback>,
) -> Result<Built, PeerError> {
    let handler = Arc::new(handler);
    match attempt(settings, handler.clone(), feedback.clone(), settings.mdns).await {
        // Without a multicast-capable interface (ENODEV) the crate's mDNS socket fails the whole connection.
        Err(error) if settings.mdns => {
            tracing::debug!(%error, "peer connection without mDNS");
            attempt(settings, handler, feedback, false).await
        }
        other => other,
    }
}

async fn attempt(
    settings: &PeerSettings,
    handler: Arc<Handler>,
    feedback: mpsc::Sender<Feedback>,
    mdns: bool,
) -> Result<Built, PeerError> {
    let mut engine = media_engine()?;
    let target = SharedTarget::new(START);
    let estimator = Estimator::new(START, FLOOR, settings.max_bitrate, target.clone());
    let shared = Shared::new(target);
    let registry = chain::registry(&mut engine, estimator, visavis_capture::wall_clock(), feedback, &shared)?;

    // Sockets that are not watched do nothing about hellos.
    let hellos = if settings.wire.repeat { Hellos::default() } else { Hellos::unused() };
    let cryptography = rtc::crypto::default_provider().map_err(|error| PeerError(error.to_string()))?;
    let mode = if mdns { MulticastDnsMode::QueryOnly } else { MulticastDnsMode::Disabled };
    let setting = with_timing(SettingEngineBuilder::new(), settings.relay_only)
        .with_multicast_dns_mode(mode)
        .with_crypto_provider(hellos.provider(cryptography))
        .with_include_loopback_candidate(true)
        .with_discard_local_candidates_during_ice_restart(true)
        // Who is there is ours to say: the crate would only let the handshake fail, as on any bad network. The session
        // compares before anything is sent, heard or shown (`connected` in `session::talk_events`).
        .with_disable_certificate_fingerprint_verification(true)
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        // Not GCM: a packet that is sent again has the same nonce and another header (its transport-wide number), from
        // which the authentication key could be computed. Counter mode with HMAC repeats the same ciphertext.
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
        .build();

    let policy = if settings.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    let (doors, told) = Doors::among(&settings.ice_servers);
    if settings.relay_only && !told.iter().flat_map(|s| &s.urls).any(|url| url.starts_with("turn:")) {
        return Err(PeerError(NO_RELAY.into()));
    }
    let servers =
        told.into_iter().map(|IceServer { urls, username, credential }| RTCIceServer { urls, username, credential });
    let configuration =
        RTCConfigurationBuilder::new().with_ice_servers(servers.collect()).with_ice_transport_policy(policy).build();

    settings.look_up();
    let relays = Arc::new(Relays::default());
    let (names, trust) = (settings.names.clone(), settings.trust.clone());
    let ground = Ground { doors, names, trust, relays: relays.clone() };
    let wire = Wire::new(ground, settings.wire.clone())
        .watched_by(handler.alarm.clone())
        .woken_by(handler.wake.clone())
        .greeting_by(hellos.clone());
    let nudge = wire.nudge();
    let connection: Arc<dyn PeerConnection> = Arc::new(
        PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_media_engine(engine)
            .with_setting_engine(setting)
            .with_interceptor_registry(registry)
            .with_runtime(Arc::new(wire))
            .with_handler(handler)
            .with_udp_addrs(addresses(&settings.bind))
            .with_data_channel_send_buffer_limit(CONTROL_BUFFER)
            .build()
            .await?,
    );

    let (video_ssrc, audio_ssrc) = (rand::random::<u32>().max(1), rand::random::<u32>().max(1));
    let video = Arc::new(track("video", RtpCodecKind::Video, video_codec(), video_ssrc));
    let audio = Arc::new(track("audio", RtpCodecKind::Audio, audio_codec(), audio_ssrc));
    let audio_sender = connection.add_track(audio.clone()).await?;
    let video_sender = connection.add_track(video.clone()).await?;
    let init = RTCDataChannelInit { ordered: true, negotiated: Some(CONTROL_STREAM), ..Default::default() };
    let control = connection.create_data_channel("control", Some(init)).await?;
    Ok(Built {
        connection,
        video,
        audio,
        video_sender,
        audio_sender,
        video_ssrc,
        audio_ssrc,
        control,
        nudge,
        hellos,
        relays,
        shared,
    })
}

#[cfg(test)]
#[path = "relay_wait_tests.rs"]
mod relay_wait_tests;
