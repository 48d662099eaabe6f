//! What one second of a call was like: the difference of two snapshots of its statistics.

use super::Moment;
use visavis_call::StatsSnapshot;

/// Why our picture is not sent as large, or as often, as the camera delivers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// It is.
    #[default]
    Nothing,
    /// The network carries no more.
    Network,
    /// This computer encodes no more.
    Computer,
}

/// What a picture's stream was like; all zero where there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Picture {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures per second.
    pub fps: f32,
}

/// One second of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// When it was over, in seconds of Unix time.
    pub t: f64,
    /// Sound and picture that left, without headers.
    pub sent_kbps: f32,
    /// Sound and picture that came, without headers.
    pub received_kbps: f32,
    /// What the network is believed to carry of ours; `None` before the first picture.
    pub estimate_kbps: Option<f32>,
    /// There and back.
    pub round_trip_ms: Option<f32>,
    /// From their camera to our screen, where their reports tell; else from their network card: half the round trip, and
    /// what we add to it.
    pub picture_delay_ms: Option<f32>,
    /// Part of what we sent that the other side missed, 0…1.
    pub lost_out: f32,
    /// Part of what the other side sent that we missed, 0…1.
    pub lost_in: f32,
    /// Packets that we sent, and those that were sent to us.
    pub packets: [f32; 2],
    /// Our picture.
    pub sent: Picture,
    /// The other side's.
    pub received: Picture,
    /// How long sound waited on average to be played.
    pub sound_buffer_ms: Option<f32>,
    /// How long pictures waited on average to be decoded.
    pub picture_buffer_ms: Option<f32>,
    /// Part of the other side's sound that had to be made up, 0…1, pauses apart.
    pub concealed: f32,
    /// Part of the second in which the other side's picture stood still, 0…1.
    pub frozen: f32,
    /// What holds our picture back.
    pub limit: Limit,
    /// The network carries no picture of ours.
    pub sound_only: bool,
    /// Theirs carries none of theirs.
    pub their_sound_only: bool,
}

impl Sample {
    /// The time between two snapshots of one call; `None` where they are not in this order.
    pub fn between(before: &StatsSnapshot, now: &StatsSnapshot, moment: Moment) -> Option<Self> {
        let seconds = (now.t - before.t) / 1000.0;
        let (old, new) = (&before.inbound_audio, &now.inbound_audio);
        let backwards = new.packets_received < old.packets_received
            || now.outbound_audio.packets_sent < before.outbound_audio.packets_sent;
        let later = seconds > 0.05;
        if !later || backwards {
            return None;
        }
        // The last report before an interruption says nothing about it.
        let round_trip = round_trip(now).filter(|_| !moment.interrupted);
        let mut sample = Self { t: now.t / 1000.0, round_trip_ms: round_trip.map(milli), ..Self::default() };
        sample.their_sound_only = moment.sound_only;
        sample.take_sent(before, now, seconds);
        sample.take_received(before, now, seconds, moment);
        let waited = mean(
            now.inbound_video.jitter_buffer_delay - before.inbound_video.jitter_buffer_delay,
            now.inbound_video.jitter_buffer_emitted_count,
            before.inbound_video.jitter_buffer_emitted_count,
        );
        let decoding = mean(
            now.inbound_video.total_decode_time - before.inbound_video.total_decode_time,
            now.inbound_video.frames_decoded,
            before.inbound_video.frames_decoded,
        );
        let on_its_way = || Some(round_trip? / 2.0 + waited? + decoding?);
        sample.picture_buffer_ms = waited.map(milli);
        // Of the newest picture, if one came.
        let in_all = waited.and(now.inbound_video.capture_to_show);
        sample.picture_delay_ms = in_all.or_else(on_its_way).map(milli);
        Some(sample)
    }

    fn take_sent(&mut self, before: &StatsSnapshot, now: &StatsSnapshot, seconds: f64) {
        let (video, was) = (&now.outbound_video, &before.outbound_video);
        let (audio, heard) = (&now.outbound_audio, &before.outbound_audio);
        let bytes = grown(video.bytes_sent, was.bytes_sent) + grown(audio.bytes_sent, heard.bytes_sent);
        self.sent_kbps = kbps(bytes, seconds);
        let estimate = now.candidate_pair.available_outgoing_bitrate / 1000.0;
        self.estimate_kbps = (estimate > 0.0).then_some(estimate as f32);
        let packets = [grown(video.packets_sent, was.packets_sent), grown(audio.packets_sent, heard.packets_sent)];
        let fractions = [now.remote_inbound_video.fraction_lost, now.remote_inbound_audio.fraction_lost];
        let lost: f64 = packets.iter().zip(fractions).map(|(packets, part)| packets * part.clamp(0.0, 1.0)).sum();
        let all: f64 = packets.iter().sum();
        (self.lost_out, self.packets[0]) = ((lost / all.max(1.0)) as f32, all as f32);
        self.sent =
            picture(grown(video.frames_encoded, was.frames_encoded), video.frame_width, video.frame_height, seconds);
        self.limit = match video.quality_limitation_reason {
            "bandwidth" => Limit::Network,
            "cpu" => Limit::Computer,
            _ => Limit::Nothing,
        };
        self.sound_only = video.sound_only;
    }

    fn take_received(&mut self, before: &StatsSnapshot, now: &StatsSnapshot, seconds: f64, moment: Moment) {
        let (video, was) = (&now.inbound_video, &before.inbound_video);
        let (audio, heard) = (&now.inbound_audio, &before.inbound_audio);
        let bytes = grown(video.bytes_received, was.bytes_received) + grown(audio.bytes_received, heard.bytes_received);
        self.received_kbps = kbps(bytes, seconds);
        let came =
            grown(video.packets_received, was.packets_received) + grown(audio.packets_received, heard.packets_received);
        // What came late after all makes the sum smaller again.
        let lost = grown(video.packets_lost, was.packets_lost) + grown(audio.packets_lost, heard.packets_lost);
        (self.lost_in, self.packets[1]) = ((lost / (came + lost).max(1.0)) as f32, (came + lost) as f32);
        let shown = grown(video.frames_decoded, was.frames_decoded);
        self.received = picture(shown, video.frame_width, video.frame_height, seconds);
        let waited = audio.jitter_buffer_delay - heard.jitter_buffer_delay;
        self.sound_buffer_ms =
            mean(waited, audio.jitter_buffer_emitted_count, heard.jitter_buffer_emitted_count).map(milli);
        let made_up = grown(audio.concealed_samples, heard.concealed_samples);
        let pauses = grown(audio.silent_concealed_samples, heard.silent_concealed_samples);
        let all = grown(audio.total_samples_received, heard.total_samples_received);
        self.concealed = ((made_up - pauses).max(0.0) / all.max(1.0)).min(1.0) as f32;
        let stood = (video.total_freezes_duration - was.total_freezes_duration) / seconds;
        // A freeze counts when it is over; one that lasts shows by the pictures that do not come.
        self.frozen = if moment.picture_due && shown == 0.0 { 1.0 } else { stood.clamp(0.0, 1.0) as f32 };
    }
}

/// From the other side's reports, else from ICE, which measures seldom.
fn round_trip(now: &StatsSnapshot) -> Option<f64> {
    let reported = now.remote_inbound_audio.round_trip_time.or(now.remote_inbound_video.round_trip_time);
    reported.or(now.candidate_pair.current_round_trip_time)
}

fn picture(frames: f64, width: u32, height: u32, seconds: f64) -> Picture {
    if frames == 0.0 {
        return Picture::default();
    }
    Picture { width, height, fps: (frames / seconds) as f32 }
}

fn grown(new: u64, old: u64) -> f64 {
    new.saturating_sub(old) as f64
}

fn kbps(bytes: f64, seconds: f64) -> f32 {
    (bytes * 8.0 / 1000.0 / seconds) as f32
}

fn milli(seconds: f64) -> f32 {
    (1000.0 * seconds) as f32
}

/// What of a sum fell on each of those counted; `None` where nothing was.
fn mean(sum: f64, new: u64, old: u64) -> Option<f64> {
    let count = grown(new, old);
    (count > 0.0).then(|| (sum / count).max(0.0))
}

#[cfg(test)]
mod tests;
