//! Sound in the mathematical sense: the playout buffer, voice processing, levels, ramps. No threads, no devices, no clock of its own.
//!
//! Everything is 48 kHz mono in −1…1.

pub mod level;
pub mod playout;
pub mod processing;
pub mod ramp;
