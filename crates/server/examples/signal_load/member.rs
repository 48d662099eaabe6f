//! One person on a WebSocket, in our protocol or in socket.io's.
//!
//! Sockets without any comfort: what is measured is the server, on a machine that both share.

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Read buffer; there are many connections, and most are idle.
const READ_BUFFER: usize = 2048;
/// People behind one address of loopback: as many as a household has.
const AT_ONE_ADDRESS: u32 = 4;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Our protocol.
    Visavis,
    /// Engine.IO 4 over WebSocket alone, and events as tutorials name them.
    SocketIo,
}

/// What somebody heard, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The other one came.
    Came,
    /// The other one sent something.
    Passed,
    /// The other one left.
    Left,
    /// Anything else.
    Other,
}

/// One person in a room.
pub(crate) struct Member {
    socket: WebSocketStream<TcpStream>,
    dialect: Dialect,
    room: String,
    me: String,
    /// The other one's name, once known.
    pub(crate) other: String,
}

/// Where somebody connects from: on loopback each few people have an address of their own, in the net 127.`net`.
pub(crate) fn source(server: SocketAddr, net: u8, number: u32) -> Option<SocketAddr> {
    let [_, _, high, low] = (number / AT_ONE_ADDRESS).to_be_bytes();
    let address = Ipv4Addr::new(127, net, high, low);
    (server.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)).then_some(SocketAddr::new(address.into(), 0))
}

/// The address in a server's URL.
pub(crate) fn address(url: &str) -> anyhow::Result<SocketAddr> {
    url.strip_prefix("ws://").and_then(|rest| rest.parse().ok()).context("the server is given as ws://ADDRESS:PORT")
}

/// A TCP connection from a given address.
pub(crate) async fn tcp(server: SocketAddr, source: Option<SocketAddr>) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = source {
        socket.bind(source)?;
    }
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Member {
    /// Connects, and opens a room.
    pub(crate) async fn open(url: &str, net: u8, number: u32, dialect: Dialect, room: &str) -> anyhow::Result<Self> {
        Self::enter(url, net, number, dialect, room, format!(r#"{{"type":"open","version":1,"roomId":"{room}"}}"#))
            .await
    }

    /// Connects, and goes where somebody waits.
    pub(crate) async fn join(url: &str, net: u8, number: u32, dialect: Dialect, room: &str) -> anyhow::Result<Self> {
        let share = "x".repeat(87);
        let join = format!(r#"{{"type":"join","version":1,"roomId":"{room}","pake":"{share}"}}"#);
        Self::enter(url, net, number, dialect, room, join).await
    }

    async fn enter(
        url: &str,
        net: u8,
        number: u32,
        dialect: Dialect,
        room: &str,
        greeting: String,
    ) -> anyhow::Result<Self> {
        let server = address(url)?;
        let stream = tcp(server, source(server, net, number)).await?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        let path = match dialect {
            Dialect::Visavis => "/ws",
            Dialect::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        };
        let (socket, _) = client_async_with_config(format!("{url}{path}"), stream, Some(config)).await?;
        let mut member = Self { socket, dialect, room: room.to_owned(), me: String::new(), other: String::new() };
        match dialect {
            Dialect::Visavis => {
                member.say(greeting).await?;
                let seat: serde_json::Value = serde_json::from_str(&member.text().await?)?;
                member.me = seat["peerId"].as_str().with_context(|| format!("no seat: {seat}"))?.to_owned();
                member.other = seat["peers"][0]["peerId"].as_str().unwrap_or_default().to_owned();
            }
            Dialect::SocketIo => {
                // Engine.IO opens, we connect to the only namespace, and join with an acknowledgement.
                member.expect("0").await?;
                member.say("40".to_owned()).await?;
                member.expect("40").await?;
                member.say(format!(r#"420["join","{room}"]"#)).await?;
                member.expect("430").await?;
            }
        }
        Ok(member)
    }

    /// Sends the other one something of a kind, with so many characters that nobody but they could read.
    pub(crate) async fn pass(&mut self, kind: &str, size: usize) -> anyhow::Result<()> {
        let (room, me, other, sealed) = (&self.room, &self.me, &self.other, "x".repeat(size));
        let body =
            format!(r#""roomId":"{room}","from":"{me}","to":"{other}","callId":"load","n":1,"sealed":"{sealed}""#);
        self.say(match self.dialect {
            Dialect::Visavis => format!(r#"{{"type":"{kind}",{body}}}"#),
            Dialect::SocketIo => format!(r#"42["{kind}",{{{body}}}]"#),
        })
        .await
    }

    /// Leaves the room; the connection stays.
    pub(crate) async fn leave(&mut self) -> anyhow::Result<()> {
        self.say(match self.dialect {
            Dialect::Visavis => r#"{"type":"leave-room"}"#.to_owned(),
            Dialect::SocketIo => format!(r#"42["leave","{}"]"#, self.room),
        })
        .await
    }

    /// Says good-bye, and waits for the server to have heard it.
    pub(crate) async fn close(mut self) {
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }

    /// The next thing; learns the other one's name by it.
    pub(crate) async fn hear(&mut self) -> anyhow::Result<Heard> {
        let text = self.text().await?;
        let (kind, rest) = match self.dialect {
            Dialect::Visavis => text.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split_once('"')),
            Dialect::SocketIo => text.strip_prefix(r#"42[""#).and_then(|rest| rest.split_once('"')),
        }
        .with_context(|| format!("unexpected {text}"))?;
        Ok(match kind {
            "peer-joined" => {
                if self.dialect == Dialect::Visavis {
                    let id = rest.split_once(r#""peerId":""#).and_then(|(_, rest)| rest.split_once('"'));
                    self.other = id.context("somebody without a name came")?.0.to_owned();
                }
                Heard::Came
            }
            "offer" | "answer" | "ice-candidate" => Heard::Passed,
            "peer-left" => Heard::Left,
            "error" => bail!("{text}"),
            _ => Heard::Other,
        })
    }

    /// Hears until this comes.
    pub(crate) async fn wait_for(&mut self, wanted: Heard) -> anyhow::Result<()> {
        while self.hear().await? != wanted {}
        Ok(())
    }

    async fn expect(&mut self, prefix: &str) -> anyhow::Result<()> {
        let text = self.text().await?;
        if text.starts_with(prefix) { Ok(()) } else { bail!("unexpected {text}") }
    }

    async fn say(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// The next text; socket.io's pings are answered in between, and those of WebSocket by the library.
    async fn text(&mut self) -> anyhow::Result<String> {
        loop {
            match self.socket.next().await.context("the connection ended")?? {
                Message::Text(text) if self.dialect == Dialect::SocketIo && text.as_str() == "2" => {
                    self.say("3".to_owned()).await?;
                }
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(frame) => bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
}
