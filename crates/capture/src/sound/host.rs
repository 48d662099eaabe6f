//! The system's sound host: devices by id or name, and the layout of a stream.

use super::connection::{Lane, PULSE, any_lane, free_lane, with_lane};
use super::default_microphone::DefaultMicrophone;
use super::fault::open_error;
use crate::DeviceError;
use crate::list::{DeviceInfo, SoundDevices, SoundLists};
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{
    BufferSize, Device, Host, InterfaceType, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfig,
};
use std::time::Duration;
use visavis_media::SAMPLE_RATE;

const ALSA: &str = "alsa";
/// How long a stream may take to open before a hung sound server is given up.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(5);

/// Which way sound flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From a microphone.
    Input,
    /// To a loudspeaker.
    Output,
}

/// A device and what is said about it.
pub(crate) struct Found {
    /// The device itself.
    pub device: Device,
    /// Its id and name.
    pub info: DeviceInfo,
    /// The connection it was found on; kept as long as a loudspeaker's stream.
    pub lane: Lane,
}

/// What is said about a device, and whether it is connected by Bluetooth as far as the driver tells.
fn describe(device: &Device) -> Option<(DeviceInfo, bool)> {
    let id = device.id().ok()?.to_string();
    let description = device.description().ok();
    let wireless = description.as_ref().is_some_and(|told| told.interface_type() == InterfaceType::Bluetooth);
    let name = description.map_or_else(|| id.clone(), |description| description.name().to_owned());
    Some((DeviceInfo { id, name, default: false }, wireless))
}

fn serves(device: &Device, direction: Direction) -> bool {
    match direction {
        Direction::Input => device.supports_input(),
        Direction::Output => device.supports_output(),
    }
}

/// A device of the host.
struct Described {
    device: Device,
    info: DeviceInfo,
    /// The driver says that it is connected by Bluetooth.
    wireless: bool,
}

/// Every device of a direction among those of the host.
fn of_direction(host: &Host, devices: &[Device], direction: Direction) -> Vec<Described> {
    let default = match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    };
    let default = default.and_then(|device| device.id().ok()).map(|id| id.to_string());
    let serving = devices.iter().filter(|device| serves(device, direction));
    let described = serving.filter_map(|device| {
        let (info, wireless) = describe(device)?;
        let info = DeviceInfo { default: Some(&info.id) == default.as_ref(), ..info };
        Some(Described { device: device.clone(), info, wireless })
    });
    described.collect()
}

/// Whether a person would choose it. Not monitors of loudspeakers, nor the loudspeaker that Pulse makes up where there
/// is none; of ALSA's dozens of names for plug-ins and for the same card, only the default, PipeWire, and each card with
/// all conversions.
fn offered(info: &DeviceInfo) -> bool {
    match info.id.split_once(':') {
        Some((ALSA, id)) => matches!(id, "default" | "pipewire") || id.starts_with("plughw:"),
        Some((PULSE, "auto_null")) => false,
        _ => !info.id.ends_with(".monitor"),
    }
}

fn sorted(found: &[Described]) -> SoundDevices {
    let mut devices = SoundDevices::default();
    for Described { info, wireless, .. } in found {
        let info = info.clone();
        devices.wireless.extend(wireless.then(|| info.id.clone()));
        // ALSA lists a card under its name and under its number.
        let again = info.id.starts_with(ALSA) && devices.offered.iter().any(|device| device.name == info.name);
        let list = if offered(&info) && !again { &mut devices.offered } else { &mut devices.hidden };
        list.push(info);
    }
    devices
}

/// See [`list_sound`](crate::list_sound).
pub(crate) fn list() -> Result<SoundLists, DeviceError> {
    with_lane(any_lane, |Lane { host, .. }| {
        let devices: Vec<Device> = host.devices()?.collect();
        let list = |direction| sorted(&of_direction(host, &devices, direction));
        Ok(SoundLists { microphones: list(Direction::Input), speakers: list(Direction::Output) })
    })
}

/// The default device, or the one that `wanted` names.
pub(crate) fn find(direction: Direction, wanted: Option<&str>) -> Result<Found, DeviceError> {
    let lane = || match direction {
        Direction::Input => any_lane(),
        Direction::Output => free_lane(),
    };
    let (mut found, lane) = with_lane(lane, |lane| {
        let devices: Vec<Device> = lane.host.devices()?.collect();
        Ok((of_direction(&lane.host, &devices, direction), lane.clone()))
    })?;
    let mut devices = sorted(&found);
    if direction == Direction::Input {
        DefaultMicrophone::default().mark(&mut devices);
    }
    let device = match wanted {
        Some(wanted) => devices.find(wanted)?,
        None => devices.default_device().ok_or(DeviceError::NoDevice)?,
    };
    let at = found.iter().position(|found| found.info.id == device.id).ok_or(DeviceError::Unplugged)?;
    let Described { device, info, .. } = found.swap_remove(at);
    Ok(Found { device, info, lane })
}

/// How a stream is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Rate, channels and period, as cpal takes them.
    pub config: StreamConfig,
    /// Type of a sample.
    pub format: SampleFormat,
}

/// Chooses 48 kHz where the device offers it in its usual layout, else its usual rate, with short periods.
pub(crate) fn layout(found: &Found, direction: Direction) -> Result<Layout, DeviceError> {
    let device = &found.device;
    let (usual, ranges) = match direction {
        Direction::Input => (device.default_input_config(), device.supported_input_configs().map(Vec::from_iter)),
        Direction::Output => (device.default_output_config(), device.supported_output_configs().map(Vec::from_iter)),
    };
    let ranges = ranges.unwrap_or_default();
    let usual = match usual {
        Ok(usual) => usual,
        Err(error) => {
            let best = ranges.iter().max_by(|a, b| a.cmp_default_heuristics(b));
            let best = best.and_then(|range| range.try_with_standard_sample_rate());
            best.ok_or_else(|| open_error(&error, &found.info.name))?
        }
    };
    let same = |range: &&cpal::SupportedStreamConfigRange| {
        range.channels() == usual.channels() && range.sample_format() == usual.sample_format()
    };
    let native = ranges.iter().filter(same).find_map(|range| range.try_with_sample_rate(SAMPLE_RATE));
    let chosen = native.unwrap_or(usual);
    if chosen.channels() == 0 || chosen.sample_rate() == 0 {
        return Err(DeviceError::UnsupportedFormat);
    }
    let config = StreamConfig {
        channels: chosen.channels(),
        sample_rate: chosen.sample_rate(),
        // The default would be up to two seconds on Pulse.
        buffer_size: BufferSize::Fixed(period(&chosen, &found.info.id)),
    };
    Ok(Layout { config, format: chosen.sample_format() })
}

/// 10 ms, which is what the shorter packets hold; on ALSA the power of two nearest to it, as others make PipeWire behind it
/// stumble.
fn period(config: &SupportedStreamConfig, id: &str) -> u32 {
    let ten_ms = (config.sample_rate() / 100).max(1);
    let wanted = match id.split_once(':') {
        Some((ALSA, _)) => ten_ms.next_power_of_two(),
        _ => ten_ms,
    };
    match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max && max > 0 => wanted.clamp(min.max(1), max),
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => wanted,
    }
}

/// Opens a stream with the period asked for, and with the device's own where it refuses that.
pub(crate) fn open_stream<S>(
    layout: Layout,
    mut build: impl FnMut(Layout) -> Result<S, cpal::Error>,
) -> Result<S, cpal::Error> {
    build(layout).or_else(|error| match error.kind() {
        cpal::ErrorKind::UnsupportedConfig | cpal::ErrorKind::InvalidInput => {
            let config = StreamConfig { buffer_size: BufferSize::Default, ..layout.config };
            build(Layout { config, ..layout })
        }
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rate: u32, buffer_size: SupportedBufferSize) -> SupportedStreamConfig {
        SupportedStreamConfig::new(2, rate, buffer_size, SampleFormat::F32)
    }

    #[test]
    fn a_period_is_10_ms_within_what_the_device_takes() {
        let range = |min, max| SupportedBufferSize::Range { min, max };
        assert_eq!(period(&config(48_000, SupportedBufferSize::Unknown), "wasapi:a"), 480);
        assert_eq!(period(&config(44_100, range(1, 10_000)), "pulseaudio:a"), 441);
        assert_eq!(period(&config(48_000, range(1024, 4096)), "pulseaudio:a"), 1024);
        assert_eq!(period(&config(48_000, range(1, 10_000)), "alsa:a"), 512);
        assert_eq!(period(&config(48_000, range(0, 0)), "pulseaudio:a"), 480);
    }

    #[test]
    fn a_refused_period_is_tried_again_with_the_devices_own() {
        let config = StreamConfig { channels: 1, sample_rate: 48_000, buffer_size: BufferSize::Fixed(480) };
        let mut asked = Vec::new();
        let opened = open_stream(Layout { config, format: SampleFormat::F32 }, |layout| {
            asked.push(layout.config.buffer_size);
            match layout.config.buffer_size {
                BufferSize::Fixed(_) => Err(cpal::ErrorKind::UnsupportedConfig.into()),
                BufferSize::Default => Ok(()),
            }
        });
        assert!(opened.is_ok());
        assert_eq!(asked, [BufferSize::Fixed(480), BufferSize::Default]);
    }

    #[test]
    fn monitors_and_plug_ins_are_not_offered() {
        let offers = |id: &str| offered(&DeviceInfo { id: id.to_owned(), name: String::new(), default: false });
        assert!(offers("pulseaudio:mic") && offers("alsa:default") && offers("alsa:plughw:CARD=PCH,DEV=0"));
        assert!(!offers("pulseaudio:speaker.monitor") && !offers("alsa:lavrate") && !offers("alsa:hw:CARD=PCH,DEV=0"));
        assert!(!offers("pulseaudio:auto_null"));
        assert!(offers("coreaudio:built-in") && offers("wasapi:{0.0.1}"));
    }
}
