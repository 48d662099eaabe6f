//! Rates.

use std::fmt;

/// A rate of data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct BitsPerSecond(pub u32);

impl BitsPerSecond {
    /// `k` thousand bits per second.
    pub const fn kilo(k: u32) -> Self {
        Self(k.saturating_mul(1000))
    }

    /// The rate times `factor`, never below 0 nor above what the type holds.
    pub fn scaled(self, factor: f64) -> Self {
        Self((f64::from(self.0) * factor).clamp(0.0, f64::from(u32::MAX)) as u32)
    }

    /// Thousands of bits per second, for reading.
    pub fn as_kilo(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for BitsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} kb/s", self.as_kilo())
    }
}
