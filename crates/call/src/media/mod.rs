//! Sound and picture of a call: device → codec → network, and network → codec → device.
//!
//! Raw pictures go through newest-wins slots, encoded frames through short bounded channels on which the encoder
//! waits. Codecs run on threads of their own, sockets on tokio.

pub(crate) mod assembler;
mod audio;
mod audio_call;
mod audio_devices;
mod camera;
mod capture_clock;
mod chimes;
mod device_choice;
mod device_lists;
mod device_offer;
mod due;
mod echo_line;
mod feedback;
mod first_picture;
mod lip_sync;
mod red;
mod screen;
mod seam;
mod session;
mod show_queue;
mod sound_end;
mod sound_wakes;
mod speech;
mod timestamps;
mod trial;
mod video_receive;
mod video_send;

pub(crate) use audio::{AudioCommand, AudioEngine, AudioNews};
pub(crate) use audio_devices::{AudioDevices, DeviceBoard, DeviceNews};
pub(crate) use camera::CameraDeck;
pub(crate) use chimes::patience;
pub(crate) use echo_line::EchoLine;
pub(crate) use red::SoundFormats;
pub(crate) use session::{MediaHooks, MediaSession, PreparedMedia};
pub(crate) use trial::{Trial, TrialReport};
