//! How fast to send, and what to send again: from feedback about packets to a target, from the target to what the
//! encoder makes; which missing packets are asked for, and which requests are answered.

mod cpu;
mod delay;
#[cfg(test)]
mod emulation;
mod estimator;
#[cfg(test)]
mod estimator_tests;
mod fates;
mod ladder;
mod lateness;
mod loss;
mod nack_list;
mod outflow;
mod pacer;
mod padding;
mod path_loss;
mod picture_budget;
mod probe;
mod repair;
mod resend;
mod round_trip;
mod sound_effort;
mod sound_loss;
mod sound_settings;
mod target;
mod trend;

pub(crate) use cpu::CpuLimit;
pub(crate) use estimator::Estimator;
pub(crate) use ladder::{Ladder, Step};
pub(crate) use nack_list::{MAX_MISSING, NackList, RESTART_DISTANCE};
pub(crate) use pacer::AudioFirstPacer;
pub(crate) use padding::{Padder, is_filler};
pub(crate) use path_loss::{MOST_PACKETS, PathLoss, SharedParityPlan};
pub(crate) use picture_budget::{Due, PictureBudget};
pub(crate) use repair::{Repair, Repaired, SharedRepair};
pub(crate) use resend::{ResendBudget, ResendHistory};
pub(crate) use round_trip::{RoundTrip, SharedRoundTrip};
pub(crate) use sound_effort::SoundEffort;
pub(crate) use sound_loss::{SharedSoundPlan, SoundLoss};
pub(crate) use sound_settings::{Lengths, PacketLength, SoundPath, SoundRule, SoundSettings};
pub(crate) use target::SharedTarget;
