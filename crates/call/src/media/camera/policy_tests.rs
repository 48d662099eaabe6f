//! Scenes from the life of a camera, with a clock moved by hand.

use super::policy::{Action, Attempt, CameraPolicy, PATIENCE, PATIENT_RETRY, RETRY};
use std::time::{Duration, Instant};
use visavis_capture::{CameraSpec, CameraState, Content, DeviceError};

const MS: Duration = Duration::from_millis(1);

fn busy() -> DeviceError {
    DeviceError::Busy { name: "Cam".to_owned() }
}

fn running() -> CameraState {
    let size = "4x2".parse().expect("a size");
    CameraState::Running { name: "Cam".to_owned(), size, fps: 30.0 }
}

/// A policy, a clock moved by hand, and the attempt that is under way.
struct World {
    policy: CameraPolicy,
    now: Instant,
    attempt: Attempt,
}

impl World {
    /// The camera is wanted, and opened.
    fn wanting(spec: &CameraSpec) -> Self {
        let mut world = Self { policy: CameraPolicy::default(), now: Instant::now(), attempt: Attempt::default() };
        world.policy.want(world.now, Some(spec.clone()));
        assert_eq!(world.opens().as_ref(), Some(spec));
        world
    }

    /// Whether a camera is opened now, and which.
    fn opens(&mut self) -> Option<CameraSpec> {
        match self.policy.poll_action() {
            Some(Action::Open(attempt, spec)) => {
                self.attempt = attempt;
                Some(spec)
            }
            Some(Action::Close) | None => None,
        }
    }

    fn reports(&mut self, state: CameraState) {
        self.policy.report(self.now, self.attempt, state);
    }

    fn fails(&mut self, error: DeviceError) {
        self.reports(CameraState::Failed(error));
        assert_eq!(self.policy.poll_action(), Some(Action::Close));
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.policy.handle_timeout(self.now);
    }

    fn shows(&self, state: &CameraState) {
        assert_eq!(self.policy.state(), state);
    }

    /// A whole second passes, in which nothing is tried, and at its end something is.
    fn tries_after_a_second(&mut self, spec: &CameraSpec) {
        assert_eq!(self.policy.poll_timeout(), Some(self.now + RETRY));
        self.passes(RETRY - MS);
        assert_eq!(self.opens(), None);
        self.passes(MS);
        assert_eq!(self.opens().as_ref(), Some(spec));
    }
}

fn chosen() -> CameraSpec {
    CameraSpec::Device("Cam".to_owned())
}

#[test]
fn a_camera_that_was_unplugged_is_tried_every_second_and_taken_back() {
    let mut world = World::wanting(&chosen());
    world.shows(&CameraState::Opening);
    world.reports(running());
    world.shows(&running());
    world.passes(60_000 * MS);
    world.fails(DeviceError::Unplugged);
    for _ in 0..3 {
        world.shows(&CameraState::Failed(DeviceError::Unplugged));
        world.tries_after_a_second(&chosen());
        world.reports(CameraState::Opening);
        world.shows(&CameraState::Failed(DeviceError::Unplugged));
        // Not found any more: it is still the one that was unplugged.
        world.fails(DeviceError::NotFound { wanted: "Cam".to_owned() });
    }
    world.tries_after_a_second(&chosen());
    world.reports(CameraState::Opening);
    world.reports(running());
    world.shows(&running());
    assert_eq!(world.policy.poll_timeout(), None);
}

#[test]
fn whatever_may_mend_itself_is_tried_again_and_shown_meanwhile() {
    let mendable = [
        busy(),
        DeviceError::NotFound { wanted: "Cam".to_owned() },
        DeviceError::NoDevice,
        DeviceError::Stalled,
        DeviceError::PermissionDenied,
        DeviceError::Other("broken".to_owned()),
    ];
    for spec in [chosen(), CameraSpec::Default] {
        for error in &mendable {
            let mut world = World::wanting(&spec);
            world.passes(PATIENCE);
            world.fails(error.clone());
            for _ in 0..3 {
                world.shows(&CameraState::Failed(error.clone()));
                world.tries_after_a_second(&spec);
                world.reports(CameraState::Opening);
                world.shows(&CameraState::Failed(error.clone()));
                world.fails(error.clone());
            }
        }
    }
}

#[test]
fn another_error_is_shown_when_it_comes() {
    let mut world = World::wanting(&chosen());
    world.fails(DeviceError::Unplugged);
    world.tries_after_a_second(&chosen());
    world.fails(busy());
    world.shows(&CameraState::Failed(busy()));
}

#[test]
fn what_no_trying_mends_is_not_tried() {
    let file = DeviceError::File { path: "no/such.y4m".into(), why: "gone".to_owned() };
    let stand_in = CameraSpec::Pattern(Content::Cam);
    for (spec, error) in [
        (CameraSpec::File("no/such.y4m".into()), file),
        (stand_in, DeviceError::Other("broken".to_owned())),
        (chosen(), DeviceError::UnsupportedFormat),
    ] {
        let mut world = World::wanting(&spec);
        world.fails(error.clone());
        assert_eq!(world.policy.poll_timeout(), None);
        world.passes(3_600_000 * MS);
        assert_eq!(world.opens(), None);
        world.shows(&CameraState::Failed(error));
    }
}

#[test]
fn a_camera_that_was_closed_a_moment_ago_is_waited_for_without_a_word() {
    let mut world = World::wanting(&chosen());
    // Held by another program, or by our own thread that has not ended yet.
    for error in [busy(), DeviceError::Stalled] {
        world.fails(error);
        world.shows(&CameraState::Opening);
        world.passes(PATIENT_RETRY);
        assert_eq!(world.opens(), Some(chosen()));
    }
    world.passes(PATIENCE);
    world.fails(busy());
    world.shows(&CameraState::Failed(busy()));
}

#[test]
fn a_camera_that_is_not_wanted_any_more_is_not_tried() {
    let mut world = World::wanting(&chosen());
    world.fails(DeviceError::NoDevice);
    world.policy.want(world.now, None);
    assert_eq!(world.policy.poll_action(), Some(Action::Close));
    world.shows(&CameraState::Off);
    world.passes(60_000 * MS);
    assert_eq!(world.policy.poll_action(), None);
    // Nor heard.
    world.reports(running());
    world.shows(&CameraState::Off);
}

#[test]
fn choosing_another_camera_is_obeyed_at_once_and_the_old_one_is_not_heard() {
    let mut world = World::wanting(&chosen());
    let old = world.attempt;
    world.passes(PATIENCE);
    world.fails(DeviceError::Stalled);
    let other = CameraSpec::Device("Other".to_owned());
    world.policy.want(world.now, Some(other.clone()));
    assert_eq!(world.opens(), Some(other));
    world.shows(&CameraState::Opening);
    world.policy.report(world.now, old, CameraState::Failed(DeviceError::Unplugged));
    world.shows(&CameraState::Opening);
    assert_eq!(world.policy.poll_timeout(), None);
}

#[test]
fn choosing_the_same_camera_again_tries_it_at_once() {
    let mut world = World::wanting(&chosen());
    world.fails(DeviceError::NoDevice);
    world.policy.want(world.now, Some(chosen()));
    assert_eq!(world.opens(), Some(chosen()));
    world.shows(&CameraState::Opening);
}
