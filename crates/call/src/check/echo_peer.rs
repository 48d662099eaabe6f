//! Somebody to call who is always there: says what was said two seconds later, and shows what is seen at once.
//!
//! A second endpoint in this process, with a signaling server of its own; both only on loopback. Its microphone is what
//! its loudspeaker would play ([`EchoLine`](crate::media::EchoLine)), its camera is what its screen would show
//! ([`Mirror`]): decoded and encoded anew, so that what comes back went through a network's whole chain twice. It keeps
//! no pictures; two seconds of them would be 80 MB.

use crate::api::{Command, Phase, Reach, State};
use crate::endpoint::{Endpoint, Role, StartError};
use crate::options::{LocalNetwork, Options, PictureTap};
use crate::sound::SoundChoices;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use visavis_capture::{CameraSpec, MicrophoneSpec, SpeakerSpec};
use visavis_media::{VideoFrame, slot};
use visavis_server::ServerConfig;
use visavis_signaling::{Invitation, RoomCode};

/// Its server ends within this, or is left.
const SERVER_ENDS: Duration = Duration::from_secs(1);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EchoError {
    /// No port on loopback, or no threads.
    #[error("this machine refuses what a call with itself needs: {0}")]
    Refused(#[from] std::io::Error),
    /// See there.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its room did not open.
    #[error("the echo peer ended before it began")]
    Ended,
}

/// See the module's text. To be ended by [`EchoPeer::stop`]; dropping it waits for its threads.
pub(crate) struct EchoPeer {
    endpoint: Endpoint,
    state: watch::Receiver<Arc<State>>,
    invitation: Invitation,
    stop_server: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl EchoPeer {
    /// Starts it. Must be called on a tokio runtime, which then carries its server.
    pub(crate) async fn start() -> Result<Self, EchoError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let (stop_server, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let end = async {
                let _ = stopped.await;
            };
            if let Err(error) = visavis_server::run(listener, ServerConfig::embedded(), end).await {
                tracing::warn!(%error, "the echo peer's server stopped");
            }
        });
        let code = RoomCode::random();
        let endpoint = Endpoint::start_as(Role::Echo, options(url.clone()), || ())?;
        endpoint.send(Command::Start(Some(code.clone())));
        let state = endpoint.watch();
        Ok(Self { endpoint, state, invitation: Invitation { code, server: Some(url) }, stop_server, server })
    }

    /// How it is called, once it waits.
    pub(crate) async fn waits(&mut self) -> Result<Invitation, EchoError> {
        let waits = |state: &Arc<State>| match &state.phase {
            Phase::Waiting(waiting) => waiting.reach.iter().any(|reach| matches!(reach, Reach::Server { .. })),
            Phase::Ended(_) => true,
            Phase::Home
            | Phase::Joining { .. }
            | Phase::Connecting { .. }
            | Phase::Outside { .. }
            | Phase::InCall(_) => false,
        };
        let state = self.state.wait_for(waits).await.map_err(|_| EchoError::Ended)?.clone();
        match &state.phase {
            Phase::Waiting(_) => Ok(self.invitation.clone()),
            _ => Err(EchoError::Ended),
        }
    }

    /// Ends it, off the async threads.
    pub(crate) async fn stop(self) {
        let Self { endpoint, stop_server, mut server, .. } = self;
        let _ = tokio::task::spawn_blocking(move || drop(endpoint)).await;
        let _ = stop_server.send(());
        if tokio::time::timeout(SERVER_ENDS, &mut server).await.is_err() {
            server.abort();
        }
    }
}

fn options(server: String) -> Options {
    Options {
        servers: vec![server],
        ice_servers: Vec::new(),
        bind: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        local_network: LocalNetwork::Off,
        camera: CameraSpec::None,
        microphone: MicrophoneSpec::None,
        speaker: SpeakerSpec::None,
        sound: SoundChoices::PLAIN,
        preview: false,
        ..Options::default()
    }
}

/// Where the echo peer's decoder and its encoder meet: the newest picture only. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Mirror(Arc<Mutex<Option<slot::Writer<VideoFrame>>>>);

impl Mirror {
    /// For the decoder.
    pub(crate) fn tap(&self) -> PictureTap {
        let mirror = self.clone();
        Arc::new(move |seen| {
            let frame = VideoFrame { picture: seen.picture.clone(), at: Instant::now() };
            if let Some(camera) = &*mirror.0.lock().unwrap_or_else(PoisonError::into_inner) {
                let _ = camera.put(frame);
            }
        })
    }

    /// For the next encoder; the one before sees nothing more.
    pub(crate) fn look_into(&self) -> slot::Reader<VideoFrame> {
        let (camera, pictures) = slot::newest_wins();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(camera);
        pictures
    }
}
