//! What is counted in a call, named and measured as in W3C webrtc-stats.

use crate::rate::Repaired;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use visavis_voice::processing::VoiceReport;

/// A snapshot, cumulative since the call connected. Durations in seconds, rates in bits per second.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StatsSnapshot {
    /// Unix time in milliseconds.
    pub t: f64,
    /// What we receive to see.
    #[serde(rename = "inbound-rtp.video")]
    pub inbound_video: InboundVideo,
    /// What we receive to hear.
    #[serde(rename = "inbound-rtp.audio")]
    pub inbound_audio: InboundAudio,
    /// What we send to see.
    #[serde(rename = "outbound-rtp.video")]
    pub outbound_video: OutboundVideo,
    /// What we send to hear.
    #[serde(rename = "outbound-rtp.audio")]
    pub outbound_audio: OutboundAudio,
    /// Our microphone.
    #[serde(rename = "media-source.audio")]
    pub microphone: AudioSource,
    /// What becomes of our picture on the way, as the other side reports it.
    #[serde(rename = "remote-inbound-rtp.video")]
    pub remote_inbound_video: RemoteInbound,
    /// The same of our sound.
    #[serde(rename = "remote-inbound-rtp.audio")]
    pub remote_inbound_audio: RemoteInbound,
    /// The path.
    #[serde(rename = "candidate-pair")]
    pub candidate_pair: CandidatePair,
}

impl StatsSnapshot {
    /// What is known of repair. Parity that made no packet good counts as discarded, though it may have been needed.
    pub(crate) fn repaired(&mut self, total: &Repaired) {
        let (inbound, outbound) = (&mut self.inbound_video, &mut self.outbound_video);
        inbound.fec_packets_received = total.parity_received;
        inbound.fec_bytes_received = total.parity_received_bytes;
        inbound.fec_packets_discarded = total.parity_discarded;
        outbound.retransmitted_packets_sent = total.again_packets;
        outbound.retransmitted_bytes_sent = total.again_bytes;
    }
}

/// `RTCInboundRtpStreamStats` of video.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct InboundVideo {
    pub bytes_received: u64,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub nack_count: u64,
    pub pli_count: u64,
    pub frames_received: u64,
    pub frames_decoded: u64,
    pub frames_per_second: f64,
    pub key_frames_decoded: u64,
    pub frame_width: u32,
    pub frame_height: u32,
    pub freeze_count: u64,
    pub total_freezes_duration: f64,
    pub frames_rendered: u64,
    pub frames_dropped: u64,
    pub jitter_buffer_delay: f64,
    pub jitter_buffer_target_delay: f64,
    pub jitter_buffer_minimum_delay: f64,
    pub jitter_buffer_emitted_count: u64,
    pub total_decode_time: f64,
    pub fec_packets_received: u64,
    pub fec_bytes_received: u64,
    pub fec_packets_discarded: u64,
    pub total_inter_frame_delay: f64,
    pub total_squared_inter_frame_delay: f64,
    /// Ours, not of webrtc-stats: by how many seconds sound is heard later than the picture filmed with it is seen, of
    /// late; negative: earlier. `None` until both streams' sender reports have come.
    pub lip_sync_offset: Option<f64>,
    /// Our own: seconds from the capture of the newest picture, by sender reports, to its display. `None` until such
    /// reports have come; wrong by half of what the ways there and back differ.
    #[serde(rename = "visavisCaptureToShow")]
    pub capture_to_show: Option<f64>,
}

/// `RTCInboundRtpStreamStats` of audio.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct InboundAudio {
    pub bytes_received: u64,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub jitter_buffer_delay: f64,
    pub jitter_buffer_target_delay: f64,
    pub jitter_buffer_minimum_delay: f64,
    pub jitter_buffer_emitted_count: u64,
    pub concealed_samples: u64,
    pub silent_concealed_samples: u64,
    pub concealment_events: u64,
    pub inserted_samples_for_deceleration: u64,
    pub removed_samples_for_acceleration: u64,
    pub total_samples_received: u64,
    pub fec_packets_received: u64,
    pub fec_bytes_received: u64,
    pub fec_packets_discarded: u64,
}

/// `RTCOutboundRtpStreamStats` of video.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct OutboundVideo {
    pub bytes_sent: u64,
    pub packets_sent: u64,
    pub retransmitted_packets_sent: u64,
    pub retransmitted_bytes_sent: u64,
    pub frames_encoded: u64,
    pub frames_per_second: f64,
    pub key_frames_encoded: u64,
    pub frame_width: u32,
    pub frame_height: u32,
    pub nack_count: u64,
    pub pli_count: u64,
    pub total_encode_time: f64,
    pub target_bitrate: f64,
    pub quality_limitation_reason: &'static str,
    pub quality_limitation_durations: LimitationDurations,
    /// Our own: no picture is sent for want of bandwidth, though there is one.
    #[serde(rename = "visavisSoundOnly")]
    pub sound_only: bool,
}

/// `qualityLimitationDurations`: seconds for each reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LimitationDurations {
    /// Nothing kept the picture from its full size.
    pub none: f64,
    /// Processor time did.
    pub cpu: f64,
    /// The path's rate did.
    pub bandwidth: f64,
    /// Anything else; we know of nothing.
    pub other: f64,
}

/// `RTCOutboundRtpStreamStats` of audio.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct OutboundAudio {
    pub bytes_sent: u64,
    pub packets_sent: u64,
}

/// `RTCAudioSourceStats`. Levels in dB; `None` where that part of voice processing is off, or nothing is known yet.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct AudioSource {
    /// 0…1, peak of late, before processing.
    pub audio_level: f64,
    pub echo_return_loss: Option<f64>,
    pub echo_return_loss_enhancement: Option<f64>,
    /// Our own: what automatic gain adds.
    #[serde(rename = "visavisAutomaticGain")]
    pub automatic_gain: Option<f64>,
    /// Our own: how much faster the loudspeaker's clock runs than the microphone's, in parts per million.
    #[serde(rename = "visavisClockDrift")]
    pub clock_drift: Option<f64>,
    /// Our own: how often a part of voice processing failed and was built anew.
    #[serde(rename = "visavisVoiceFailures")]
    pub voice_failures: u64,
}

impl From<VoiceReport> for AudioSource {
    fn from(report: VoiceReport) -> Self {
        Self {
            audio_level: f64::from(report.heard),
            echo_return_loss: report.echo_return_loss_db.map(f64::from),
            echo_return_loss_enhancement: report.echo_enhancement_db.map(f64::from),
            automatic_gain: report.gain_db.map(f64::from),
            clock_drift: report.drift_ppm.map(f64::from),
            voice_failures: report.failures,
        }
    }
}

/// `RTCRemoteInboundRtpStreamStats`: of the newest reception report (RFC 3550 §6.4).
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct RemoteInbound {
    pub packets_lost: i64,
    pub fraction_lost: f64,
    pub round_trip_time: Option<f64>,
}

/// `RTCIceCandidatePairStats` of the nominated pair.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "W3C webrtc-stats defines every field under this name")]
pub struct CandidatePair {
    pub current_round_trip_time: Option<f64>,
    pub available_outgoing_bitrate: f64,
}

/// The running figures, written by the threads that know them.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<StatsSnapshot>>);

impl Counters {
    /// Changes a few fields; the lock is held for that long only.
    pub(crate) fn update(&self, change: impl FnOnce(&mut StatsSnapshot)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A copy as of now.
    pub(crate) fn snapshot(&self, unix_ms: f64) -> StatsSnapshot {
        let mut copy = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        copy.t = unix_ms;
        copy
    }
}

/// Measures the intervals between shown pictures.
#[derive(Default)]
pub(crate) struct IntervalMeter {
    last: Option<Instant>,
}

impl IntervalMeter {
    /// A picture was shown; the time since the one before it.
    pub(crate) fn shown(&mut self, at: Instant) -> Option<Duration> {
        self.last.replace(at).map(|last| at.saturating_duration_since(last))
    }

    /// The picture was switched off and on again: what lies between is no interval.
    pub(crate) fn pause(&mut self) {
        self.last = None;
    }
}

/// Finds freezes as webrtc-stats defines them: an interval between shown pictures longer than three times the
/// average, or 150 ms more than it, over the last 30.
#[derive(Default)]
pub(crate) struct FreezeMeter {
    intervals: std::collections::VecDeque<Duration>,
    last: Option<Instant>,
}

impl FreezeMeter {
    /// A picture was shown; the length of the freeze that it ended, if it did.
    pub(crate) fn shown(&mut self, at: Instant) -> Option<Duration> {
        let interval = at.saturating_duration_since(self.last.replace(at)?);
        let count = self.intervals.len() as u32;
        let average = self.intervals.iter().sum::<Duration>().checked_div(count);
        self.intervals.push_back(interval);
        if self.intervals.len() > 30 {
            self.intervals.pop_front();
        }
        let average = average?;
        (interval > (average * 3).max(average + Duration::from_millis(150))).then_some(interval)
    }

    /// The picture was switched off and on again: that is no freeze.
    pub(crate) fn pause(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_interval_is_a_freeze_and_a_pause_is_none() {
        let start = Instant::now();
        let mut meter = FreezeMeter::default();
        let at = |ms: u64| start + Duration::from_millis(ms);
        for i in 0..10 {
            assert_eq!(meter.shown(at(33 * i)), None);
        }
        assert_eq!(meter.shown(at(297 + 400)), Some(Duration::from_millis(400)));
        meter.pause();
        assert_eq!(meter.shown(at(5000)), None);
    }

    #[test]
    fn repair_is_told_under_its_names() {
        let mut stats = StatsSnapshot::default();
        let total = Repaired {
            again_packets: 3,
            again_bytes: 3000,
            parity_received: 10,
            parity_received_bytes: 9000,
            recovered: 4,
            parity_discarded: 5,
            ..Default::default()
        };
        stats.repaired(&total);
        let json = serde_json::to_value(stats).expect("serializes");
        let (sent, came) = (&json["outbound-rtp.video"], &json["inbound-rtp.video"]);
        assert_eq!((&sent["retransmittedPacketsSent"], &sent["retransmittedBytesSent"]), (&3.into(), &3000.into()));
        assert_eq!((&came["fecPacketsReceived"], &came["fecPacketsDiscarded"]), (&10.into(), &5.into()));
    }

    #[test]
    fn names_are_those_of_webrtc_stats() {
        let json = serde_json::to_value(StatsSnapshot::default()).expect("serializes");
        assert_eq!(json["inbound-rtp.video"]["totalFreezesDuration"], 0.0);
        assert_eq!(json["inbound-rtp.audio"]["silentConcealedSamples"], 0);
        assert_eq!(json["outbound-rtp.video"]["keyFramesEncoded"], 0);
        assert_eq!(json["remote-inbound-rtp.audio"]["fractionLost"], 0.0);
        assert_eq!(json["outbound-rtp.video"]["visavisSoundOnly"], false);
        assert!(json["candidate-pair"]["currentRoundTripTime"].is_null());
        assert_eq!(json["media-source.audio"]["audioLevel"], 0.0);
    }

    #[test]
    fn what_voice_processing_knows_is_told_under_its_names() {
        let report = VoiceReport {
            heard: 0.5,
            echo_return_loss_db: Some(12.0),
            echo_enhancement_db: Some(40.0),
            drift_ppm: Some(-25.0),
            failures: 1,
            ..VoiceReport::default()
        };
        let stats = StatsSnapshot { microphone: report.into(), ..StatsSnapshot::default() };
        let source = &serde_json::to_value(stats).expect("serializes")["media-source.audio"];
        let known = ["audioLevel", "echoReturnLoss", "echoReturnLossEnhancement", "visavisClockDrift"];
        assert_eq!(known.map(|name| source[name].as_f64()), [Some(0.5), Some(12.0), Some(40.0), Some(-25.0)]);
        assert!(source["visavisAutomaticGain"].is_null());
        assert_eq!(source["visavisVoiceFailures"], 1);
    }
}
