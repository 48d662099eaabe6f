//! One WebSocket: what comes in goes to the hub, what the hub says goes out.

use crate::guard::Visit;
use crate::http::Seat;
use crate::hub::{Connection, Event, Hub, Saying};
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Error as WsError;
use visavis_signaling::{ErrorCode, MAX_MESSAGE, Origin, Pace, ServerMessage};

/// Read buffer of a connection; there are many, and most are idle.
const READ_BUFFER: usize = 4 * 1024;
/// So much is gathered before it is sent: what waits for a connection goes out in one go.
const WRITE_BUFFER: usize = 8 * 1024;
/// Up to this size a message is read, so that who sends too large a one can be told and go on.
const READABLE: usize = 2 * MAX_MESSAGE;
/// A message of so many bytes takes longer to deal with than others, and is more than any app of ours says.
const LONG: usize = 16 * 1024;
/// Messages of one connection that are dealt with before others have their turn.
const AT_A_TIME: u32 = 8;
/// How long somebody is not read for each of these bytes, so that others have their turn.
const BREATH: Duration = Duration::from_millis(2);
/// The same where it was refused, because too much of it comes: their network then holds the rest back.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a message may take to be sent: who reads nothing for so long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that wait to be written: what was gathered, and the longest message on top of it. More comes together only where
/// somebody takes nothing.
const MOST_UNSENT: usize = 2 * READABLE;
/// How long the other side may take to answer a good-bye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Messages that are passed over until then: who floods us goes on with it.
const LAST_WORDS: usize = 256;

/// Answers a request for a WebSocket.
pub(crate) fn accept(upgrade: WebSocketUpgrade, hub: Hub, seat: Seat, visit: Arc<Visit>) -> Response {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MOST_UNSENT)
        .max_message_size(READABLE)
        .max_frame_size(READABLE)
        .on_upgrade(|socket| async move {
            serve(socket, &hub, visit.origin()).await;
            drop((seat, visit));
        })
}

async fn serve(mut socket: WebSocket, hub: &Hub, origin: Origin) {
    let (connection, mut sayings, waiting) = hub.connect(origin);
    let mut said = 0;
    let end = loop {
        tokio::select! {
            saying = sayings.recv() => match saying {
                Some(saying) => match say(&mut socket, saying, &mut sayings, &waiting).await {
                    Said::Sent => {}
                    Said::HearAgain(text) => {
                        connection.hear_again(text).await;
                    }
                    Said::Closed => return,
                    Said::Broken => break Event::Lost,
                },
                // The hub dropped us: we did not keep up.
                None => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let bytes = text.len();
                    let pace = connection.hear(text).await;
                    take_turns(pace, bytes, &mut said).await;
                }
                Some(Ok(Message::Binary(data))) => {
                    let pace = connection.tell(Event::NotText);
                    take_turns(pace, data.len(), &mut said).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    let pace = connection.tell(Event::Alive);
                    // A ping's answer goes out before more is read, so that answers nobody takes do not gather.
                    match timeout(SEND_WITHIN, socket.flush()).await {
                        Ok(Ok(())) => take_turns(pace, 0, &mut said).await,
                        Ok(Err(_)) | Err(_) => break Event::Lost,
                    }
                }
                Some(Ok(Message::Close(_))) => break Event::Closed,
                Some(Err(error)) => {
                    unreadable(&mut socket, error).await;
                    break Event::Lost;
                }
                None => break Event::Lost,
            },
        }
    };
    end_with(&connection, end, socket).await;
}

/// Lets others have their turn after somebody who says much; who says too much of it waits, and so does their network.
async fn take_turns(pace: Pace, bytes: usize, said: &mut u32) {
    *said = said.wrapping_add(1);
    match rest(pace, bytes, *said) {
        None => {}
        Some(Duration::ZERO) => yield_now().await,
        Some(rest) => sleep(rest).await,
    }
}

/// How long somebody is not read whose message this was, the `said`th: `None`, not at all; zero, until others had their
/// turn.
fn rest(pace: Pace, bytes: usize, said: u32) -> Option<Duration> {
    let long = u32::try_from(bytes / LONG).unwrap_or(u32::MAX);
    match pace {
        Pace::AsItComes if long == 0 && !said.is_multiple_of(AT_A_TIME) => None,
        Pace::AsItComes => Some(BREATH * long),
        Pace::Slower => Some(PAUSE * long),
    }
}

/// Reports the end, and lets the answer to the other side's good-bye go out.
async fn end_with(connection: &Connection, end: Event, mut socket: WebSocket) {
    let closed = matches!(end, Event::Closed);
    connection.tell(end);
    if closed {
        hear_out(&mut socket).await;
    }
}

enum Said {
    Sent,
    /// And this message of theirs is to be taken in once more.
    HearAgain(String),
    Closed,
    Broken,
}

/// Sends this, and what else waits, in one go.
async fn say(
    socket: &mut WebSocket,
    first: Saying,
    sayings: &mut mpsc::Receiver<Saying>,
    waiting: &AtomicUsize,
) -> Said {
    let sending = async {
        let mut next = Some(first);
        while let Some(saying) = next {
            let bytes = saying.bytes();
            let message = match saying {
                Saying::Text(text) => Message::Text(text.as_ref().into()),
                Saying::Ping => Message::Ping(Vec::new().into()),
                Saying::Again(text) => {
                    waiting.fetch_sub(bytes, Ordering::Relaxed);
                    socket.flush().await?;
                    return Ok(Said::HearAgain(text));
                }
                Saying::Close(code, reason) => {
                    close(socket, code, reason).await;
                    return Ok(Said::Closed);
                }
            };
            let fed = socket.feed(message).await;
            waiting.fetch_sub(bytes, Ordering::Relaxed);
            fed?;
            next = sayings.try_recv().ok();
        }
        socket.flush().await?;
        Ok::<_, axum::Error>(Said::Sent)
    };
    match timeout(SEND_WITHIN, sending).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) | Err(_) => Said::Broken,
    }
}

/// Says why nothing more is read, and ends the connection: after such an error the stream's position is unknown.
async fn unreadable(socket: &mut WebSocket, error: axum::Error) {
    let (code, close_code, sentence) = match error.into_inner().downcast_ref::<WsError>() {
        Some(WsError::Capacity(_)) => {
            (ErrorCode::TooLarge, 1009, format!("a message may have {MAX_MESSAGE} bytes at most"))
        }
        Some(WsError::Utf8(_)) => (ErrorCode::BadMessage, 1007, "messages are text in UTF-8".to_owned()),
        Some(WsError::Io(_) | WsError::ConnectionClosed | WsError::AlreadyClosed) => return,
        _ => (ErrorCode::BadMessage, 1002, "this breaks the rules of WebSocket".to_owned()),
    };
    let message = ServerMessage::Error { code, message: sentence.clone() };
    let text = Message::Text(message.to_json().into());
    if let Ok(Ok(())) = timeout(GOODBYE, socket.send(text)).await {
        close(socket, close_code, sentence).await;
    }
}

/// Says good-bye and waits a moment for the answer, so that what was sent before is not cut off.
async fn close(socket: &mut WebSocket, code: u16, reason: String) {
    let frame = CloseFrame { code, reason: reason.into() };
    if let Ok(Ok(())) = timeout(GOODBYE, socket.send(Message::Close(Some(frame)))).await {
        hear_out(socket).await;
    }
}

/// Waits for the other side's end, as long as it does not take too much of anything.
async fn hear_out(socket: &mut WebSocket) {
    let rest = socket.take(LAST_WORDS).take_while(|message| std::future::ready(message.is_ok()));
    let _ = timeout(GOODBYE, rest.for_each(|_| std::future::ready(()))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_have_their_turn_after_a_few_messages_and_after_each_long_one() {
        let rests: Vec<_> = (1..=2 * AT_A_TIME).map(|said| rest(Pace::AsItComes, 500, said)).collect();
        let turn = [vec![None; AT_A_TIME as usize - 1], vec![Some(Duration::ZERO)]].concat();
        assert_eq!(rests, turn.repeat(2));
        for said in [1, 2] {
            assert_eq!(rest(Pace::AsItComes, LONG, said), Some(BREATH));
            assert_eq!(rest(Pace::AsItComes, 4 * LONG, said), Some(4 * BREATH));
        }
    }

    #[test]
    fn who_is_refused_is_read_more_slowly_the_more_so_the_longer_their_messages_are() {
        for said in [1, 2] {
            assert_eq!(rest(Pace::Slower, 500, said), Some(Duration::ZERO));
            assert_eq!(rest(Pace::Slower, 4 * LONG, said), Some(4 * PAUSE));
        }
    }
}
