//! The unsafe part of encoding: openh264's options and its frame call.
//!
//! The crate `openh264` initializes the encoder; sizes and rates then change through its raw API, because its own way
//! of changing the size goes back to the rate of construction, and the first picture of the new size (a keyframe, on
//! a link that just got narrow) would be encoded at it.

use openh264::OpenH264API;
use openh264::Timestamp;
use openh264::encoder::{Complexity, Encoder, EncoderConfig, FrameRate, RateControlMode, SpsPpsStrategy, UsageType};
use openh264::formats::YUVSlices;
use openh264_sys2 as sys;
use std::ffi::c_int;
use std::ptr::{from_mut, null_mut};
use std::slice;
use visavis_media::{BitsPerSecond, I420, Size};

/// openh264's own 400 delays the pictures after a keyframe by a ninth of a second.
const KEYFRAME_PERCENT: c_int = 300;

/// What openh264 returned instead of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub c_int);

/// What the rate control works towards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    pub size: Size,
    pub bitrate: BitsPerSecond,
    pub fps: f32,
}

/// What became of a picture.
pub(super) struct Output {
    pub data: Vec<u8>,
    pub keyframe: bool,
}

/// An initialized openh264 encoder.
pub(super) struct Native {
    encoder: Encoder,
}

fn check(code: c_int) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

impl Native {
    /// Makes an encoder, encodes one grey picture so that memory is in place, and starts anew with fresh statistics. Also
    /// gives that picture.
    pub fn new(target: Target) -> Result<(Self, Vec<u8>), Code> {
        // Everything here but `background_detection` is what `parameters` says: a difference in that one makes openh264
        // start over, with a rate control that has not seen the grey picture (it would predict absurdly small frames).
        let config = EncoderConfig::new()
            .bitrate(openh264::encoder::BitRate::from_bps(target.bitrate.0))
            .max_frame_rate(FrameRate::from_hz(target.fps))
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Bitrate)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .complexity(Complexity::Low)
            .num_threads(1)
            .skip_frames(false)
            .scene_change_detect(false)
            .background_detection(false);
        let failed = |e: openh264::Error| Code(e.native_code() as c_int);
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)?;
        let mut quiet = sys::WELS_LOG_QUIET;
        // SAFETY: the option takes an `int`. Before initialization, or openh264 writes to standard error.
        check(unsafe { encoder.raw_api().set_option(sys::ENCODER_OPTION_TRACE_LEVEL, from_mut(&mut quiet).cast()) })?;
        let grey = I420::filled(target.size, [128; 3]);
        let (w, h) = (target.size.width() as usize, target.size.height() as usize);
        let slices = YUVSlices::new((grey.y(), grey.u(), grey.v()), (w, h), (w, w / 2, w / 2));
        let grey = encoder.encode_at(&slices, Timestamp::ZERO).map_err(failed)?.to_vec();
        let mut native = Self { encoder };
        native.configure(target)?;
        Ok((native, grey))
    }

    /// Sets size and rates together. A new size starts over with a keyframe.
    pub fn configure(&mut self, target: Target) -> Result<(), Code> {
        let mut params = self.parameters(target)?;
        // SAFETY: the option takes a `SEncParamExt`, which it copies.
        let option = sys::ENCODER_OPTION_SVC_ENCODE_PARAM_EXT;
        check(unsafe { self.encoder.raw_api().set_option(option, from_mut(&mut params).cast()) })
    }

    /// Sets the rates of the running stream; no keyframe comes of it.
    pub fn set_rates(&mut self, bitrate: BitsPerSecond, fps: f32) -> Result<(), Code> {
        let mut fps = fps;
        let mut info = sys::SBitrateInfo { iLayer: sys::SPATIAL_LAYER_ALL, iBitrate: bitrate.0 as c_int };
        // SAFETY: these options take a `float` and a `SBitrateInfo`, both read at once.
        unsafe {
            let raw = self.encoder.raw_api();
            // The frame rate first: a bitrate below it is refused.
            check(raw.set_option(sys::ENCODER_OPTION_FRAME_RATE, from_mut(&mut fps).cast()))?;
            check(raw.set_option(sys::ENCODER_OPTION_BITRATE, from_mut(&mut info).cast()))
        }
    }

    /// What openh264 says it works towards.
    pub fn rates(&mut self) -> Result<(BitsPerSecond, f32), Code> {
        let mut fps = 0f32;
        let mut info = sys::SBitrateInfo { iLayer: sys::SPATIAL_LAYER_0, iBitrate: 0 };
        // SAFETY: these options fill in a `float` and a `SBitrateInfo`.
        unsafe {
            let raw = self.encoder.raw_api();
            check(raw.get_option(sys::ENCODER_OPTION_FRAME_RATE, from_mut(&mut fps).cast()))?;
            check(raw.get_option(sys::ENCODER_OPTION_BITRATE, from_mut(&mut info).cast()))?;
        }
        Ok((BitsPerSecond(info.iBitrate.max(0) as u32), fps))
    }

    /// Makes the next picture a keyframe.
    pub fn force_keyframe(&mut self) -> Result<(), Code> {
        // SAFETY: takes a flag.
        check(unsafe { self.encoder.raw_api().force_intra_frame(true) })
    }

    /// Encodes a picture of the configured size; `None` where the rate control left it out.
    pub fn encode(&mut self, picture: &I420, at_ms: i64) -> Result<Option<Output>, Code> {
        let (w, h) = (picture.size().width() as c_int, picture.size().height() as c_int);
        let source = sys::SSourcePicture {
            iColorFormat: sys::videoFormatI420,
            iStride: [w, w / 2, w / 2, 0],
            // openh264 only reads the planes, though its pointers are not const.
            pData: [
                picture.y().as_ptr().cast_mut(),
                picture.u().as_ptr().cast_mut(),
                picture.v().as_ptr().cast_mut(),
                null_mut(),
            ],
            iPicWidth: w,
            iPicHeight: h,
            uiTimeStamp: at_ms,
            ..Default::default()
        };
        let mut info = sys::SFrameBSInfo::default();
        // SAFETY: the planes live through the call and `I420` holds exactly what size and strides say.
        check(unsafe { self.encoder.raw_api().encode_frame(&raw const source, &raw mut info) })?;
        if info.eFrameType == sys::videoFrameTypeSkip || info.eFrameType == sys::videoFrameTypeInvalid {
            return Ok(None);
        }
        let mut data = Vec::with_capacity(info.iFrameSizeInBytes.max(0) as usize);
        for layer in info.sLayerInfo.iter().take(info.iLayerNum.max(0) as usize) {
            // SAFETY: openh264 gives `iNalCount` lengths, and their sum in bytes at `pBsBuf`, valid until its next call.
            unsafe {
                let lengths = slice::from_raw_parts(layer.pNalLengthInByte, layer.iNalCount.max(0) as usize);
                let length: usize = lengths.iter().map(|&l| l.max(0) as usize).sum();
                data.extend_from_slice(slice::from_raw_parts(layer.pBsBuf, length));
            }
        }
        Ok((!data.is_empty()).then_some(Output { data, keyframe: info.eFrameType == sys::videoFrameTypeIDR }))
    }

    fn parameters(&mut self, target: Target) -> Result<sys::SEncParamExt, Code> {
        let mut params = sys::SEncParamExt::default();
        // SAFETY: fills in the structure.
        check(unsafe { self.encoder.raw_api().get_default_params(&raw mut params) })?;
        let (w, h) = (target.size.width() as c_int, target.size.height() as c_int);
        params.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
        params.iPicWidth = w;
        params.iPicHeight = h;
        params.iTargetBitrate = target.bitrate.0 as c_int;
        params.iRCMode = sys::RC_BITRATE_MODE;
        params.fMaxFrameRate = target.fps;
        params.iComplexityMode = sys::LOW_COMPLEXITY;
        params.eSpsPpsIdStrategy = sys::CONSTANT_ID;
        params.iMultipleThreadIdc = 1;
        // No keyframe but those asked for: not by interval, not by scene.
        params.uiIntraPeriod = 0;
        params.bEnableSceneChangeDetect = false;
        // A keyframe may take as much as this many hundredths of an average picture: on a narrow path it delays all
        // that follow.
        params.iIdrBitrateRatio = KEYFRAME_PERCENT;
        // A picture that goes in comes out: the pipeline decides beforehand what to leave out.
        params.bEnableFrameSkip = false;
        let layer = &mut params.sSpatialLayers[0];
        layer.iVideoWidth = w;
        layer.iVideoHeight = h;
        layer.fFrameRate = target.fps;
        layer.iSpatialBitrate = target.bitrate.0 as c_int;
        layer.uiProfileIdc = sys::PRO_BASELINE;
        // What profile-level-id 42e01f promises; openh264 raises it where size or rate need more.
        layer.uiLevelIdc = sys::LEVEL_3_1;
        layer.sSliceArgument.uiSliceMode = sys::SM_SINGLE_SLICE;
        layer.sSliceArgument.uiSliceNum = 1;
        // Without these a receiver guesses the matrix from the size.
        layer.bVideoSignalTypePresent = true;
        layer.bFullRange = false;
        layer.bColorDescriptionPresent = true;
        layer.uiVideoFormat = sys::VF_UNDEF as u8;
        layer.uiColorPrimaries = sys::CP_SMPTE170M as u8;
        layer.uiTransferCharacteristics = sys::TRC_SMPTE170M as u8;
        layer.uiColorMatrix = sys::CM_SMPTE170M as u8;
        Ok(params)
    }
}
