//! Tries a camera and prints what it finds, one line each, for people and for scripts.
//!
//! `camera_probe list` · `camera_probe run SPEC WxH FPS SECONDS [bars]`
//!
//! `run` prints `state …` for each change, once a second `frames …`, and at the end `colours …`: the mean Y, Cb, Cr of
//! eight equal columns of the last picture's upper middle. With `bars` it compares these with the eight colour bars
//! of a test-pattern generator and prints `bars ok` or `bars wrong`.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use visavis_capture::{Camera, CameraSpec, CameraState, CameraWish, DeviceError, list_devices};
use visavis_media::{I420, VideoFrame};

const USAGE: &str = "camera_probe list | camera_probe run SPEC WxH FPS SECONDS [bars]";

/// White, yellow, cyan, green, magenta, red, blue, black at full strength, limited-range BT.601.
const BARS: [[u8; 3]; 8] = [
    [235, 128, 128],
    [210, 16, 146],
    [170, 166, 16],
    [145, 54, 34],
    [106, 202, 222],
    [81, 90, 240],
    [41, 240, 110],
    [16, 128, 128],
];
/// BT.601 or BT.709, 75 or 100 %: the same bar still differs less than this from itself and more from any other.
const TOLERANCE: u8 = 45;

enum News {
    State(CameraState),
    Frame(VideoFrame),
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["list"] => {
            for camera in list_devices().cameras {
                println!("camera {:?} {:?} default={}", camera.id, camera.name, camera.default);
            }
            Ok(())
        }
        ["run", spec, size, fps, seconds, rest @ ..] => run(spec, size, fps, seconds, rest.contains(&"bars")),
        _ => Err(USAGE.to_owned()),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

fn run(spec: &str, size: &str, fps: &str, seconds: &str, bars: bool) -> Result<(), String> {
    let spec: CameraSpec = spec.parse().map_err(|error: visavis_capture::SpecError| error.to_string())?;
    let wish = CameraWish { size: size.parse()?, fps: number(fps)? };
    let end = Instant::now() + Duration::from_secs_f32(number(seconds)?.clamp(0.0, 3600.0));

    let (tell, news) = sync_channel(4);
    let tell_state = tell.clone();
    let started = Instant::now();
    let camera = Camera::open(
        &spec,
        wish,
        move |frame| drop(tell.try_send(News::Frame(frame))),
        move |state| drop(tell_state.send(News::State(state))),
    );
    let (mut frames, mut last, mut second) = (0, None, Instant::now());
    while Instant::now() < end {
        match news.recv_timeout(Duration::from_millis(100)) {
            Ok(News::State(state)) => {
                println!("state {state:?} after {} ms", started.elapsed().as_millis());
                if let CameraState::Failed(error) = state {
                    println!("error {}", kind(&error));
                    break;
                }
            }
            Ok(News::Frame(frame)) => {
                frames += 1;
                if second.elapsed() > Duration::from_secs(1) {
                    println!("frames {frames} {} late {} us", frame.picture.size(), frame.at.elapsed().as_micros());
                    second = Instant::now();
                }
                last = Some(frame.picture);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // The channel's end goes first, so that the camera's last state cannot wait for it.
    drop(news);
    let closing = Instant::now();
    drop(camera);
    println!("closed in {} ms, {frames} frames", closing.elapsed().as_millis());
    if let Some(picture) = last {
        report(&picture, bars);
    }
    Ok(())
}

fn number(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// A word for each error, for scripts.
fn kind(error: &DeviceError) -> &'static str {
    match error {
        DeviceError::NotFound { .. } => "not-found",
        DeviceError::Busy { .. } => "busy",
        DeviceError::PermissionDenied => "permission-denied",
        DeviceError::Unplugged => "unplugged",
        DeviceError::NoDevice => "no-device",
        DeviceError::UnsupportedFormat => "unsupported-format",
        DeviceError::File { .. } => "file",
        DeviceError::Stalled => "stalled",
        DeviceError::Other(_) => "other",
    }
}

fn report(picture: &I420, bars: bool) {
    let columns = columns(picture);
    let shown: Vec<String> = columns.iter().map(|[y, u, v]| format!("{y},{u},{v}")).collect();
    println!("colours {}", shown.join(" "));
    if bars {
        let near = |(a, b): (&[u8; 3], &[u8; 3])| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= TOLERANCE);
        println!("bars {}", if columns.iter().zip(&BARS).all(near) { "ok" } else { "wrong" });
    }
}

/// Mean Y, Cb, Cr of the middle of each eighth of the picture, from 25 to 50 % of its height.
fn columns(picture: &I420) -> [[u8; 3]; 8] {
    let (width, height) = (picture.size().width() as usize, picture.size().height() as usize);
    let mean = |plane: &[u8], width: usize, height: usize, column: usize| {
        let across = (4 * column + 1) * width / 32..((4 * column + 3) * width / 32).max((4 * column + 1) * width / 32 + 1);
        let rows = (height / 4..(height / 2).max(height / 4 + 1)).map(|row| &plane[row * width..][across.clone()]);
        let (sum, n) = rows.flatten().fold((0u64, 0u64), |(sum, n), value| (sum + u64::from(*value), n + 1));
        (sum / n.max(1)) as u8
    };
    std::array::from_fn(|column| {
        [
            mean(picture.y(), width, height, column),
            mean(picture.u(), width / 2, height / 2, column),
            mean(picture.v(), width / 2, height / 2, column),
        ]
    })
}
