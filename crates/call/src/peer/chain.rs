//! What a packet passes between a call's media and the wire: the interceptors, wire-most first.
//!
//! `Slot` numbers say how far from the wire each is: packets that leave pass from high to low, packets that come from
//! low to high.

use super::loss_watch::LossWatch;
use super::nack::{NackGenerator, NackResponder};
use super::parity::{AlongWith, ParityReader, ParityWriter};
use super::reports::{CaptureClocks, SenderReports};
use super::tap::{Feedback, FeedbackTap};
use crate::interceptor::By;
use crate::rate::{
    AudioFirstPacer, Estimator, Padder, SharedParityPlan, SharedRepair, SharedRoundTrip, SharedSoundPlan, SharedTarget,
};
use rtc::interceptor::{TwccReceiverBuilder, TwccSenderBuilder};
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_media::time::WallClock;
use webrtc::error::Error;
use webrtc::peer_connection::{
    CongestionFeedback, MediaEngine, Registry, Slot, configure_congestion_control, configure_rtcp_reports,
};

/// Probes are put in where nothing has looked at the numbers of packets that leave: above history and repair.
const PADDER: Slot = Slot::Custom(5_500);
/// The other side's estimator hears of arrivals this often; the crate's 100 ms would let a queue grow twice as long.
const FEEDBACK: Duration = Duration::from_millis(50);

/// What the interceptors share with the rest of a call.
#[derive(Clone)]
pub(crate) struct Shared {
    pub target: SharedTarget,
    pub round_trip: SharedRoundTrip,
    pub clocks: CaptureClocks,
    pub repair: SharedRepair,
    pub sound: SharedSoundPlan,
    pub parity: SharedParityPlan,
}

impl Shared {
    /// That of a new connection.
    pub(crate) fn new(target: SharedTarget) -> Self {
        Self {
            target,
            round_trip: SharedRoundTrip::default(),
            clocks: CaptureClocks::default(),
            repair: SharedRepair::default(),
            sound: SharedSoundPlan::default(),
            parity: SharedParityPlan::default(),
        }
    }
}

/// The chain of one connection; registers what has to be negotiated for it. RTX is not registered: the crate unwraps
/// it above its NACK generator's place, which would ask for recovered packets again and again.
///
/// # Errors
/// Where the engine refuses the header extension for transport-wide numbers.
pub(crate) fn registry(
    engine: &mut MediaEngine,
    estimator: Estimator,
    wall: WallClock,
    feedback: mpsc::Sender<Feedback>,
    shared: &Shared,
) -> Result<Registry, Error> {
    let Shared { target, round_trip, clocks, repair, sound, parity } = shared.clone();
    let registry = Registry::new().with(Slot::from(500), By::new(FeedbackTap::new(feedback, round_trip.clone())));
    let registry = configure_rtcp_reports(registry);
    let registry = configure_congestion_control(registry, estimator, CongestionFeedback::Twcc, engine)?;
    let answers = NackResponder::new(round_trip.clone(), target.clone(), repair.clone(), parity.clone());
    let (watched, ssrc) = (round_trip.clone(), rand::random());
    // A slot holds one interceptor, the last one wins: ours let sound pass and follow the true target, and report the
    // moment of capture.
    Ok(registry
        .with(Slot::from(600), By::new(LossWatch::new(target.clone(), watched, sound, parity.clone())))
        .with(Slot::TwccSender, AlongWith { inner: TwccSenderBuilder::new().build(), ssrc })
        .with(Slot::Pacer, AlongWith { inner: By::new(AudioFirstPacer::new(target.clone())), ssrc })
        .with(PADDER, By::new(Padder::new(target.clone())))
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().with_interval(FEEDBACK).build())
        .with(Slot::NackResponder, By::new(answers))
        .with(Slot::FecEncoder, By::new(ParityWriter::new(parity.clone(), target, repair.clone(), ssrc)))
        // Application-ward of the receiver of transport-wide numbers, which parity has, too.
        .with(Slot::from(8_300), By::new(ParityReader::new(parity, repair)))
        .with(Slot::from(8_600), By::new(NackGenerator::new(round_trip)))
        .with(Slot::SenderReport, By::new(SenderReports::new(clocks, wall))))
}
