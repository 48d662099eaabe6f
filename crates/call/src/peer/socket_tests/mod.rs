//! What only whole connections show: what is negotiated, what SRTP makes of packets that are sent again, and that a
//! lost picture comes back.

mod hellos;
mod pair;
mod roles;

use super::PeerLink;
use crate::media::{AudioCommand, MediaHooks, MediaSession, PreparedMedia};
use crate::options::{Options, PictureTap, ReceivedPicture, SoundPackets};
use pair::{LONG, connect, sealed, video};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::time::timeout;
use visavis_capture::{Camera, CameraSpec, CameraWish, Content};
use visavis_media::{Size, slot};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::TrackRemoteEvent;

/// Tag of AES in counter mode with HMAC-SHA1, in bytes (RFC 3711 §5.2); GCM's is longer.
const TAG: usize = 10;
const PAYLOAD: usize = 200;
const PACKETS: u16 = 420;
/// Packets that the path loses the first time; well behind the filler that probes the path after the first one.
const LOST: std::ops::Range<u16> = 60..65;
/// They are let through again only after so many newer ones: further back than the crate's replay window reaches.
const LATER: u16 = 300;

fn packet(link: &PeerLink, number: u16) -> rtc::rtp::Packet {
    let header = rtc::rtp::header::Header {
        version: 2,
        marker: true,
        payload_type: link.video_payload_type,
        sequence_number: 65_400u16.wrapping_add(number),
        timestamp: u32::from(number) * 3000,
        ssrc: link.video_ssrc,
        ..Default::default()
    };
    rtc::rtp::Packet { header, payload: vec![number as u8; PAYLOAD].into() }
}

#[tokio::test]
async fn neither_side_offers_rtx_and_generic_nack_is_agreed_on_once() {
    let pair = connect(Box::new(|datagram| vec![datagram])).await;
    for sdp in [&pair.offer, &pair.answer] {
        assert!(!sdp.contains("rtx") && !sdp.contains("FID"), "{sdp}");
        for feedback in ["a=rtcp-fb:102 nack\r\n", "a=rtcp-fb:102 nack pli\r\n", "a=rtcp-fb:102 ccm fir\r\n"] {
            assert_eq!(sdp.matches(feedback).count(), 1, "{feedback} in {sdp}");
        }
    }
}

#[tokio::test]
async fn copies_of_sound_and_parity_of_pictures_are_agreed_on() {
    let pair = connect(Box::new(|datagram| vec![datagram])).await;
    for link in [&pair.a.1, &pair.b.1] {
        assert_eq!((link.sound_formats.opus, link.sound_formats.red, link.parity), (111, Some(63), Some(119)));
    }
}

#[tokio::test]
async fn packets_that_are_sent_again_long_after_are_taken_and_repeat_their_ciphertext() {
    let copies: Arc<Mutex<HashMap<u16, Vec<Vec<u8>>>>> = Arc::default();
    let seen = copies.clone();
    let (mut first, mut newest, mut held) = (None, 0, Vec::new());
    let rule = move |datagram: Vec<u8>| {
        let Some(sequence) = video(&datagram) else { return vec![datagram] };
        let number = sequence.wrapping_sub(*first.get_or_insert(sequence));
        newest = number.max(newest);
        let mut out = vec![datagram.clone()];
        if LOST.contains(&number) {
            let mut seen = seen.lock().unwrap();
            let copies = seen.entry(number).or_default();
            copies.push(datagram);
            let again = out.pop().filter(|_| copies.len() > 1);
            held.extend(again);
        }
        if newest >= LATER {
            out.append(&mut held);
        }
        out
    };
    let pair = connect(Box::new(rule)).await;
    let ((_a, from), (_b, mut to)) = (pair.a, pair.b);
    tokio::spawn(async move {
        for number in 0..PACKETS {
            from.video.write_rtp(packet(&from, number)).await.expect("sent");
        }
        // Answers what it is asked for until the test is over.
        std::future::pending::<()>().await;
    });
    let (_, track) = timeout(LONG, to.later.recv()).await.expect("a track").expect("a track");
    let mut came = vec![0; usize::from(PACKETS)];
    let all = async {
        while came.contains(&0) {
            if let Some(TrackRemoteEvent::OnRtpPacket(packet)) = track.poll().await {
                // Filler has the time of the packet before it, and moves up the numbers of those behind it.
                if packet.payload.starts_with(&[12, 0xff]) {
                    continue;
                }
                let number = (packet.header.timestamp / 3000) as u16;
                assert!(packet.payload.iter().all(|byte| *byte == number as u8), "packet {number}");
                came[usize::from(number)] += 1;
            }
        }
    };
    timeout(LONG, all).await.expect("every packet");
    assert!(came.iter().all(|times| *times == 1), "a packet was taken twice");
    for (number, copies) in copies.lock().unwrap().iter() {
        assert!(copies.len() > 1, "packet {number} was not sent again");
        for copy in copies {
            assert_eq!(sealed(copy).len(), PAYLOAD + TAG);
            assert_eq!(sealed(copy)[..PAYLOAD], sealed(&copies[0])[..PAYLOAD], "another ciphertext under the same key");
        }
    }
}

/// A running media session of one side, and what it is told and tells.
struct Side {
    media: MediaSession,
    pictures: mpsc::Receiver<u64>,
    _camera: Camera,
    _audio: Receiver<AudioCommand>,
}

impl Side {
    fn start(link: PeerLink) -> Self {
        let size = Size::new(320, 180).unwrap();
        let options = Options { size, ..Options::default() };
        let (frames, reader) = slot::newest_wins();
        let prepared = PreparedMedia::new(reader, &options);
        let wish = CameraWish { size, fps: 30.0 };
        let spec = CameraSpec::Pattern(Content::Pan);
        let camera = Camera::open(&spec, wish, move |frame| drop(frames.put(frame)), |_| ());
        let (told, pictures) = mpsc::channel(1024);
        let tap: PictureTap = Arc::new(move |picture: &ReceivedPicture| {
            let _ = told.try_send(picture.count);
        });
        let (audio, commands) = sync_channel(64);
        let hooks = MediaHooks {
            display: slot::newest_wins().0,
            tap: Some(tap),
            sent: None,
            audio,
            first_picture: Box::new(|| ()),
            dtx: true,
            sound_packets: SoundPackets::ByPath,
            sound_tap: None,
        };
        let media = MediaSession::start(prepared, link, hooks);
        Self { media, pictures, _camera: camera, _audio: commands }
    }

    /// Whether so many pictures are shown.
    async fn shows(&mut self, count: u64) -> bool {
        let shown = async { while self.pictures.recv().await.is_some_and(|shown| shown < count) {} };
        timeout(LONG, shown).await.is_ok()
    }
}

#[tokio::test]
async fn a_picture_that_is_lost_for_good_comes_back_with_a_keyframe_that_is_asked_for() {
    // Some packets in mid-stream never come, however often they are sent again.
    let mut first = None;
    let rule = move |datagram: Vec<u8>| match video(&datagram) {
        Some(sequence) if (60..64).contains(&sequence.wrapping_sub(*first.get_or_insert(sequence))) => Vec::new(),
        _ => vec![datagram],
    };
    let pair = connect(Box::new(rule)).await;
    let ((_peer_a, link_a), (_peer_b, link_b)) = (pair.a, pair.b);
    let (a, mut b) = (Side::start(link_a), Side::start(link_b));
    let shown = b.shows(120).await;
    let (sent, seen) = (a.media.counters.snapshot(0.0), b.media.counters.snapshot(0.0));
    let (sent, seen) = (sent.outbound_video, seen.inbound_video);
    a.media.stop().await;
    b.media.stop().await;
    assert!(shown, "no picture after the lost one: {seen:?}");
    assert!(seen.nack_count >= 1 && seen.pli_count >= 1, "{seen:?}");
    assert!(sent.pli_count >= 1 && sent.key_frames_encoded >= 2, "{sent:?}");
    assert!(seen.key_frames_decoded >= 2, "{seen:?}");
}
