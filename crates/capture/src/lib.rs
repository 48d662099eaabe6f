//! Devices to media and back: cameras, microphones, loudspeakers and their stand-ins.
//!
//! Pictures leave as I420, sound as 48 kHz mono in 10 ms frames, each with its moment of capture; whatever a device
//! speaks is converted here, at its edge. No type of a device library appears in this interface. The crate encodes
//! nothing and processes no sound.
//!
//! ```
//! use visavis_capture::{Camera, CameraSpec, CameraWish};
//! use visavis_media::slot::{self, Taken};
//!
//! let (newest, pictures) = slot::newest_wins();
//! let spec: CameraSpec = "pattern".parse()?;
//! let camera = Camera::open(&spec, CameraWish::default(), move |frame| drop(newest.put(frame)), |_| {});
//! let Taken::Value(frame) = pictures.take_for(std::time::Duration::from_secs(10)) else { panic!("no picture") };
//! assert_eq!(frame.picture.size().to_string(), "1280x720");
//! drop(camera);
//! # Ok::<(), visavis_capture::SpecError>(())
//! ```

mod camera;
mod chime;
mod clock;
mod error;
pub mod format;
mod list;
mod microphone;
pub mod pattern;
mod sound;
mod speaker;
mod spec;
mod state;
mod texture;
mod worker;
pub mod y4m;

pub use camera::{Camera, CameraWish};
pub use chime::{Chime, chime};
pub use clock::wall_clock;
pub use error::DeviceError;
pub use format::choose_format;
pub use list::{DeviceInfo, DeviceLists, SoundDevices, SoundLists, list_cameras, list_devices, list_sound, meant};
pub use microphone::Microphone;
pub use sound::default_microphone::DefaultMicrophone;
pub use speaker::Speaker;
pub use spec::{CameraSpec, Content, MicrophoneSpec, SpeakerSpec, SpecError};
pub use state::{CameraState, Counters, DeviceState, Replaced, WhyReplaced};
pub use worker::{StopFlag, Worker};
