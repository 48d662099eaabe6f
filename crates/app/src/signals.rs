//! SIGTERM and SIGINT (Ctrl+C) close the window as its own button does, so that the call hangs up properly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use visavis_capture::Worker;

/// Longest that the thread takes to notice that it is no longer needed.
const LEAVE: Duration = Duration::from_millis(500);

/// Listens for the system's wish that we end.
pub struct Signals {
    asked: Arc<AtomicBool>,
    listening: Option<(oneshot::Sender<()>, Worker)>,
}

impl Signals {
    /// Begins to listen; `wake` is called after each signal. A second signal ends the process at once.
    pub fn listen(wake: impl Fn() + Send + 'static) -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let (leave, left) = oneshot::channel();
        let flag = asked.clone();
        let worker = Worker::spawn("signals", move |_| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            match runtime {
                Ok(runtime) => runtime.block_on(watch(&flag, &wake, left)),
                Err(e) => tracing::warn!("signals are not heard: {e}"),
            }
        });
        Self { asked, listening: Some((leave, worker)) }
    }

    /// Whether we were asked to end.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some((leave, worker)) = self.listening.take() {
            drop(leave);
            worker.join_within(LEAVE);
        }
    }
}

async fn watch(asked: &AtomicBool, wake: &(impl Fn() + Send), mut left: oneshot::Receiver<()>) {
    let mut next = match Asks::new() {
        Ok(next) => next,
        Err(e) => {
            tracing::warn!("signals are not heard: {e}");
            return;
        }
    };
    loop {
        tokio::select! {
            () = next.ask() => {
                if asked.swap(true, Ordering::AcqRel) {
                    tracing::warn!("asked to end a second time: ending at once");
                    std::process::exit(130);
                }
                tracing::info!("asked to end");
                wake();
            }
            _ = &mut left => return,
        }
    }
}

#[cfg(unix)]
struct Asks {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Asks {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn ask(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Asks;

#[cfg(not(unix))]
impl Asks {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn ask(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
