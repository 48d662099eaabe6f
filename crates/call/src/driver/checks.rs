//! The check of one's setup that is under way: its echo peer and what has been found out.

use crate::check::{self, Check, EchoPeer, EchoTest, NetworkCheck, Questions};
use crate::media::{Trial, TrialReport};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use visavis_signaling::Invitation;

/// A test takes 5.5 s; twice that, and something does not play or hear.
const TEST: Duration = Duration::from_secs(12);

/// What tasks of this module report, of the check with this number; older ones are of one that is over.
pub(super) enum CheckNews {
    /// The echo peer waits.
    Ready(u64, Invitation),
    /// There is none.
    NoEcho(u64, String),
    Test(u64, EchoTest),
    Network(u64, NetworkCheck),
}

/// See the module's text.
pub(super) struct Checks {
    round: u64,
    running: Option<Running>,
    news: mpsc::Sender<CheckNews>,
    closing: JoinSet<()>,
}

struct Running {
    view: Check,
    /// Dropped, it ends the echo peer.
    _end: oneshot::Sender<()>,
    test: Option<AbortHandle>,
    asking: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.asking.abort();
        self.test.iter().for_each(AbortHandle::abort);
    }
}

impl Checks {
    pub(super) fn new() -> (Self, mpsc::Receiver<CheckNews>) {
        let (news, inbox) = mpsc::channel(64);
        (Self { round: 0, running: None, news, closing: JoinSet::new() }, inbox)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn view(&self) -> Option<Check> {
        self.running.as_ref().map(|running| running.view.clone())
    }

    /// Starts an echo peer, and asks servers.
    pub(super) fn begin(&mut self, questions: Questions) {
        while self.closing.try_join_next().is_some() {}
        self.round += 1;
        let (end, ended) = oneshot::channel::<()>();
        self.closing.spawn(serve_echo(self.round, self.news.clone(), ended));
        let (round, news) = (self.round, self.news.clone());
        let asking = tokio::spawn(check::ask(questions, async move |found| {
            let _ = news.send(CheckNews::Network(round, found)).await;
        }));
        let asking = asking.abort_handle();
        self.running = Some(Running { view: Check::default(), _end: end, test: None, asking });
    }

    /// Ends it; the echo peer goes in the background.
    pub(super) fn end(&mut self) {
        self.running = None;
    }

    /// A new test for echo, for the sound thread; `None` where one is under way.
    pub(super) fn test(&mut self) -> Option<Box<Trial>> {
        let running = self.running.as_mut()?;
        if matches!(running.view.echo, EchoTest::Running(_)) {
            return None;
        }
        let (trial, report) = Trial::new();
        running.view.echo = EchoTest::Running(0);
        running.test = Some(tokio::spawn(follow(self.round, report, self.news.clone())).abort_handle());
        Some(trial)
    }

    /// Notes what a report says; gives whom to call.
    pub(super) fn take(&mut self, news: CheckNews) -> Option<Invitation> {
        let (CheckNews::Ready(round, _)
        | CheckNews::NoEcho(round, _)
        | CheckNews::Test(round, _)
        | CheckNews::Network(round, _)) = &news;
        let running = self.running.as_mut().filter(|_| *round == self.round)?;
        match news {
            CheckNews::Ready(_, invitation) => return Some(invitation),
            CheckNews::NoEcho(_, why) => running.view.trouble = Some(why),
            CheckNews::Test(_, echo) => running.view.echo = echo,
            CheckNews::Network(_, network) => running.view.network = network,
        }
        None
    }

    /// Waits for what is closing.
    pub(super) async fn finish(&mut self) {
        self.running = None;
        while self.closing.join_next().await.is_some() {}
    }
}

/// Keeps an echo peer until it is not needed any more.
async fn serve_echo(round: u64, news: mpsc::Sender<CheckNews>, ended: oneshot::Receiver<()>) {
    let mut peer = match EchoPeer::start().await {
        Ok(peer) => peer,
        Err(error) => {
            let _ = news.send(CheckNews::NoEcho(round, error.to_string())).await;
            return;
        }
    };
    let waited = async {
        let said = match peer.waits().await {
            Ok(invitation) => CheckNews::Ready(round, invitation),
            Err(error) => CheckNews::NoEcho(round, error.to_string()),
        };
        let _ = news.send(said).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = waited => {}
        _ = ended => {}
    }
    peer.stop().await;
}

/// Tells how a test fares, and judges it at its end on a thread where that may take its time.
async fn follow(round: u64, report: TrialReport, news: mpsc::Sender<CheckNews>) {
    let TrialReport { mut progress, done } = report;
    let telling = async {
        while progress.changed().await.is_ok() {
            let percent = *progress.borrow_and_update();
            let _ = news.send(CheckNews::Test(round, EchoTest::Running(percent))).await;
        }
        std::future::pending::<()>().await;
    };
    let over = tokio::select! {
        over = tokio::time::timeout(TEST, done) => over,
        () = telling => return,
    };
    let outcome = match over {
        Ok(Ok(trial)) => tokio::task::spawn_blocking(move || trial.outcome()).await.ok().flatten(),
        Ok(Err(_)) | Err(_) => None,
    };
    tracing::debug!(?outcome, "the test for echo is over");
    let _ = news.send(CheckNews::Test(round, outcome.map_or(EchoTest::Failed, EchoTest::Over))).await;
}
