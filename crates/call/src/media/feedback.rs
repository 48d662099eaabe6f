//! What the other side tells about our media, and how sound is encoded because of it.

use super::audio::AudioCommand;
use super::capture_clock::SharedCaptureClock;
use super::lip_sync::SharedLipSync;
use crate::peer::Feedback;
use crate::rate::{SharedRoundTrip, SharedSoundPlan, SharedTarget, SoundPath, SoundRule, SoundSettings};
use crate::stats::Counters;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use visavis_media::ClockRate;

/// How sound is encoded is decided this often.
const INTERVAL: Duration = Duration::from_millis(250);

/// One call's listener.
pub(super) struct Listener {
    pub keyframe: Arc<AtomicBool>,
    pub video_ssrc: u32,
    pub audio: SyncSender<AudioCommand>,
    pub plan: SharedSoundPlan,
    pub target: SharedTarget,
    pub rule: SoundRule,
    pub counters: Counters,
    pub lips: SharedLipSync,
    pub clock: SharedCaptureClock,
    pub round_trip: SharedRoundTrip,
}

impl Listener {
    /// Ends with the connection.
    pub(super) async fn run(mut self, mut feedback: mpsc::Receiver<Feedback>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut reported, mut jitter, mut settings) = (0.0f32, None, SoundSettings::default());
        loop {
            tokio::select! {
                news = feedback.recv() => match news {
                    Some(news) => self.hear(news, &mut reported, &mut jitter),
                    None => return,
                },
                _ = ticks.tick() => self.decide(jitter, &mut settings),
            }
        }
    }

    fn decide(&mut self, jitter: Option<Duration>, settings: &mut SoundSettings) {
        let plan = self.plan.get();
        let copies = plan.distances().next().is_some();
        let path = SoundPath { target: self.target.get(), lost: plan.lost, copies, jitter };
        let wanted = self.rule.settings(Instant::now(), &path);
        // What finds no room is told again next time.
        if wanted != *settings && self.audio.try_send(AudioCommand::Encode(wanted)).is_ok() {
            tracing::debug!(?wanted, ?path, "sound is encoded otherwise");
            *settings = wanted;
        }
    }

    fn hear(&self, news: Feedback, reported: &mut f32, jitter: &mut Option<Duration>) {
        match news {
            Feedback::KeyframeWanted => {
                self.keyframe.store(true, Ordering::Relaxed);
                self.counters.update(|s| s.outbound_video.pli_count += 1);
            }
            Feedback::Nack { .. } => self.counters.update(|s| s.outbound_video.nack_count += 1),
            Feedback::NackSent => self.counters.update(|s| s.inbound_video.nack_count += 1),
            Feedback::Loss { ssrc, fraction, packets, jitter: ticks } => {
                let trip = self.round_trip.get().newest();
                self.counters.update(|s| {
                    let picture = ssrc == self.video_ssrc;
                    let of = if picture { &mut s.remote_inbound_video } else { &mut s.remote_inbound_audio };
                    (of.packets_lost, of.fraction_lost) = (packets.into(), fraction.into());
                    of.round_trip_time = trip.map(|trip| trip.as_secs_f64());
                });
                if ssrc != self.video_ssrc {
                    *jitter = Some(ClockRate::AUDIO.duration(ticks));
                    // At once up, slowly down: bursts are covered that the next report does not see.
                    *reported = (0.7 * *reported).max(fraction * 100.0);
                    let _ = self.audio.try_send(AudioCommand::ExpectedLoss(self.plan.get().expected(*reported)));
                }
            }
            Feedback::SenderReport { ssrc, ntp, rtp, arrival } => {
                self.lips.report(ssrc, ntp, rtp);
                self.clock.report(ntp, arrival, self.round_trip.get().shortest());
            }
        }
    }
}
