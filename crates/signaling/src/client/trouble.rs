//! What goes wrong on the way to a server, told apart by what a person can do about it.

use std::io;
use std::path::PathBuf;
use tokio_tungstenite::tungstenite;

/// Why there is no connection just now; it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The host's name leads nowhere.
    #[error("the name {host} is not known; check its spelling, and your network")]
    UnknownHost {
        /// The name.
        host: String,
    },
    /// The machine is there, the server is not.
    #[error("no server runs at {host}")]
    Refused {
        /// Host and port.
        host: String,
    },
    /// There is no way to the machine.
    #[error("{host} cannot be reached; check your network")]
    Unreachable {
        /// Host and port.
        host: String,
    },
    /// Nothing came back in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server's certificate is not one that we trust.
    #[error("the server's certificate is not trusted ({0}); check the server's name, or give its CA file")]
    Certificate(String),
    /// TLS failed for another reason.
    #[error("no encrypted connection came about ({0}); is the address to start with ws:// instead of wss://?")]
    Tls(String),
    /// Something else than a signaling server answers there.
    #[error("what answers there is no Visavis server ({0})")]
    NotAServer(String),
    /// The server has no room for more connections, or too many of them come from our network.
    #[error("the server takes no more connections just now; it is tried again")]
    Busy,
    /// The server ended the connection and said why.
    #[error("the server closed the connection{0}")]
    Closed(String),
    /// Neither message nor sign of life came for a while.
    #[error("the connection went dead")]
    Silent,
    /// It broke.
    #[error("the connection broke ({0})")]
    Broken(String),
}

/// Why a client cannot work at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The address makes no sense.
    #[error("“{0}” is no server address; one looks like wss://HOST or ws://HOST:PORT")]
    Address(String),
    /// The CA file cannot be used.
    #[error("the CA file {} cannot be used: {why}", path.display())]
    Ca {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The system's trust roots cannot be read.
    #[error("the system's trusted certificates cannot be read ({0}); give a CA file")]
    Roots(String),
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too many wait already: the connection has been away for long. The message is lost.
    #[error("too many messages wait for the connection")]
    Full,
    /// The client has ended.
    #[error("the connection is closed")]
    Closed,
    /// More than [`crate::MAX_MESSAGE`] bytes.
    #[error("the message is too large")]
    TooLarge,
}

impl Trouble {
    /// What an error of a socket means.
    pub(super) fn from_io(error: &io::Error, host: &str) -> Self {
        use io::ErrorKind as Kind;
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return match tls {
                rustls::Error::InvalidCertificate(why) => Self::Certificate(why.to_string()),
                other => Self::Tls(other.to_string()),
            };
        }
        let host = host.to_owned();
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused { host },
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => Self::Unreachable { host },
            Kind::TimedOut => Self::TimedOut,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
                Self::Broken("cut off".to_owned())
            }
            _ => Self::Broken(error.to_string()),
        }
    }

    /// What an error of the WebSocket means.
    pub(super) fn from_websocket(error: &tungstenite::Error, host: &str) -> Self {
        use tungstenite::Error;
        match error {
            Error::Io(error) => Self::from_io(error, host),
            Error::Http(response) if matches!(response.status().as_u16(), 429 | 503) => Self::Busy,
            Error::Http(response) => Self::NotAServer(format!("HTTP {}", response.status().as_u16())),
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed(String::new()),
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Broken("cut off".to_owned())
            }
            Error::Protocol(_) | Error::HttpFormat(_) | Error::Utf8(_) => Self::NotAServer(error.to_string()),
            other => Self::Broken(other.to_string()),
        }
    }
}
