//! The way to the signaling server: its bytes take as long as half of the path, each way.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Pieces on their way in one direction of one connection.
const UNDER_WAY: usize = 256;

/// Opens a way to this server; the address at which it begins.
///
/// # Errors
/// Where no port is free.
pub(crate) fn delayed(
    runtime: &tokio::runtime::Runtime,
    server: SocketAddr,
    delay: Duration,
) -> io::Result<SocketAddr> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(server).await else { continue };
            for end in [&near, &far] {
                let _ = end.set_nodelay(true);
            }
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_in, far_out, delay));
            tokio::spawn(carry(far_in, near_out, delay));
        }
    });
    Ok(address)
}

async fn carry(mut from: impl AsyncRead + Unpin + Send + 'static, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let (sent, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    tokio::spawn(async move {
        let mut buffer = vec![0; 16_384];
        while let Ok(length) = from.read(&mut buffer).await {
            let piece = (Instant::now() + delay, buffer[..length].to_vec());
            if length == 0 || sent.send(piece).await.is_err() {
                return;
            }
        }
    });
    while let Some((due, bytes)) = under_way.recv().await {
        tokio::time::sleep_until(due).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
