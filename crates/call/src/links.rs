//! The signaling connections, each on a task of its own.

use crate::session::LinkId;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use visavis_signaling::{Client, ClientConfig, ClientEvent, ClientMessage};

/// Messages that may wait for a task to take them; the client behind it queues more.
const QUEUE: usize = 256;

/// One connection. Dropping it leaves the room and closes the connection in the background.
pub(crate) struct LinkHandle {
    pub url: String,
    /// Kept open between calls.
    pub permanent: bool,
    out: mpsc::Sender<ClientMessage>,
    hurry: Arc<Notify>,
    task: JoinHandle<()>,
}

impl LinkHandle {
    pub(crate) fn open(
        id: LinkId,
        url: String,
        addresses: Vec<SocketAddr>,
        ca: Option<PathBuf>,
        permanent: bool,
        events: mpsc::Sender<(LinkId, ClientEvent)>,
    ) -> Self {
        let mut config = ClientConfig::new(&url);
        (config.ca, config.addresses) = (ca, addresses);
        let (out, inbox) = mpsc::channel(QUEUE);
        let hurry = Arc::new(Notify::new());
        let task = tokio::spawn(run(id, Client::spawn(config), inbox, hurry.clone(), events));
        Self { url, permanent, out, hurry, task }
    }

    pub(crate) fn send(&self, message: ClientMessage) {
        if self.out.try_send(message).is_err() {
            tracing::debug!("a signaling connection takes no more messages");
        }
    }

    /// The network seems to have changed: see [`Client::probe`].
    pub(crate) fn probe(&self) {
        self.hurry.notify_one();
    }

    /// Leaves and closes, within about a second.
    pub(crate) async fn close(self) {
        drop(self.out);
        let _ = self.task.await;
    }
}

async fn run(
    id: LinkId,
    mut client: Client,
    mut inbox: mpsc::Receiver<ClientMessage>,
    hurry: Arc<Notify>,
    events: mpsc::Sender<(LinkId, ClientEvent)>,
) {
    loop {
        tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => {
                    if let Err(error) = client.send(message) {
                        tracing::debug!(%error, "a signaling message was not taken");
                    }
                }
                None => break,
            },
            () = hurry.notified() => client.probe(),
            event = client.next() => match event {
                Some(event) => {
                    if events.send((id, event)).await.is_err() {
                        break;
                    }
                }
                None => break,
            },
        }
    }
    client.close().await;
}
