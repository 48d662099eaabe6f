//! The webrtc crate's callbacks: they run on the connection's own task, so they only pass on, never wait.

use super::actor::PeerEvent;
use super::alarm::Alarm;
use super::wake::Wake;
use std::sync::Arc;
use tokio::sync::mpsc;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceConnectionState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
};

/// Things the connection's task reports to ours.
pub(crate) enum Raw {
    /// To be passed on as it is.
    Event(PeerEvent),
    /// A remote track began.
    Track(Arc<dyn TrackRemote>),
    /// DTLS stands.
    Connected,
}

/// Passes callbacks on. The channel holds every event of a normal set-up many times over; when a flood fills it,
/// candidates are what is lost.
pub(crate) struct Handler {
    pub(crate) out: mpsc::Sender<Raw>,
    /// Rings when the connection's own task has panicked and calls nobody back any more.
    pub(crate) alarm: Alarm,
    /// So that what follows from a change of state leaves at once.
    pub(super) wake: Wake,
}

impl Handler {
    pub(crate) fn new(out: mpsc::Sender<Raw>, alarm: Alarm) -> Self {
        Self { out, alarm, wake: Wake::default() }
    }

    fn event(&self, event: PeerEvent) {
        let _ = self.out.try_send(Raw::Event(event));
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let loopback = event.candidate.address.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback());
        if let Ok(Ok(json)) = event.candidate.to_json().map(|init| serde_json::to_string(&init)) {
            self.event(PeerEvent::Candidate { json, loopback });
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        self.wake.up();
        match state {
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => self.event(PeerEvent::IceConnected),
            RTCIceConnectionState::Disconnected => self.event(PeerEvent::IceDisconnected),
            RTCIceConnectionState::Failed => self.event(PeerEvent::IceFailed),
            _ => {}
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.wake.up();
        match state {
            RTCPeerConnectionState::Connected => {
                let _ = self.out.try_send(Raw::Connected);
            }
            RTCPeerConnectionState::Failed => self.event(PeerEvent::Failed("the connection failed".into())),
            RTCPeerConnectionState::Closed => self.event(PeerEvent::Closed),
            _ => {}
        }
    }

    async fn on_data_channel(&self, _: Arc<dyn DataChannel>) {
        // The one that we use is agreed on beforehand. Others would each hold what nobody reads.
        self.event(PeerEvent::Misbehaves("a data channel that no app of ours opens".into()));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.out.try_send(Raw::Track(track));
    }
}
