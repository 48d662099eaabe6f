//! The deck with cameras that do nothing by themselves, hang, or are slow to close.

use super::{CameraDeck, Hands};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use visavis_capture::{CameraSpec, CameraState, Content, DeviceError, StopFlag};
use visavis_media::slot::{self, Taken};
use visavis_media::{I420, VideoFrame};

const LONG: Duration = Duration::from_secs(60);

/// What the deck does to cameras.
enum Deed {
    Opened(CameraSpec, Hands),
    Closed,
}

/// A camera that hangs when it is closed, until the flag is set.
struct FakeCamera(SyncSender<Deed>, StopFlag);

impl Drop for FakeCamera {
    fn drop(&mut self) {
        let _ = self.0.send(Deed::Closed);
        self.1.wait_for(LONG);
    }
}

struct Bench {
    deck: CameraDeck,
    deeds: Receiver<Deed>,
    state: watch::Receiver<CameraState>,
    /// Cameras close when it is set.
    closes: StopFlag,
    preview: slot::Reader<VideoFrame>,
}

impl Bench {
    fn with_hanging_cameras() -> Self {
        let (done, deeds) = sync_channel(1000);
        let (tell, state) = watch::channel(CameraState::Off);
        let (preview_in, preview) = slot::newest_wins();
        let closes = StopFlag::new();
        let closing = closes.clone();
        let deck = CameraDeck::with(preview_in, Arc::new(tell), move |spec, hands| {
            let _ = done.send(Deed::Opened(spec.clone(), hands));
            FakeCamera(done.clone(), closing.clone())
        });
        Self { deck, deeds, state, closes, preview }
    }

    fn new() -> Self {
        let bench = Self::with_hanging_cameras();
        bench.closes.set();
        bench
    }

    fn opens(&self, spec: &CameraSpec) -> Hands {
        match self.deeds.recv_timeout(LONG) {
            Ok(Deed::Opened(opened, hands)) => {
                assert_eq!(&opened, spec);
                hands
            }
            Ok(Deed::Closed) => panic!("it was closed instead of opened"),
            Err(error) => panic!("nothing was opened: {error}"),
        }
    }

    fn closes(&self) {
        assert!(matches!(self.deeds.recv_timeout(LONG), Ok(Deed::Closed)), "a camera is closed");
    }

    /// Waits until the deck's state is this one.
    fn shows(&self, state: &CameraState) {
        let limit = Instant::now() + LONG;
        while &*self.state.borrow() != state {
            assert!(Instant::now() < limit, "{state:?} instead of {:?}", *self.state.borrow());
            std::thread::yield_now();
        }
    }
}

fn device(name: &str) -> CameraSpec {
    CameraSpec::Device(name.to_owned())
}

fn running(name: &str) -> CameraState {
    CameraState::Running { name: name.to_owned(), size: "4x2".parse().expect("a size"), fps: 30.0 }
}

#[test]
fn a_camera_that_neither_opens_nor_fails_can_be_replaced_and_closed() {
    let bench = Bench::new();
    bench.deck.open(device("hangs"));
    let _hands = bench.opens(&device("hangs"));
    bench.shows(&CameraState::Opening);
    bench.deck.open(device("other"));
    bench.closes();
    let hands = bench.opens(&device("other"));
    hands.tell(running("other"));
    bench.shows(&running("other"));
    bench.deck.close();
    bench.closes();
    bench.shows(&CameraState::Off);
}

#[test]
fn a_camera_that_failed_is_opened_again_and_says_what_is_wrong_until_it_runs() {
    let bench = Bench::new();
    bench.deck.open(device("a"));
    bench.opens(&device("a")).tell(CameraState::Failed(DeviceError::Unplugged));
    bench.closes();
    let hands = bench.opens(&device("a"));
    let unplugged = CameraState::Failed(DeviceError::Unplugged);
    assert_eq!(*bench.state.borrow(), unplugged);
    hands.tell(CameraState::Opening);
    hands.tell(CameraState::Failed(DeviceError::NoDevice));
    bench.closes();
    let hands = bench.opens(&device("a"));
    assert_eq!(*bench.state.borrow(), unplugged);
    hands.tell(running("a"));
    bench.shows(&running("a"));
    let picture = I420::filled("4x2".parse().expect("a size"), [1, 2, 3]);
    hands.outlets.put(VideoFrame { picture, at: Instant::now() });
    assert!(matches!(bench.preview.take_for(LONG), Taken::Value(_)));
}

#[test]
fn of_many_wishes_while_a_camera_is_slow_to_close_only_the_last_is_opened() {
    let bench = Bench::with_hanging_cameras();
    bench.deck.open(device("slow"));
    let _hands = bench.opens(&device("slow"));
    bench.deck.open(device("first"));
    // The deck waits for the slow one from here on.
    bench.closes();
    (0..100).for_each(|n| bench.deck.open(device(&n.to_string())));
    bench.deck.open(CameraSpec::Pattern(Content::Pan));
    bench.closes.set();
    let _hands = bench.opens(&CameraSpec::Pattern(Content::Pan));
    bench.deck.close();
    bench.closes();
    bench.shows(&CameraState::Off);
}

#[test]
fn a_camera_that_hangs_while_it_is_closed_does_not_keep_the_deck_from_closing() {
    let bench = Bench::with_hanging_cameras();
    bench.deck.open(device("hangs"));
    let _hands = bench.opens(&device("hangs"));
    let begun = Instant::now();
    drop(bench.deck);
    assert!(begun.elapsed() < LONG, "it waited until the camera let go");
    bench.closes.set();
}
