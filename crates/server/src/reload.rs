//! Files that are read again when they change: certificates are renewed and secrets exchanged while the server runs.

use crate::config::ServerError;
use crate::metrics::Counters;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;
use tracing::{info, warn};

/// Reads files again that have changed.
pub(crate) struct Reloader {
    jobs: Vec<Job>,
    counters: Arc<Counters>,
}

struct Job {
    watched: Watched,
    reload: Box<dyn Fn() -> Result<(), ServerError> + Send>,
    failed: bool,
}

impl Reloader {
    /// Watches nothing yet.
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { jobs: Vec::new(), counters }
    }

    /// Calls `reload` whenever one of `files` has changed.
    pub(crate) fn add(&mut self, files: &[&Path], reload: impl Fn() -> Result<(), ServerError> + Send + 'static) {
        self.jobs.push(Job { watched: Watched::new(files), reload: Box::new(reload), failed: false });
    }

    /// Looks once. What failed is tried again each time: a certificate and its key are not exchanged in one moment.
    pub(crate) fn look(&mut self) {
        for job in &mut self.jobs {
            let changed = job.watched.changed();
            if !changed && !job.failed {
                continue;
            }
            let result = (job.reload)();
            match &result {
                Ok(()) => {
                    self.counters.reloaded.count();
                    info!("files that have changed are in use");
                }
                Err(error) if changed => {
                    self.counters.not_reloaded.count();
                    warn!(%error, "what was read before stays in use");
                }
                Err(_) => {}
            }
            job.failed = result.is_err();
        }
    }

    /// Looks all the time, away from the threads that serve: a disk may be slow.
    pub(crate) async fn run(mut self, every: Duration) {
        while !self.jobs.is_empty() {
            sleep(every).await;
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(back) => self = back,
                Err(error) => return warn!(%error, "files are no longer watched"),
            }
        }
    }
}

/// Files that belong together, and what they were like when they were looked at last.
#[derive(Debug)]
pub(crate) struct Watched {
    files: Vec<(PathBuf, Option<Stamp>)>,
}

/// What tells that a file was changed: its time, its length, and whether it is another one under the same name.
type Stamp = (Option<SystemTime>, u64, u64);

impl Watched {
    /// Files as they are now.
    pub(crate) fn new(files: &[&Path]) -> Self {
        Self { files: files.iter().map(|&file| (file.to_owned(), stamp(file))).collect() }
    }

    /// Whether one of them was changed since this was asked last.
    pub(crate) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, before) in &mut self.files {
            let now = stamp(file);
            changed |= *before != now;
            *before = now;
        }
        changed
    }
}

/// Follows symbolic links: what renews certificates often exchanges those only.
fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some((metadata.modified().ok(), metadata.len(), inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_changed_is_read_once_and_what_failed_until_it_works() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "good").unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let mut reloader = Reloader::new(Arc::default());
        let (read, counted) = (file.clone(), reads.clone());
        reloader.add(&[&file], move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let good = std::fs::read(&read).unwrap().starts_with(b"good");
            if good { Ok(()) } else { Err(ServerError::File { file: read.clone(), why: "bad".to_owned() }) }
        });
        let mut look = |times: usize| {
            (0..times).for_each(|_| reloader.look());
            reads.swap(0, Ordering::Relaxed)
        };
        assert_eq!(look(3), 0);
        std::fs::write(&file, "good again").unwrap();
        assert_eq!(look(3), 1);
        std::fs::write(&file, "bad").unwrap();
        assert_eq!(look(3), 3);
        std::fs::write(&file, "good at last").unwrap();
        assert_eq!(look(3), 1);
    }

    #[test]
    fn written_exchanged_removed_and_linked_files_have_changed_and_others_have_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("one"), "1").unwrap();
        std::fs::write(file("two"), "2").unwrap();
        let mut watched = Watched::new(&[&file("one"), &file("two")]);
        assert!(!watched.changed());
        std::fs::write(file("two"), "22").unwrap();
        assert!(watched.changed() && !watched.changed());
        std::fs::write(file("new"), "1").unwrap();
        std::fs::rename(file("new"), file("one")).unwrap();
        assert!(watched.changed() && !watched.changed(), "same length, another file");
        std::fs::remove_file(file("one")).unwrap();
        assert!(watched.changed() && !watched.changed());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(file("two"), file("one")).unwrap();
            assert!(watched.changed() && !watched.changed());
        }
    }
}
