//! A hostile peer who knows the code: it comes to whoever waits, over a real server and real sockets, and then sends what
//! no app of ours sends.

use crate::common::{LONG, Server, runtime};
use async_trait::async_trait;
use bytes::Bytes;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use visavis_media::{CallId, PeerId};
use visavis_signaling::{
    Client, ClientConfig, ClientEvent, ClientMessage, Keys, Kind, Newcomer, PakeSecret, RoomCode, ServerMessage,
};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateInit, RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
    SettingEngineBuilder,
};

/// Payload types as the victim's offer has them.
const H264: u8 = 102;
const OPUS: u8 = 111;

pub struct Rogue {
    pub connection: Arc<dyn PeerConnection>,
    pub control: Arc<dyn DataChannel>,
    pub video: Arc<TrackLocalStaticRTP>,
    pub audio: Arc<TrackLocalStaticRTP>,
    /// The victim's tracks, as they begin.
    pub theirs: mpsc::Receiver<Arc<dyn TrackRemote>>,
    /// What the victim says on the control channel.
    pub heard: mpsc::Receiver<String>,
    _client: Client,
}

struct Ears {
    candidates: mpsc::Sender<RTCIceCandidateInit>,
    connected: watch::Sender<bool>,
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
}

#[async_trait]
impl PeerConnectionEventHandler for Ears {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            let _ = self.candidates.try_send(candidate);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.connected.send_replace(state == RTCPeerConnectionState::Connected);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.tracks.try_send(track);
    }
}

fn codec(kind: RtpCodecKind) -> RTCRtpCodec {
    let (mime, rate, channels, fmtp) = match kind {
        RtpCodecKind::Audio => (MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1"),
        _ => (MIME_TYPE_H264, 90_000, 0, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    };
    RTCRtpCodec {
        mime_type: mime.to_owned(),
        clock_rate: rate,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        ..Default::default()
    }
}

fn track(name: &str, kind: RtpCodecKind, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec: codec(kind), ..Default::default() };
    let media = MediaStreamTrack::new("rogue".into(), format!("{name}-rogue"), name.into(), kind, vec![encoding]);
    Arc::new(TrackLocalStaticRTP::new(media))
}

/// A packet of a track.
pub fn packet(video: bool, sequence: u16, timestamp: u32, payload: Vec<u8>) -> rtp::Packet {
    let (payload_type, ssrc) = if video { (H264, VIDEO_SSRC) } else { (OPUS, AUDIO_SSRC) };
    let header = rtp::Header {
        version: 2,
        marker: sequence.is_multiple_of(3),
        payload_type,
        sequence_number: sequence,
        timestamp,
        ssrc,
        ..Default::default()
    };
    rtp::Packet { header, payload: Bytes::from(payload) }
}

pub const VIDEO_SSRC: u32 = 0x7001;
pub const AUDIO_SSRC: u32 = 0x7002;

struct Talking {
    client: Client,
    keys: Keys,
    call: CallId,
    me: PeerId,
    them: PeerId,
}

impl Talking {
    fn say(&mut self, kind: Kind, plain: &Value) {
        let envelope =
            self.keys.sealer.seal(kind, &self.me, &self.them, &self.call, None, plain.to_string().as_bytes());
        self.client.send(ClientMessage::sealed(kind, envelope)).unwrap();
    }
}

impl Rogue {
    /// Comes to who waits under this code, and is in the call.
    pub fn comes(server: &Server, code: &RoomCode) -> Self {
        runtime()
            .block_on(async { tokio::time::timeout(LONG, Self::arrive(server.url(), code)).await })
            .expect("a call")
    }

    async fn arrive(server: String, code: &RoomCode) -> Self {
        let mut client = Client::spawn(ClientConfig::new(server));
        let (newcomer, share) = Newcomer::start(&PakeSecret::derive(code));
        client.send(ClientMessage::join(code.room_id(), share)).unwrap();
        let mut me = None;
        let offer = loop {
            match client.next().await.expect("the server stays") {
                ClientEvent::Message(ServerMessage::Joined(seat)) => me = Some(seat.peer_id),
                ClientEvent::Message(ServerMessage::Offer(offer)) => break offer,
                _ => {}
            }
        };
        let mut keys = newcomer.finish(offer.pake.as_ref().unwrap()).unwrap().into_keys();
        let plain: Value = serde_json::from_slice(&keys.opener.open(Kind::Offer, &offer).unwrap()).unwrap();
        // It believes that everything may be sent at once.
        let sdp = plain["sdp"].as_str().unwrap().replace("a=max-message-size:65536", "a=max-message-size:1000000000");
        let mut talking = Talking { client, keys, call: offer.call_id, me: me.unwrap(), them: offer.from };

        let (candidates, mut found) = mpsc::channel(64);
        let (connected, mut stands) = watch::channel(false);
        let (tracks, theirs) = mpsc::channel(8);
        let connection = build(Ears { candidates, connected, tracks }).await;
        let (video, audio) = (track("v", RtpCodecKind::Video, VIDEO_SSRC), track("a", RtpCodecKind::Audio, AUDIO_SSRC));
        connection.add_track(audio.clone()).await.unwrap();
        connection.add_track(video.clone()).await.unwrap();
        let init = RTCDataChannelInit { ordered: true, negotiated: Some(0), ..Default::default() };
        let control = connection.create_data_channel("control", Some(init)).await.unwrap();
        connection.set_remote_description(RTCSessionDescription::offer(sdp).unwrap()).await.unwrap();
        let answer = connection.create_answer(None).await.unwrap();
        talking.say(Kind::Answer, &json!({"sdp": answer.sdp}));
        connection.set_local_description(answer).await.unwrap();

        let (said, heard) = mpsc::channel(4096);
        let mut open = listen(control.clone(), said);
        while !*stands.borrow() || !*open.borrow() {
            tokio::select! {
                Some(candidate) = found.recv() => {
                    talking.say(Kind::IceCandidate, &json!({"candidate": candidate}));
                }
                Some(event) = talking.client.next() => {
                    let ClientEvent::Message(ServerMessage::IceCandidate(envelope)) = event else { continue };
                    let plain = talking.keys.opener.open(Kind::IceCandidate, &envelope).unwrap();
                    let plain: Value = serde_json::from_slice(&plain).unwrap();
                    let candidate = serde_json::from_value(plain["candidate"].clone()).unwrap();
                    let _ = connection.add_ice_candidate(candidate).await;
                }
                changed = stands.changed() => changed.unwrap(),
                changed = open.changed() => changed.unwrap(),
            }
        }
        Self { connection, control, video, audio, theirs, heard, _client: talking.client }
    }

    /// Sends for so long, or until the victim takes no more for a second; gives how many were sent.
    pub fn floods_control(
        &self,
        most: usize,
        within: Duration,
        mut text: impl FnMut(usize) -> String + Send + 'static,
    ) -> JoinHandle<usize> {
        let control = self.control.clone();
        runtime().spawn(async move {
            let begun = Instant::now();
            for sent in 0..most {
                let sending = control.send_text(&text(sent)).await;
                if sending.is_err() || begun.elapsed() > within {
                    return sent;
                }
                let writable = tokio::time::timeout(Duration::from_secs(1), control.writable());
                if !matches!(writable.await, Ok(Ok(()))) {
                    return sent;
                }
            }
            most
        })
    }

    /// Sends packets for so long, as fast as they go; gives how many.
    pub fn floods_media(
        &self,
        within: Duration,
        mut make: impl FnMut(usize) -> rtp::Packet + Send + 'static,
    ) -> JoinHandle<usize> {
        let (video, audio) = (self.video.clone(), self.audio.clone());
        runtime().spawn(async move {
            let begun = Instant::now();
            let mut sent = 0;
            while begun.elapsed() < within {
                let packet = make(sent);
                let track = if packet.header.ssrc == VIDEO_SSRC { &video } else { &audio };
                let _ = track.write_rtp(packet).await;
                sent += 1;
                if sent.is_multiple_of(50) {
                    tokio::task::yield_now().await;
                }
            }
            sent
        })
    }

    /// Asks for keyframes and for packets again, for so long, as often as it goes; gives how often.
    pub fn floods_requests(track: Arc<dyn TrackRemote>, within: Duration) -> JoinHandle<usize> {
        runtime().spawn(async move {
            let (begun, mut asked) = (Instant::now(), 0);
            while begun.elapsed() < within {
                for media_ssrc in track.ssrcs().await {
                    let nacks = (0..50).map(|i| NackPair { packet_id: i * 17, lost_packets: u16::MAX }).collect();
                    let nack = TransportLayerNack { sender_ssrc: 1, media_ssrc, nacks };
                    let _ =
                        track.write_rtcp(vec![Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc })]).await;
                    let _ = track.write_rtcp(vec![Box::new(nack)]).await;
                    asked += 1;
                }
                tokio::task::yield_now().await;
            }
            asked
        })
    }

    /// The victim's first track; both are listened to from then on, as far as that goes.
    pub fn begins(&mut self) -> Arc<dyn TrackRemote> {
        let first = runtime().block_on(async { tokio::time::timeout(LONG, self.theirs.recv()).await });
        let first = first.unwrap().unwrap();
        for track in std::iter::once(first.clone()).chain(std::iter::from_fn(|| self.theirs.try_recv().ok())) {
            runtime().spawn(async move { while track.poll().await.is_some() {} });
        }
        first
    }

    pub fn leaves(self) {
        let _ = runtime().block_on(async { tokio::time::timeout(LONG, self.connection.close()).await });
    }
}

async fn build(ears: Ears) -> Arc<dyn PeerConnection> {
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().unwrap();
    let setting = SettingEngineBuilder::new().with_include_loopback_candidate(true).build();
    Arc::new(
        PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(engine)
            .with_setting_engine(setting)
            .with_handler(Arc::new(ears))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .with_data_channel_send_buffer_limit(1 << 20)
            .build()
            .await
            .unwrap(),
    )
}

/// Passes on what is heard; true once the channel is open.
fn listen(control: Arc<dyn DataChannel>, said: mpsc::Sender<String>) -> watch::Receiver<bool> {
    let (opened, open) = watch::channel(false);
    tokio::spawn(async move {
        while let Some(event) = control.poll().await {
            match event {
                DataChannelEvent::OnOpen => drop(opened.send_replace(true)),
                DataChannelEvent::OnMessage(message) => {
                    let _ = said.try_send(String::from_utf8_lossy(&message.data).into_owned());
                }
                _ => {}
            }
        }
        drop(said);
        // Whoever waits for it to open is not to be told that nobody will.
        std::future::pending::<()>().await;
        drop(opened);
    });
    open
}
