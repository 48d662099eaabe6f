//! What waits to enter the stream to a TURN server.
//!
//! Sound and picture are of use only while they are new: what waited for longer is dropped, so that a stream that stood
//! still does not go on with the past. Everything else (checks, keys, control) is small and waits; where there is too
//! much of it all the same, the newest is lost, as whoever sent it says it again.

use super::super::relayed::carried;
use super::framing::framed;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Sound and picture wait no longer than this: beyond it a packet that was lost would come sooner by being asked for
/// again.
const OLDEST: Duration = Duration::from_millis(250);
/// Bytes of sound and picture that wait: half a second of the most that a call sends.
const MOST_MEDIA: usize = 256 * 1024;
/// Messages of other kinds that wait.
const MOST_OTHERS: usize = 256;
/// Requests that are remembered, as they are not repeated on a stream (RFC 8489 §6.2.2).
const REMEMBERED: usize = 64;
/// Bytes of a transaction's number (RFC 8489 §5).
const TRANSACTION: std::ops::Range<usize> = 8..20;

struct Waiting {
    since: Instant,
    media: bool,
    frame: Vec<u8>,
}

/// See the module's text.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Waiting>,
    media_bytes: usize,
    others: usize,
    asked: VecDeque<[u8; 12]>,
}

impl Outbox {
    /// Takes a datagram that the webrtc crate would send to a server.
    pub(super) fn push(&mut self, now: Instant, datagram: &[u8]) {
        let Some(frame) = framed(datagram) else { return };
        if self.repeats(&frame) {
            return;
        }
        // RTP and RTCP (RFC 7983 §7).
        let media = carried(datagram).first().is_some_and(|first| (128..192).contains(first));
        if media {
            self.media_bytes += frame.len();
        } else if self.others == MOST_OTHERS {
            return;
        } else {
            self.others += 1;
        }
        self.queue.push_back(Waiting { since: now, media, frame });
        while self.media_bytes > MOST_MEDIA {
            let Some(oldest) = self.queue.iter().position(|waiting| waiting.media) else { return };
            self.media_bytes -= self.queue.remove(oldest).map_or(0, |dropped| dropped.frame.len());
        }
    }

    /// What enters the stream next.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        loop {
            let next = self.queue.pop_front()?;
            if next.media {
                self.media_bytes -= next.frame.len();
            } else {
                self.others -= 1;
            }
            if !next.media || now.saturating_duration_since(next.since) <= OLDEST {
                return Some(next.frame);
            }
        }
    }

    /// Whether a request has been taken before: a stream loses nothing.
    fn repeats(&mut self, frame: &[u8]) -> bool {
        // Requests have both bits of the class unset (RFC 8489 §5); indications are numbered too, but are no requests.
        let request = matches!(frame, [0..=63, low, ..] if frame[0] & 1 == 0 && low & 0x10 == 0);
        let Some(number) = frame.get(TRANSACTION).and_then(|n| n.try_into().ok()).filter(|_| request) else {
            return false;
        };
        if self.asked.contains(&number) {
            return true;
        }
        if self.asked.len() == REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back(number);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::relayed::tests::{by_channel, by_indication};
    use super::*;

    fn drain(outbox: &mut Outbox, now: Instant) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| outbox.pop(now)).collect()
    }

    fn request(number: u8) -> Vec<u8> {
        [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[number; 12]].concat()
    }

    #[test]
    fn a_stream_that_stood_still_goes_on_with_what_is_new_and_with_what_must_arrive() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        let (sound, check, keys) = (by_channel(&[0x80; 100]), by_indication(&request(1)), by_channel(&[22; 40]));
        for datagram in [&sound, &check, &keys] {
            outbox.push(start, datagram);
        }
        let new = by_channel(&[0x81; 100]);
        outbox.push(start + OLDEST, &new);
        let later = start + OLDEST + Duration::from_millis(1);
        assert_eq!(drain(&mut outbox, later), [check, keys, new]);
        assert_eq!((outbox.media_bytes, outbox.others), (0, 0));
    }

    #[test]
    fn nobody_who_sends_without_end_fills_memory() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        for i in 0..10_000u32 {
            outbox.push(start, &by_channel(&[&[0x80][..], &i.to_be_bytes(), &[0; 995]].concat()));
            outbox.push(start, &by_channel(&[&[22][..], &i.to_be_bytes(), &[0; 95]].concat()));
        }
        let left = drain(&mut outbox, start);
        let (media, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|frame| frame[4] == 0x80);
        assert!(media.iter().map(Vec::len).sum::<usize>() <= MOST_MEDIA && others.len() == MOST_OTHERS);
        assert_eq!(media.last().map(|frame| frame[5..9].to_vec()), Some(9999u32.to_be_bytes().to_vec()), "the newest");
    }

    #[test]
    fn a_request_is_said_once_and_what_else_is_alike_is_said_again() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        let data = by_channel(&[0x80; 10]);
        for datagram in [&request(1), &request(1), &data, &data, &request(2), &request(1)] {
            outbox.push(start, datagram);
        }
        let padded = framed(&data).expect("channel data");
        assert_eq!(drain(&mut outbox, start), [request(1), padded.clone(), padded, request(2)]);
        // Even one that is over is not said again.
        outbox.push(start, &request(2));
        assert_eq!(outbox.pop(start), None);
    }

    #[test]
    fn what_is_for_no_turn_server_is_dropped() {
        let (mut outbox, start) = (Outbox::default(), Instant::now());
        for datagram in [&[0x80; 40][..], &[22; 40], &[], &[0; 20]] {
            outbox.push(start, datagram);
        }
        assert_eq!(outbox.pop(start), None);
    }
}
