//! The camera, its preview, and the call that looks through it.
//!
//! Opening and closing a device can take its time, so both happen on a thread of their own, one after the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use visavis_capture::{Camera, CameraSpec, CameraState, CameraWish, Worker};
use visavis_media::{VideoFrame, slot};

/// Where pictures go.
struct Outlets {
    preview: slot::Writer<VideoFrame>,
    call: Mutex<Option<slot::Writer<VideoFrame>>>,
    captured: AtomicU64,
}

impl Outlets {
    fn put(&self, frame: VideoFrame) {
        self.captured.fetch_add(1, Ordering::Relaxed);
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = call.as_ref() {
            call.put(frame.clone());
        }
        drop(call);
        self.preview.put(frame);
    }
}

enum Order {
    Open(CameraSpec),
    Close,
}

/// See the module's text. Dropping it closes the camera.
pub(crate) struct CameraDeck {
    orders: Option<SyncSender<Order>>,
    outlets: Arc<Outlets>,
    worker: Option<Worker>,
}

impl CameraDeck {
    /// Nothing is opened yet.
    pub(crate) fn new(
        wish: CameraWish,
        preview: slot::Writer<VideoFrame>,
        state: Arc<watch::Sender<CameraState>>,
    ) -> Self {
        let outlets = Arc::new(Outlets { preview, call: Mutex::new(None), captured: AtomicU64::new(0) });
        let (orders, inbox) = sync_channel(16);
        let out = outlets.clone();
        let worker = Worker::spawn("camera-deck", move |_| run(&inbox, wish, &out, &state));
        Self { orders: Some(orders), outlets, worker: Some(worker) }
    }

    /// Opens a camera instead of the one that is open.
    pub(crate) fn open(&self, spec: CameraSpec) {
        self.order(Order::Open(spec));
    }

    /// Closes the camera: its light goes out.
    pub(crate) fn close(&self) {
        self.order(Order::Close);
    }

    /// Lets a call look through it; the last one that asked does.
    pub(crate) fn attach(&self) -> slot::Reader<VideoFrame> {
        let (writer, reader) = slot::newest_wins();
        *self.outlets.call.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        reader
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders
            && orders.try_send(order).is_err()
        {
            tracing::warn!("the camera is busy opening; a change of it was not taken");
        }
    }
}

impl Drop for CameraDeck {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(worker) = self.worker.take() {
            // A driver that hangs must not keep the app from closing.
            worker.join_within(Duration::from_secs(1));
        }
    }
}

fn run(inbox: &Receiver<Order>, wish: CameraWish, outlets: &Arc<Outlets>, state: &Arc<watch::Sender<CameraState>>) {
    let mut camera: Option<Camera> = None;
    while let Ok(mut order) = inbox.recv() {
        // Only the newest wish counts.
        while let Ok(newer) = inbox.try_recv() {
            order = newer;
        }
        drop(camera.take());
        match order {
            Order::Open(spec) => {
                let (out, state) = (outlets.clone(), state.clone());
                let report = move |now| {
                    state.send_replace(now);
                };
                camera = Some(Camera::open(&spec, wish, move |frame| out.put(frame), report));
            }
            Order::Close => {
                state.send_replace(CameraState::Off);
            }
        }
    }
    drop(camera);
}
