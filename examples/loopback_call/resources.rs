//! What a process that leaks has more and more of, from Linux's `/proc`.

use crate::shared::process::status;
use anyhow::Context;
use serde_json::{Value, json};

/// See the module's text.
pub(crate) struct Resources {
    rss_mb: f64,
    threads: f64,
    fds: usize,
}

impl Resources {
    /// As of now.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let fds = std::fs::read_dir("/proc/self/fd").context("/proc/self/fd")?.count();
        Ok(Self { rss_mb: status("VmRSS")? / 1000.0, threads: status("Threads")?, fds })
    }

    pub(crate) fn json(&self) -> Value {
        json!({"rss_mb": self.rss_mb, "threads": self.threads as u64, "fds": self.fds})
    }
}
