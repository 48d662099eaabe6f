//! Telling the local network that a room is open here, by mDNS (RFC 6762, RFC 6763).
//!
//! What is told is the room id, which is no secret, under a name that is drawn: neither the machine's name nor the
//! person's. Whoever finds the room still has to prove the code.

use super::packet::SERVICE;
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use visavis_media::RoomId;

/// How often it is looked whether the responder is well.
const LOOK: Duration = Duration::from_secs(1);
/// mdns-sd remembers what others announce for as long as they say, without a limit. Beyond this many records it is
/// replaced: a large office has some hundreds.
const MOST_REMEMBERED: i64 = 5000;
/// The responder looks for interfaces that come and go this often, in seconds.
const INTERFACES_EVERY: u32 = 1;
/// A goodbye is sent twice, the second time after 120 ms: the first may be lost.
const GOODBYE: Duration = Duration::from_millis(150);
/// The responder's thread ends within a turn of its loop.
const ENDING: Duration = Duration::from_millis(500);

/// A room that is being announced. Dropping it says goodbye.
pub(super) struct Announcement {
    responder: Arc<Mutex<Option<Responder>>>,
    guard: JoinHandle<()>,
}

impl Announcement {
    /// Announces a room under this name, which is to be unique: 64 random bits.
    pub(super) fn new(instance: &str, port: u16, room: &RoomId) -> Result<Self, mdns_sd::Error> {
        let responder = Arc::new(Mutex::new(Some(Responder::new(instance, port, room)?)));
        let guard = tokio::spawn(guard(Arc::downgrade(&responder), instance.to_owned(), port, room.clone()));
        Ok(Self { responder, guard })
    }

    /// Says goodbye and waits until it is said.
    pub(super) async fn withdraw(self) {
        let responder = self.responder.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(responder) = responder {
            responder.say_goodbye();
            sleep(GOODBYE).await;
            responder.end().await;
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.guard.abort();
        if let Some(responder) = self.responder.lock().unwrap_or_else(PoisonError::into_inner).take() {
            responder.say_goodbye();
            let _ = responder.daemon.shutdown();
        }
    }
}

/// mdns-sd at work, on a thread of its own.
struct Responder {
    daemon: ServiceDaemon,
    name: String,
}

impl Responder {
    fn new(instance: &str, port: u16, room: &RoomId) -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        daemon.set_ip_check_interval(INTERFACES_EVERY)?;
        // Apps on this machine find each other by their ports, and its own addresses mean nothing to others.
        daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        let host = format!("visavis-{instance}.local.");
        let properties = [("room", room.as_str()), ("version", "1")];
        let mut info =
            ServiceInfo::new(&format!("{SERVICE}."), instance, &host, "", port, &properties[..])?.enable_addr_auto();
        // A name of 64 random bits is nobody else's, so it needs no asking around (RFC 6762, section 8.1): that takes a
        // second, in which nobody would find the room.
        info.set_requires_probe(false);
        let name = info.get_fullname().to_owned();
        daemon.register(info)?;
        Ok(Self { daemon, name })
    }

    fn say_goodbye(&self) {
        let _ = self.daemon.unregister(&self.name);
    }

    async fn end(self) {
        if let Ok(ended) = self.daemon.shutdown() {
            let _ = timeout(ENDING, ended.recv_async()).await;
        }
    }

    /// Whether its thread lives and remembers no more than is reasonable.
    async fn is_well(metrics: mdns_sd::Result<mdns_sd::Receiver<mdns_sd::Metrics>>) -> bool {
        let Ok(metrics) = metrics else { return false };
        match timeout(LOOK, metrics.recv_async()).await {
            Ok(Ok(metrics)) => {
                let cached = metrics.iter().filter(|(name, _)| name.starts_with("cached-"));
                cached.map(|(_, count)| count).sum::<i64>() <= MOST_REMEMBERED
            }
            Ok(Err(_)) => false,
            // Busy with a flood of packets; there is nothing to win by starting another that would read them too.
            Err(_) => true,
        }
    }
}

/// Replaces the responder when it has died, or remembers too much.
async fn guard(responder: std::sync::Weak<Mutex<Option<Responder>>>, instance: String, port: u16, room: RoomId) {
    loop {
        sleep(LOOK).await;
        let Some(shared) = responder.upgrade() else { return };
        let asked = match &*shared.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(responder) => responder.daemon.get_metrics(),
            None => return,
        };
        if Responder::is_well(asked).await {
            continue;
        }
        tracing::debug!("the mDNS responder is replaced");
        let mut place = shared.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a goodbye: the room is still here, under the same name.
        if let Some(old) = place.take() {
            let _ = old.daemon.shutdown();
        }
        *place = Responder::new(&instance, port, &room).ok();
    }
}
