//! Video4Linux beside nokhwa: what a node is, which formats it really has, and setting one before nokhwa looks.

use super::fault::from_text;
use crate::format::{Format, PixelKind};
use crate::list::DeviceInfo;
use crate::{DeviceError, Worker};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Format as V4lFormat, FourCC};
use visavis_media::Size;

/// Most formats of a camera that are looked at; webcams have up to a hundred.
const MAX_FORMATS: usize = 2000;
/// A node says at once what it is, or its driver hangs.
const ASK_LIMIT: Duration = Duration::from_secs(1);
/// Where udev names cameras by their maker, model and serial number.
const BY_ID: &str = "/dev/v4l/by-id";

fn node(index: u32) -> PathBuf {
    PathBuf::from(format!("/dev/video{index}"))
}

/// Id and name of a node that delivers pictures; `None` for one that does not.
pub(super) fn describe(index: u32, name: &str) -> Option<DeviceInfo> {
    let path = node(index);
    delivers_pictures(index, &path, name).then(|| DeviceInfo { id: id(&path), name: tidy(name), default: false })
}

/// UVC drivers say the same thing twice, "Integrated Camera: Integrated C".
fn tidy(name: &str) -> String {
    match name.split_once(": ") {
        Some((first, second)) if first.starts_with(second) => first.to_owned(),
        _ => name.to_owned(),
    }
}

/// A name that stays when the camera moves to another port or number, where the system gives one.
fn id(path: &Path) -> String {
    let links = fs::read_dir(BY_ID).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut names: Vec<PathBuf> = links.filter(|link| fs::canonicalize(link).is_ok_and(|to| to == path)).collect();
    names.sort();
    names.first().map_or(path, PathBuf::as_path).to_string_lossy().into_owned()
}

/// Whether a node is one for capturing rather than for metadata or a codec.
///
/// Opening a camera may wake it up, so each is asked once for as long as it is plugged in.
fn delivers_pictures(index: u32, path: &Path, name: &str) -> bool {
    type Known = HashMap<PathBuf, (String, Option<SystemTime>, bool)>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let plugged_in = fs::metadata(path).and_then(|node| node.modified()).ok();
    let known =
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|known| known.get(path).cloned());
    if let Some((_, _, delivers)) = known.filter(|known| (known.0.as_str(), known.1) == (name, plugged_in)) {
        return delivers;
    }
    let delivers = match within(ASK_LIMIT, move || v4l::Device::new(index as usize)?.query_caps()) {
        Ok(Ok(caps)) => caps.capabilities.contains(Flags::VIDEO_CAPTURE),
        // Busy or forbidden: shown, so that choosing it can say so. Not remembered, as that may change.
        Ok(Err(error)) => return !matches!(error.kind(), std::io::ErrorKind::NotFound),
        // Its driver hangs: shown likewise, and not asked again, so that no more threads hang there.
        Err(RecvTimeoutError::Timeout) => true,
        // The asking itself crashed.
        Err(RecvTimeoutError::Disconnected) => false,
    };
    let entry = (name.to_owned(), plugged_in, delivers);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(path.to_owned(), entry);
    delivers
}

/// What `ask` answers, on a thread that is left behind where that takes longer than `limit`: whoever lists cameras also
/// opens microphones, and must not hang with a camera's driver.
fn within<T: Send + 'static>(limit: Duration, ask: impl FnOnce() -> T + Send + 'static) -> Result<T, RecvTimeoutError> {
    let (tell, answer) = sync_channel(1);
    let asker = Worker::spawn("camera look", move |_| drop(tell.try_send(ask())));
    let answer = answer.recv_timeout(limit);
    asker.abandon();
    answer
}

/// An opened node, not streaming.
pub(super) struct Device(v4l::Device);

impl Device {
    /// Opens a node.
    pub fn open(index: u32, name: &str) -> Result<Self, DeviceError> {
        v4l::Device::new(index as usize).map(Self).map_err(|error| from_text(&error.to_string(), name))
    }

    /// The formats that nokhwa can be asked for: known layouts, even sizes, whole rates. A camera that lists no rate
    /// for a size is left to its own.
    pub fn formats(&self, name: &str) -> Result<Vec<Format>, DeviceError> {
        let layouts = self.0.enum_formats().map_err(|error| from_text(&error.to_string(), name))?;
        let mut formats = Vec::new();
        for fourcc in layouts.into_iter().map(|layout| layout.fourcc) {
            let Some(kind) = kind(fourcc) else { continue };
            for size in self.0.enum_framesizes(fourcc).unwrap_or_default() {
                let FrameSizeEnum::Discrete(size) = size.size else { continue };
                let Ok(even) = Size::new(size.width, size.height) else { continue };
                let rates = self.0.enum_frameintervals(fourcc, size.width, size.height).unwrap_or_default();
                formats.extend(rates.iter().filter_map(|rate| whole_rate(&rate.interval)).map(|fps| Format {
                    size: even,
                    fps: fps as f32,
                    kind,
                }));
                if formats.len() > MAX_FORMATS {
                    return Ok(formats);
                }
            }
        }
        Ok(formats)
    }

    /// Sets a format, so that nokhwa finds the device in a state it understands: an interval like 2/15 s, left by
    /// another program, makes it refuse the device otherwise.
    pub fn set(&self, format: Format, name: &str) -> Result<(), DeviceError> {
        let wanted = V4lFormat::new(format.size.width(), format.size.height(), fourcc(format.kind));
        self.0.set_format(&wanted).map_err(|error| from_text(&error.to_string(), name))?;
        // Some drivers have one fixed rate and refuse to be asked; nokhwa says whether it minds.
        let _ = self.0.set_params(&Parameters::with_fps(format.fps.round() as u32));
        Ok(())
    }
}

fn whole_rate(interval: &FrameIntervalEnum) -> Option<u32> {
    match interval {
        FrameIntervalEnum::Discrete(span) if span.numerator == 1 && span.denominator > 0 => Some(span.denominator),
        FrameIntervalEnum::Discrete(_) | FrameIntervalEnum::Stepwise(_) => None,
    }
}

const FOURCCS: [(&[u8; 4], PixelKind); 6] = [
    (b"NV12", PixelKind::Nv12),
    (b"YUYV", PixelKind::Yuyv),
    (b"RGB3", PixelKind::Rgb),
    (b"BGR3", PixelKind::Bgr),
    (b"MJPG", PixelKind::Mjpeg),
    (b"GRAY", PixelKind::Gray),
];

fn kind(fourcc: FourCC) -> Option<PixelKind> {
    FOURCCS.iter().find(|(code, _)| **code == fourcc.repr).map(|(_, kind)| *kind)
}

fn fourcc(kind: PixelKind) -> FourCC {
    FOURCCS.iter().find(|(_, known)| *known == kind).map_or(FourCC::new(b"YUYV"), |(code, _)| FourCC::new(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::fraction::Fraction;

    #[test]
    fn a_name_said_twice_is_shown_once() {
        assert_eq!(tidy("Integrated Camera: Integrated C"), "Integrated Camera");
        assert_eq!(tidy("HD Webcam: Front"), "HD Webcam: Front");
        assert_eq!(tidy("vivid"), "vivid");
    }

    #[test]
    fn only_whole_rates_are_asked_for() {
        let of =
            |numerator, denominator| whole_rate(&FrameIntervalEnum::Discrete(Fraction::new(numerator, denominator)));
        assert_eq!([of(1, 30), of(2, 15), of(1001, 30_000), of(1, 0)], [Some(30), None, None, None]);
    }

    #[test]
    fn a_driver_that_hangs_does_not_hang_the_list() {
        let release = crate::StopFlag::new();
        let hung = release.clone();
        let answer = within(Duration::from_millis(1), move || hung.wait_for(Duration::from_secs(60)));
        assert_eq!(answer, Err(RecvTimeoutError::Timeout));
        release.set();
        assert_eq!(within(Duration::from_secs(60), || 7), Ok(7));
        let crashed = within(Duration::from_secs(60), || panic!("on purpose"));
        assert_eq!(crashed, Err::<(), _>(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn every_layout_has_its_code() {
        for (code, kind) in FOURCCS {
            assert_eq!(fourcc(kind).repr, *code);
            assert_eq!(super::kind(FourCC::new(code)), Some(kind));
        }
    }
}
