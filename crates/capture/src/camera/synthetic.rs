//! Stand-in cameras: the test picture, and files.

use super::pace::Pace;
use super::pool::Pool;
use super::{CameraWish, Outlet};
use crate::clock::wall_clock;
use crate::pattern::Pattern;
use crate::{CameraState, Content, DeviceError, StopFlag, y4m};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;
use visavis_media::{I420, VideoFrame};

/// Draws the test picture until it is told to stop.
pub(super) fn run_pattern(content: Content, wish: CameraWish, stop: &StopFlag, outlet: &mut Outlet<'_>) {
    let (fps, size) = (wish.rate(), wish.size);
    let (pattern, mut pool) = (Pattern::new(content, size), Pool::default());
    let mut pace = Pace::new(Instant::now(), fps);
    (outlet.state)(CameraState::Running { name: "Test picture".to_owned(), size, fps });
    while !stop.wait_until(pace.next(Instant::now())) {
        let at = Instant::now();
        let mut buffer = pool.buffer();
        pattern.draw(wall_clock().unix_ms(at), &mut buffer);
        let Ok(picture) = I420::new(size, buffer) else { continue };
        pool.lend(&picture);
        (outlet.frames)(VideoFrame { picture, at });
    }
}

/// Plays a YUV4MPEG2 file, over and over, until it is told to stop.
pub(super) fn run_file(path: &Path, stop: &StopFlag, outlet: &mut Outlet<'_>) -> Result<(), DeviceError> {
    let failed = |why: String| DeviceError::File { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut reader = y4m::Reader::new(BufReader::new(file)).map_err(|error| failed(error.to_string()))?;
    let (fps, size) = (reader.fps(), reader.size());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut pool = Pool::default();
    let mut pace = Pace::new(Instant::now(), fps);
    let mut running = Some(CameraState::Running { name, size, fps });
    loop {
        // Read ahead of time, so that a slow disk does not make the picture late.
        let picture = reader.next_picture(pool.buffer()).map_err(|error| failed(error.to_string()))?;
        if stop.wait_until(pace.next(Instant::now())) {
            return Ok(());
        }
        if let Some(running) = running.take() {
            (outlet.state)(running);
        }
        pool.lend(&picture);
        (outlet.frames)(VideoFrame { picture, at: Instant::now() });
    }
}
