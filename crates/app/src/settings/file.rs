//! The settings' file: read with care, written atomically.

use super::{Change, Settings};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use visavis_capture::Worker;

/// Name of the file inside the configuration folder.
pub const FILE_NAME: &str = "settings.json";
/// What a file that cannot be understood is renamed to.
pub const DAMAGED_NAME: &str = "settings.json.damaged";
/// No settings of ours are ever larger; a larger file is somebody else's.
const LARGEST_FILE: u64 = 256 * 1024;

/// The user's configuration folder, `None` where the system has none.
pub fn default_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "visavis").map(|dirs| dirs.config_dir().to_owned())
}

/// Settings as found, with a word for the screen where something was wrong with them.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings, or the defaults.
    pub settings: Settings,
    /// What a person should know about that.
    pub notice: Option<String>,
    /// There is a file that was not read: nothing may be written over it.
    pub untouchable: bool,
}

/// Settings on their way from the disk.
pub struct Loading {
    result: Receiver<Loaded>,
    until: Instant,
    reading: Option<Worker>,
}

impl Loading {
    /// Begins to read the settings of `folder` on a thread of its own; a disk has this long to answer.
    pub fn begin(folder: PathBuf, limit: Duration) -> Self {
        let (out, result) = mpsc::sync_channel(1);
        let reading = Worker::spawn("settings", move |_| {
            // Nobody listens any more where it came too late.
            let _ = out.send(load(&folder));
        });
        Self { reading: Some(reading), ..Self::of(result, limit) }
    }

    pub(super) fn of(result: Receiver<Loaded>, limit: Duration) -> Self {
        Self { result, until: Instant::now() + limit, reading: None }
    }

    /// The settings; the defaults, with a word about it, where the disk did not answer in time.
    pub fn finish(self) -> Loaded {
        let left = self.until.saturating_duration_since(Instant::now());
        let loaded = self.result.recv_timeout(left).unwrap_or_else(|_| unread("the disk does not answer"));
        if let Some(reading) = self.reading {
            // A disk that hangs keeps the thread, and nobody else.
            reading.join_within(self.until.saturating_duration_since(Instant::now()));
        }
        loaded
    }
}

/// The defaults in place of a file that stays as it is.
fn unread(why: impl std::fmt::Display) -> Loaded {
    let notice = format!(
        "The settings could not be read ({why}). Visavis started with its defaults, and what you change now is not kept."
    );
    Loaded { settings: Settings::default(), notice: Some(notice), untouchable: true }
}

/// Reads the settings of `folder`.
///
/// A missing file gives the defaults. A damaged one is set aside under [`DAMAGED_NAME`] and gives the defaults and a
/// notice; one that cannot be read, or is no file at all, is left where it is.
pub fn load(folder: &Path) -> Loaded {
    let path = folder.join(FILE_NAME);
    let text = match read_limited(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Loaded::default(),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return set_aside(&path, &folder.join(DAMAGED_NAME)),
        Err(e) => return unread(e),
    };
    match serde_json::from_str::<Settings>(&text) {
        Ok(mut settings) => {
            let name = std::mem::take(&mut settings.name);
            settings.apply(Change::Name(name));
            Loaded { settings, ..Loaded::default() }
        }
        Err(e) => {
            tracing::warn!("settings are damaged: {e}");
            set_aside(&path, &folder.join(DAMAGED_NAME))
        }
    }
}

fn read_limited(path: &Path) -> io::Result<String> {
    // Opening a pipe, or some devices, waits for somebody at the other end, maybe for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    let mut text = String::new();
    let read = File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > LARGEST_FILE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(text)
}

fn set_aside(path: &Path, aside: &Path) -> Loaded {
    let kept = match fs::rename(path, aside) {
        Ok(()) => format!("The old file is kept as {DAMAGED_NAME}."),
        Err(e) => format!("The old file could not be set aside ({e})."),
    };
    let notice = format!("The settings were damaged, so Visavis started with its defaults. {kept}");
    Loaded { notice: Some(notice), ..Loaded::default() }
}

/// Writes the settings into `folder`, which is made where it is missing.
///
/// # Errors
/// Whatever the file system says; the old file is untouched then.
pub fn save(folder: &Path, settings: &Settings) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let text = serde_json::to_string_pretty(settings)?;
    // Two apps of one person may save at the same time: each writes a file of its own first.
    let fresh = folder.join(format!("{FILE_NAME}.{}", std::process::id()));
    let written = write_private(&fresh, &text).and_then(|()| fs::rename(&fresh, folder.join(FILE_NAME)));
    if written.is_err() {
        // Only tidying up: the error that matters is returned.
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// The file may hold a TURN password and the words of a room: nobody else needs to read it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
