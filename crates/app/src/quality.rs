//! Whether a connection is poor, said calmly: neither at the first bad second nor with every other one.

use std::time::Duration;
use visavis_call::Figures;

/// Part of the packets lost from which on pictures freeze and words go missing.
const LOSS: f32 = 0.05;
/// Round trip from which on people talk into each other's words (ITU-T G.114 names 400 ms one way as the end of it).
const ROUND_TRIP: Duration = Duration::from_millis(600);
/// Seconds that a change must last before it is believed: figures come once a second and scatter.
const BELIEVED_AFTER: f64 = 2.5;

/// Whether one second's figures are poor.
pub fn is_poor(figures: &Figures) -> bool {
    figures.lost >= LOSS || figures.round_trip.is_some_and(|trip| trip >= ROUND_TRIP)
}

/// What is believed of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    poor: bool,
    /// Since when, in seconds of any clock, the figures say the opposite.
    doubted: Option<f64>,
}

impl Quality {
    /// Takes note of what the figures say at a moment; whether the connection is poor, and after how many seconds that
    /// may change if the figures stay as they are.
    pub fn update(&mut self, now: f64, poor: bool) -> (bool, Option<f64>) {
        if poor == self.poor {
            self.doubted = None;
            return (self.poor, None);
        }
        let left = BELIEVED_AFTER - (now - *self.doubted.get_or_insert(now));
        if left > 0.0 {
            return (self.poor, Some(left));
        }
        (self.poor, self.doubted) = (poor, None);
        (self.poor, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_or_a_long_way_is_poor_and_figures_that_are_none_are_not() {
        let figures = |lost, ms| Figures { lost, round_trip: Some(Duration::from_millis(ms)), ..Figures::default() };
        assert!(is_poor(&figures(0.08, 20)) && is_poor(&figures(0.0, 900)));
        assert!(!is_poor(&figures(0.01, 150)) && !is_poor(&figures(f32::NAN, 0)) && !is_poor(&Figures::default()));
    }

    #[test]
    fn a_single_bad_second_is_not_mentioned_and_three_are() {
        let mut quality = Quality::default();
        assert!(!quality.update(0.0, true).0);
        assert!(!quality.update(1.0, false).0);
        assert!(!quality.update(2.0, true).0);
        let (poor, again) = quality.update(4.0, true);
        assert!(!poor && again.is_some_and(|seconds| (seconds - 0.5).abs() < 1e-9));
        assert!(quality.update(4.5, true).0);
        assert!(quality.update(5.0, false).0, "one good second does not end it");
        assert!(!quality.update(8.0, false).0);
    }
}
