//! Tries a camera and prints what it finds, one line each, for people and for scripts.
//!
//! `camera_probe list` · `camera_probe run SPEC WxH FPS SECONDS [LAYOUT] [bars]`
//!
//! LAYOUT is one of `nv12 yuyv rgb bgr mjpeg gray`. `run` prints `state …` for each change, once a second `frames …`,
//! and at the end `closed in …`, `open nodes …` (none: the light is out) and `colours …`: the mean Y, Cb, Cr of eight
//! equal columns in the lower half of the last picture. With `bars` it compares these with the eight colour bars of a
//! test-pattern generator and prints `bars ok` or `bars wrong`.
//!
//! On Linux also: `camera_probe spoil NUMBER INTERVAL` leaves a frame interval like `2/25` s on /dev/videoNUMBER, as
//! another program might, which nokhwa alone cannot open then. `camera_probe control NUMBER NAME VALUE` sets a control
//! of that device by its name: the kernel's virtual webcam can be made to fail in this way.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use visavis_capture::format::PixelKind;
use visavis_capture::{Camera, CameraSpec, CameraState, CameraWish, list_devices};
use visavis_media::{I420, VideoFrame};

const USAGE: &str =
    "camera_probe list | run SPEC WxH FPS SECONDS [LAYOUT] [bars] | spoil NUMBER INTERVAL | control NUMBER NAME VALUE";

/// White, yellow, cyan, green, magenta, red, blue, black at 75 %, limited-range BT.601.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];
/// Rounding of several conversions; swapped or shifted colours are off by much more.
const TOLERANCE: u8 = 10;

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
        ["run", spec, size, fps, seconds, rest @ ..] => run(spec, size, fps, seconds, rest),
        #[cfg(target_os = "linux")]
        ["spoil", number, interval] => spoil(number, interval),
        #[cfg(target_os = "linux")]
        ["control", number, name, value] => control(number, name, value),
        _ => Err(USAGE.to_owned()),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

fn run(spec: &str, size: &str, fps: &str, seconds: &str, rest: &[&str]) -> Result<(), String> {
    let spec: CameraSpec = spec.parse().map_err(|error: visavis_capture::SpecError| error.to_string())?;
    let wish = CameraWish { size: size.parse()?, fps: number(fps)? };
    let end = Instant::now() + Duration::from_secs_f32(number(seconds)?.clamp(0.0, 3600.0));

    let (tell, news) = sync_channel(4);
    let tell_state = tell.clone();
    let started = Instant::now();
    let camera = Camera::open_in(
        &spec,
        wish,
        rest.iter().find_map(|word| layout(word)),
        move |frame| drop(tell.try_send(News::Frame(frame))),
        move |state| drop(tell_state.send(News::State(state))),
    );
    let (mut frames, mut last, mut second) = (0, None, Instant::now());
    while Instant::now() < end {
        match news.recv_timeout(Duration::from_millis(100)) {
            Ok(News::State(state)) => {
                println!("state {state:?} after {} ms", started.elapsed().as_millis());
                if let CameraState::Failed(error) = state {
                    println!("error {}", error.word());
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
    #[cfg(target_os = "linux")]
    println!("open nodes {}", open_nodes());
    if let Some(picture) = last {
        report(&picture, rest.contains(&"bars"));
    }
    Ok(())
}

fn number(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn layout(word: &str) -> Option<PixelKind> {
    Some(match word {
        "nv12" => PixelKind::Nv12,
        "yuyv" => PixelKind::Yuyv,
        "rgb" => PixelKind::Rgb,
        "bgr" => PixelKind::Bgr,
        "mjpeg" => PixelKind::Mjpeg,
        "gray" => PixelKind::Gray,
        _ => return None,
    })
}

/// How many camera nodes this process has open: a light that is still on.
#[cfg(target_os = "linux")]
fn open_nodes() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    files.filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.starts_with("/dev") && is_node(&to))).count()
}

#[cfg(target_os = "linux")]
fn is_node(path: &std::path::Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("video"))
}

#[cfg(target_os = "linux")]
fn spoil(number: &str, interval: &str) -> Result<(), String> {
    use v4l::video::{Capture, capture::Parameters};
    let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    let device = v4l::Device::new(number).map_err(|error| error.to_string())?;
    let parts = interval.split_once('/').and_then(|(n, d)| Some((n.parse().ok()?, d.parse().ok()?)));
    let (numerator, denominator) = parts.ok_or_else(|| format!("`{interval}` is no interval like 2/25"))?;
    let interval = v4l::Fraction::new(numerator, denominator);
    let left = device.set_params(&Parameters::new(interval)).map_err(|error| error.to_string())?.interval;
    println!("interval {}/{} s", left.numerator, left.denominator);
    Ok(())
}

#[cfg(target_os = "linux")]
fn control(number: &str, name: &str, value: &str) -> Result<(), String> {
    use v4l::control::{Control, Value};
    let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    let value = value.parse().map_err(|_| format!("`{value}` is no number"))?;
    let device = v4l::Device::new(number).map_err(|error| error.to_string())?;
    let known = device.query_controls().map_err(|error| error.to_string())?;
    let id =
        known.iter().find(|control| control.name == name).ok_or_else(|| format!("there is no control `{name}`"))?.id;
    device.set_control(Control { id, value: Value::Integer(value) }).map_err(|error| error.to_string())?;
    println!("control {name} is {value}");
    Ok(())
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

/// Mean Y, Cb, Cr of the middle of each eighth of the picture, from 60 to 85 % of its height: generators write text
/// into the upper half.
fn columns(picture: &I420) -> [[u8; 3]; 8] {
    let (width, height) = (picture.size().width() as usize, picture.size().height() as usize);
    let mean = |plane: &[u8], width: usize, height: usize, column: usize| {
        let across =
            (4 * column + 1) * width / 32..((4 * column + 3) * width / 32).max((4 * column + 1) * width / 32 + 1);
        let rows = (height * 3 / 5..(height * 17 / 20).max(height * 3 / 5 + 1))
            .map(|row| &plane[row * width..][across.clone()]);
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
