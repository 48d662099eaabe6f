//! How fast to send: from feedback about packets to a target, from the target to what the encoder makes.

mod delay;
mod estimator;
mod ladder;
mod pacer;
mod target;

pub(crate) use estimator::Estimator;
pub(crate) use ladder::Ladder;
pub(crate) use pacer::AudioFirstPacer;
pub(crate) use target::SharedTarget;
