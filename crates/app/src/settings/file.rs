//! The settings' file: read with care, written atomically.

use super::{Change, Settings};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

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
}

/// Reads the settings of `folder`.
///
/// A missing file gives the defaults. A damaged one is set aside under [`DAMAGED_NAME`] and gives the defaults and a
/// notice; one that cannot be read is left where it is.
pub fn load(folder: &Path) -> Loaded {
    let path = folder.join(FILE_NAME);
    let text = match read_limited(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Loaded::default(),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return set_aside(&path, &folder.join(DAMAGED_NAME)),
        Err(e) => {
            let notice = format!("The settings could not be read ({e}). Visavis started with its defaults.");
            return Loaded { settings: Settings::default(), notice: Some(notice) };
        }
    };
    match serde_json::from_str::<Settings>(&text) {
        Ok(mut settings) => {
            let name = std::mem::take(&mut settings.name);
            settings.apply(Change::Name(name));
            Loaded { settings, notice: None }
        }
        Err(e) => {
            tracing::warn!("settings are damaged: {e}");
            set_aside(&path, &folder.join(DAMAGED_NAME))
        }
    }
}

fn read_limited(path: &Path) -> io::Result<String> {
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
    Loaded { settings: Settings::default(), notice: Some(notice) }
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

/// The file may hold a TURN password: nobody else needs to read it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
