//! What a screen is drawn from.

use crate::quality::Health;
use crate::settings::Settings;
use crate::video::VideoView;
use std::time::Instant;
use visavis_call::State;

/// Everything that a screen shows comes from here and from what was typed into it; it changes nothing.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What is true of the call.
    pub state: &'a State,
    /// What was chosen.
    pub settings: &'a Settings,
    /// One's own picture.
    pub own: &'a VideoView,
    /// The other side's picture.
    pub other: &'a VideoView,
    /// How the call fares.
    pub health: &'a Health,
    /// The moment that is drawn.
    pub now: Instant,
}
