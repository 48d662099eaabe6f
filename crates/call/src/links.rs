//! The signaling connections, each on a task of its own.

use crate::session::LinkId;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::sync::mpsc;
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
        let task = tokio::spawn(run(id, Client::spawn(config), inbox, events));
        Self { url, permanent, out, task }
    }

    pub(crate) fn send(&self, message: ClientMessage) {
        if self.out.try_send(message).is_err() {
            tracing::debug!("a signaling connection takes no more messages");
        }
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
