//! Sound in the mathematical sense: the playout buffer, voice processing, levels, gains. No threads, no devices, no
//! clock of its own.
//!
//! Everything is 48 kHz mono in −1…1.

pub mod echo_trial;
pub mod gain;
pub mod level;
pub mod loudness_guard;
pub mod playout;
pub mod processing;
pub mod ramp;
