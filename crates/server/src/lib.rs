//! The signaling server: HTTP and WebSocket around the relay's rules, in a process of its own or inside the app.
//!
//! It passes sealed messages between two people who know the same room code. It can neither read them nor forge them,
//! and keeps nothing: what it knows is who waits in which room, for as long as they wait.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tokio::{net::TcpListener, sync::oneshot};
//! use visavis_server::{ServerConfig, run};
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! println!("ws://{}", listener.local_addr()?);
//! let (stop, stopped) = oneshot::channel::<()>();
//! let server = tokio::spawn(run(listener, ServerConfig::default(), async { drop(stopped.await) }));
//! drop(stop);
//! server.await??;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod config;
mod guard;
mod guest;
mod http;
mod hub;
mod ice_url;
mod metrics;
mod network;
mod reload;
mod socket;
mod spread;
mod tls;
mod turn;

pub use accept::run;
pub use config::{MetricsFor, ServerConfig, ServerError, TlsFiles, TurnConfig};
pub use guard::AddressLimits;
pub use ice_url::{IceUrlError, check_stun_url, check_turn_url};
pub use spread::{RedisUrl, RedisUrlError};
