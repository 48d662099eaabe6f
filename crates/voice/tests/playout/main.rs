//! The playout buffer against an emulated network, in emulated time.

mod call;
mod delay;
mod losses;
mod numbers;
mod stalls;
