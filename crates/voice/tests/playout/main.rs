//! The playout buffer against an emulated network, in emulated time.

mod call;
mod delay;
mod lengths;
mod losses;
mod numbers;
mod stalls;
