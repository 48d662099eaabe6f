use super::*;
use std::sync::mpsc::sync_channel;
use visavis_codec::opus::packet_duration;
use visavis_media::BitsPerSecond;

/// A call and what it sends; frames of a tone, each 10 ms after the one before.
struct Speaking {
    call: Call,
    out: mpsc::Receiver<EncodedAudio>,
    begun: Instant,
    said: u32,
}

impl Speaking {
    fn begin() -> Self {
        let ((_, packets), (sound, out)) = (sync_channel(1), mpsc::channel(64));
        let codec = SpeechCodec::new(false, VoiceSettings::OFF).expect("a codec");
        let (counters, lips) = Default::default();
        let call = AudioCall { packets, out: sound, counters, codec, dtx: false, tap: None, lips };
        Self { call: Call::new(call), out, begun: Instant::now(), said: 0 }
    }

    fn say(&mut self, frames: u32) {
        for _ in 0..frames {
            let mut frame = AudioFrame::silence(self.begun + FRAME_DURATION * self.said);
            for (i, sample) in frame.samples.iter_mut().enumerate() {
                // Ten periods: the tone goes on from frame to frame.
                *sample = 0.3 * (i as f32 * std::f32::consts::TAU / 48.0).cos();
            }
            self.call.speak(&frame);
            self.said += 1;
        }
    }

    fn encode_as(&mut self, length: PacketLength) {
        self.call.encode_as(SoundSettings { length, bitrate: BitsPerSecond::kilo(32), redundant: true });
    }

    /// Of each packet sent since: when it was said, and how long it is, in milliseconds.
    fn sent(&mut self) -> Vec<(u128, usize)> {
        let mut sent = Vec::new();
        while let Ok(packet) = self.out.try_recv() {
            let at = packet.at.saturating_duration_since(self.begun);
            sent.push((at.as_micros().div_ceil(1000), packet_duration(&packet.data).expect("Opus") / 48));
        }
        sent
    }
}

/// As many frames as it takes to announce long packets.
const NOTICE: u32 = 30;

#[test]
fn packets_hold_what_was_asked_for_and_no_sound_is_lost_at_a_change() {
    let mut speaking = Speaking::begin();
    speaking.say(5);
    speaking.encode_as(PacketLength::Short);
    speaking.say(2);
    // Half a long packet was waiting when packets became short, and is the first of those.
    assert_eq!(speaking.sent(), [(0, 20), (20, 20), (40, 10), (50, 10), (60, 10)]);
    speaking.encode_as(PacketLength::Long);
    speaking.say(NOTICE + 4);
    let sent = speaking.sent();
    let short: Vec<_> = (0..u128::from(NOTICE)).map(|n| (70 + n * 10, 10)).collect();
    assert_eq!(sent, [short, vec![(370, 20), (390, 20)]].concat());
    speaking.say(1);
    speaking.encode_as(PacketLength::Short);
    speaking.say(1);
    assert_eq!(speaking.sent(), [(410, 10), (420, 10)]);
}

#[test]
fn short_packets_announce_longer_ones_and_are_taken_at_their_word_until_told_otherwise() {
    let mut speaking = Speaking::begin();
    let announcing = |speaking: &mut Speaking| {
        std::iter::from_fn(|| speaking.out.try_recv().ok()).filter(|packet| announces_longer(&packet.data)).count()
    };
    speaking.encode_as(PacketLength::Short);
    speaking.say(20);
    assert_eq!(announcing(&mut speaking), 0);
    // Being asked again does not begin anew.
    for _ in 0..2 {
        speaking.encode_as(PacketLength::Long);
        speaking.say(10);
    }
    assert_eq!(announcing(&mut speaking), 20);
    speaking.encode_as(PacketLength::Short);
    speaking.say(60);
    assert_eq!(announcing(&mut speaking), 0);
    speaking.encode_as(PacketLength::Long);
    speaking.say(60);
    assert_eq!(announcing(&mut speaking), NOTICE as usize);
}

#[test]
fn muted_one_packet_of_silence_of_the_present_length_is_sent_and_what_had_been_gathered_is_not() {
    for (length, lasts) in [(PacketLength::Long, 20), (PacketLength::Short, 10)] {
        let mut speaking = Speaking::begin();
        speaking.say(1);
        speaking.call.mute();
        assert_eq!(speaking.sent(), [(0, 20)]);
        speaking.encode_as(length);
        speaking.say(2);
        speaking.sent();
        speaking.call.mute();
        assert_eq!(speaking.sent().iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [lasts]);
    }
}

#[test]
fn samples_that_do_not_follow_each_other_share_no_packet() {
    let mut speaking = Speaking::begin();
    speaking.say(1);
    speaking.said += 100;
    speaking.say(2);
    assert_eq!(speaking.sent(), [(1010, 20)]);
}

/// The most that sound bends from sample to sample: a click bends much more than a low tone.
fn bend(sound: &[f32]) -> f32 {
    sound.windows(4).map(|w| (w[3] - 3.0 * w[2] + 3.0 * w[1] - w[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn muting_and_speaking_again_make_no_click() {
    for length in [PacketLength::Long, PacketLength::Short] {
        let (mut speaking, mut decoder) = (Speaking::begin(), OpusDecoder::new().expect("a decoder"));
        let mut heard = |speaking: &mut Speaking| {
            let mut sound = Vec::new();
            while let Ok(packet) = speaking.out.try_recv() {
                decoder.decode(&packet.data, &mut sound).expect("Opus");
            }
            sound
        };
        speaking.encode_as(length);
        speaking.say(40);
        let plain = bend(&heard(&mut speaking)[9600..]);
        // In the middle of a packet and at its end.
        for frames in 30..38 {
            speaking.say(frames);
            speaking.call.mute();
            speaking.call.mute();
            let muted = bend(&heard(&mut speaking));
            speaking.say(10);
            let speaks_again = bend(&heard(&mut speaking));
            // A step from the tone to silence, or back, bends by 0.3.
            assert!(muted < 8.0 * plain, "{length:?}, {frames}: {muted}, {plain} of the tone itself");
            assert!(speaks_again < 4.0 * plain, "{length:?}, {frames}: {speaks_again}, {plain} of the tone itself");
        }
    }
}
