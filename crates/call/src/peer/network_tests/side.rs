//! One side of a call in emulated time: its chain as a call builds it, what it sends, and what it makes of what comes.

use super::camera::Camera;
use crate::media::assembler::{FrameAssembler, VideoPacket};
use crate::peer::chain_tests::wire::{AUDIO, End, VIDEO, rtp};
use crate::peer::setup::{FLOOR, START};
use crate::peer::tap::Feedback;
use crate::rate::{Lengths, PacketLength, SoundPath, SoundRule};
use rtc::interceptor::Packet;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use visavis_media::{BitsPerSecond, RtpTicks};

/// A packet of sound at most: 20 ms at 48 kbit/s.
const SOUND_BYTES: usize = 120;
const SOUND_EVERY: Duration = Duration::from_millis(20);
/// A keyframe is asked for again no sooner than this, and not made more often than that.
const ASK_AGAIN: Duration = Duration::from_millis(300);
const KEYFRAMES: Duration = Duration::from_millis(250);

/// A picture that was whole: when it was captured, and when it could be decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    pub captured: Instant,
    pub at: Instant,
}

/// See the module's text.
pub(super) struct Side {
    pub end: End,
    begun: Instant,
    camera: Option<Camera>,
    sequence: u16,
    sounds: u32,
    sound_rule: SoundRule,
    keyframe_wanted: bool,
    keyframe_at: Option<Instant>,
    assembler: FrameAssembler,
    asked_for_keyframe: Option<Instant>,
    pub shown: Vec<Shown>,
    pub keyframes_asked: u32,
    /// Sound packets that came, by number, and how late each was.
    pub heard: BTreeSet<u16>,
    pub sound_delays: Vec<Duration>,
    /// The target, ten times a second.
    pub targets: Vec<BitsPerSecond>,
}

impl Side {
    pub(super) fn new(begun: Instant, most: BitsPerSecond, camera: Option<Camera>, seed: u64) -> Self {
        Self {
            end: End::estimating(begun, [START, FLOOR, most], |registry| registry),
            begun,
            camera,
            // Numbers wrap around soon, as they may.
            sequence: 65_000 + (seed % 500) as u16,
            sounds: 0,
            sound_rule: SoundRule::new(Lengths::Only(PacketLength::Long)),
            keyframe_wanted: false,
            keyframe_at: None,
            assembler: FrameAssembler::new(),
            asked_for_keyframe: None,
            shown: Vec::new(),
            keyframes_asked: 0,
            heard: BTreeSet::new(),
            sound_delays: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Pictures that the encoder left out.
    pub(super) fn left_out(&self) -> u32 {
        self.camera.as_ref().map_or(0, |camera| camera.dropped)
    }

    /// How many sounds were sent.
    pub(super) fn sounds(&self) -> u32 {
        self.sounds
    }

    /// Sends what is to be sent by now. `sound`: the number of our sound's stream.
    pub(super) fn send(&mut self, now: Instant, sound: u32) {
        while self.begun + SOUND_EVERY * self.sounds <= now {
            let ticks = self.sounds * 960;
            self.end.shared.clocks.set(sound, now, RtpTicks(ticks));
            let target = self.end.shared.target.get();
            let path = SoundPath { target, lost: 0, copies: false, jitter: None };
            let bytes = self.sound_rule.settings(now, &path).bitrate.0 as usize / 8 / 50;
            let packet = rtp(sound, self.sounds as u16, ticks, false, vec![0; bytes.min(SOUND_BYTES)].into());
            self.end.write(now, packet);
            self.sounds += 1;
        }
        while self.camera.as_ref().is_some_and(|camera| camera.due() <= now) {
            self.picture(now);
        }
        let tenths = (now - self.begun).as_millis() / 100;
        while (self.targets.len() as u128) < tenths {
            self.targets.push(self.end.shared.target.get());
        }
    }

    fn picture(&mut self, now: Instant) {
        self.keyframe_wanted |= self.end.news().contains(&Feedback::KeyframeWanted);
        let soon = self.keyframe_at.is_some_and(|last| now - last < KEYFRAMES);
        let Some(camera) = &mut self.camera else { return };
        let captured = camera.due();
        let keyframe = self.keyframe_wanted && !soon;
        let Some(packets) = camera.picture(&self.end.shared.target, keyframe) else { return };
        if keyframe || self.keyframe_at.is_none() {
            (self.keyframe_wanted, self.keyframe_at) = (false, Some(now));
        }
        let ticks = ((captured - self.begun).as_micros() * 9 / 100) as u32;
        self.end.shared.clocks.set(VIDEO, captured, RtpTicks(ticks));
        let count = packets.len();
        for (i, payload) in packets.into_iter().enumerate() {
            self.end.write(now, rtp(VIDEO, self.sequence, ticks, i + 1 == count, payload));
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    /// Looks at what the chain let through.
    pub(super) fn receive(&mut self, now: Instant) {
        for (arrival, packet) in std::mem::take(&mut self.end.heard) {
            let Packet::Rtp(packet) = packet else { continue };
            let header = packet.header;
            if header.ssrc == VIDEO {
                self.assembler.push(VideoPacket {
                    sequence: header.sequence_number,
                    ticks: RtpTicks(header.timestamp),
                    marker: header.marker,
                    payload: packet.payload,
                    arrival,
                });
            } else if header.ssrc >= AUDIO && self.heard.insert(header.sequence_number) {
                let spoken = self.begun + SOUND_EVERY * u32::from(header.sequence_number);
                self.sound_delays.push(arrival.saturating_duration_since(spoken));
            }
        }
        self.assembler.follow(&self.end.shared.round_trip.get());
        while let Some(picture) = self.assembler.poll(now) {
            let captured = self.begun + Duration::from_micros(u64::from(picture.ticks.0) * 100 / 9);
            self.shown.push(Shown { captured, at: now });
        }
        let again = self.asked_for_keyframe.is_none_or(|last| now - last >= ASK_AGAIN);
        if self.assembler.keyframe_wanted(now) && again {
            self.asked_for_keyframe = Some(now);
            self.keyframes_asked += 1;
            let request = PictureLossIndication { sender_ssrc: 9, media_ssrc: VIDEO };
            self.end.write(now, Packet::Rtcp(vec![Box::new(request)]));
        }
        // What the network has told about our own stream stays until our next picture; the rest is not kept.
        self.end.arrived.clear();
        self.end.sent.clear();
    }
}
