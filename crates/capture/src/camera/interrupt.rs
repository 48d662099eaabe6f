//! Wakes a thread that waits for a picture that does not come (Linux).
//!
//! nokhwa waits for the next picture without a limit and does not give its device's file descriptor away. The stream
//! that it waits for can be stopped through that descriptor all the same, from another thread: then the waiting one
//! gets an error at once, and the light goes out. Without this a camera that gives a picture a second could not be
//! closed in less, and one that stalled not at all, nor opened anew.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::ptr::from_mut;
use std::{fs, io};
use v4l::buffer::Type;
use v4l::v4l2::{ioctl, vidioc};

/// Stops whatever streams from the camera with this id in this process.
///
/// May hang where the driver does. A driver that is not streaming, and streams of others, do not mind.
pub(super) fn stop_streams(id: &str) {
    // The same file, whatever link to it the id is; where it is gone, waiting has ended anyway.
    let node = fs::canonicalize(id).unwrap_or_else(|_| PathBuf::from(id));
    for file in open_files(&node) {
        let stopped = stop_stream(file);
        tracing::debug!(camera = id, ?stopped, "camera interrupted");
    }
}

/// The descriptors under which this process has a file open.
fn open_files(path: &Path) -> Vec<c_int> {
    let all = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let ours = all.filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == path));
    ours.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn stop_stream(file: c_int) -> io::Result<()> {
    let mut buffers = Type::VideoCapture as c_int;
    // SAFETY: VIDIOC_STREAMOFF reads one `int`, which lives until the call returns. The descriptor may have been closed,
    // or belong to something else, a moment after it was found; no file but a streaming camera obeys this request, and
    // one that stops by mistake is opened anew by its reader. Buffers stay mapped when their stream stops.
    unsafe { ioctl(file, vidioc::VIDIOC_STREAMOFF, from_mut(&mut buffers).cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn an_open_file_is_found_and_one_that_is_no_camera_does_not_mind() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = fs::canonicalize(file.path()).expect("there");
        assert_eq!(open_files(&path), [file.as_raw_fd()]);
        assert!(stop_stream(file.as_raw_fd()).is_err());
        stop_streams(path.to_str().expect("text"));
        drop(file);
        assert!(open_files(&path).is_empty());
        stop_streams("no/such/camera");
    }
}
