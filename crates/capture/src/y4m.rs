//! YUV4MPEG2 files: a header line, then raw 4:2:0 pictures, each behind a line `FRAME`.
//!
//! The format is the one of mjpegtools (`yuv4mpeg(5)`). Every limit here bounds what a damaged or hostile file can make
//! us allocate.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use visavis_media::{I420, Size};

/// Longest header that is read; real ones have some 60 bytes.
const MAX_HEADER: u64 = 1024;
/// Longest `FRAME` line that is read.
const MAX_FRAME_HEADER: u64 = 256;
/// Slowest and fastest rates that are played.
const RATES: std::ops::RangeInclusive<f64> = 0.1..=240.0;
/// Rate of files that name none (`F0:0`).
const UNKNOWN_RATE: f32 = 30.0;

/// Why a file is no video that we can play.
#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    /// It does not begin as such files do.
    #[error("it is not a YUV4MPEG2 file")]
    NotY4m,
    /// Its header lacks or garbles something.
    #[error("its header has no valid {0}")]
    Header(&'static str),
    /// Pictures other than 8 bit 4:2:0.
    #[error("its colour layout `{0}` is not supported; convert it to 4:2:0, 8 bit")]
    Layout(String),
    /// A frame does not begin with `FRAME`.
    #[error("it is damaged: a picture does not begin with FRAME")]
    Frame,
    /// No whole picture is in it.
    #[error("it holds no whole picture")]
    Empty,
    /// Reading failed.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads pictures one by one, from the first again after the last.
pub struct Reader<R> {
    source: R,
    size: Size,
    fps: f32,
    first_frame: u64,
    /// Whether a picture was read since the start of the file.
    any: bool,
}

struct Header {
    size: Size,
    fps: f32,
}

impl<R: BufRead + Seek> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Y4mError`] where it is not a file of this kind, or one we cannot play.
    pub fn new(mut source: R) -> Result<Self, Y4mError> {
        let line = read_line(&mut source, MAX_HEADER)?.ok_or(Y4mError::NotY4m)?;
        let header = parse(&line)?;
        let first_frame = source.stream_position()?;
        Ok(Self { source, size: header.size, fps: header.fps, first_frame, any: false })
    }

    /// Size of its pictures.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Pictures per second.
    pub fn fps(&self) -> f32 {
        self.fps
    }

    /// The next picture; after the last whole one the first again.
    ///
    /// # Errors
    /// [`Y4mError`] where the file is damaged, has no whole picture, or cannot be read.
    pub fn next_picture(&mut self, buffer: Vec<u8>) -> Result<I420, Y4mError> {
        let mut buffer = buffer;
        buffer.resize(self.size.i420_len(), 0);
        if !self.read_frame(&mut buffer)? {
            if !self.any {
                return Err(Y4mError::Empty);
            }
            self.source.seek(SeekFrom::Start(self.first_frame))?;
            self.any = false;
            if !self.read_frame(&mut buffer)? {
                return Err(Y4mError::Empty);
            }
        }
        self.any = true;
        I420::new(self.size, buffer).map_err(|_| Y4mError::Frame)
    }

    /// Reads a frame; `false` at the end of the file, also in the midst of a last, cut-off frame.
    fn read_frame(&mut self, buffer: &mut [u8]) -> Result<bool, Y4mError> {
        let Some(line) = read_line(&mut self.source, MAX_FRAME_HEADER)? else { return Ok(false) };
        if line != b"FRAME" && !line.starts_with(b"FRAME ") {
            return Err(Y4mError::Frame);
        }
        match self.source.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A line without its end; `None` where the file ends before the line does; garbage where none ends within `limit`.
fn read_line(source: &mut impl BufRead, limit: u64) -> Result<Option<Vec<u8>>, Y4mError> {
    let mut line = Vec::new();
    source.take(limit).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(line));
    }
    Ok((line.len() as u64 >= limit).then_some(line))
}

fn parse(line: &[u8]) -> Result<Header, Y4mError> {
    let line = std::str::from_utf8(line).map_err(|_| Y4mError::NotY4m)?;
    let mut fields = line.split(' ');
    if fields.next() != Some("YUV4MPEG2") {
        return Err(Y4mError::NotY4m);
    }
    let (mut width, mut height, mut fps) = (None, None, Some(UNKNOWN_RATE));
    for field in fields {
        let mut letters = field.chars();
        let (tag, value) = (letters.next(), letters.as_str());
        match tag {
            Some('W') => width = value.parse::<u32>().ok(),
            Some('H') => height = value.parse::<u32>().ok(),
            Some('F') => fps = parse_rate(value),
            // 8 bit 4:2:0 in all its chroma positions; `420p10` and the like have more bits.
            Some('C') if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                return Err(Y4mError::Layout(value.chars().take(20).collect()));
            }
            _ => {}
        }
    }
    let (width, height) = (width.ok_or(Y4mError::Header("width"))?, height.ok_or(Y4mError::Header("height"))?);
    let size = Size::new(width, height).map_err(|_| Y4mError::Header("size: sides must be even and at most 4096"))?;
    Ok(Header { size, fps: fps.ok_or(Y4mError::Header("frame rate"))? })
}

fn parse_rate(value: &str) -> Option<f32> {
    let (count, seconds) = value.split_once(':')?;
    let (count, seconds) = (count.parse::<u32>().ok()?, seconds.parse::<u32>().ok()?);
    if (count, seconds) == (0, 0) {
        return Some(UNKNOWN_RATE);
    }
    let rate = f64::from(count) / f64::from(seconds);
    RATES.contains(&rate).then_some(rate as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn file(header: &str, frames: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{header}\n").into_bytes();
        for level in frames {
            bytes.extend_from_slice(b"FRAME\n");
            bytes.extend_from_slice(&[*level; 6]);
        }
        bytes
    }

    fn open(bytes: Vec<u8>) -> Result<Reader<Cursor<Vec<u8>>>, Y4mError> {
        Reader::new(Cursor::new(bytes))
    }

    fn levels(reader: &mut Reader<Cursor<Vec<u8>>>, n: usize) -> Vec<u8> {
        (0..n).map(|_| reader.next_picture(Vec::new()).expect("a picture").y()[0]).collect()
    }

    #[test]
    fn pictures_come_in_order_and_begin_anew_after_the_last() {
        let mut reader =
            open(file("YUV4MPEG2 W2 H2 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG", &[1, 2, 3])).expect("ok");
        assert!((reader.fps() - 29.97).abs() < 0.01);
        assert_eq!(levels(&mut reader, 7), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_cut_off_last_picture_is_left_out() {
        let mut bytes = file("YUV4MPEG2 W2 H2 F25:1", &[1, 2]);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(levels(&mut open(bytes).expect("ok"), 3), [1, 1, 1]);
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        let why = |header: &str| open(file(header, &[1])).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(why("RIFF").contains("not a YUV4MPEG2"));
        assert!(why("YUV4MPEG2 H2 F25:1").contains("width"));
        assert!(why("YUV4MPEG2 W2 H2 F25:0").contains("rate"));
        assert!(why("YUV4MPEG2 W3 H2 F25:1").contains("even"));
        assert!(why("YUV4MPEG2 W400000 H400000 F25:1").contains("4096"));
        assert!(why("YUV4MPEG2 W2 H2 F25:1 C444").contains("444"));
        assert!(why("YUV4MPEG2 W2 H2 F25:1 C420p10").contains("420p10"));
        let empty = open(file("YUV4MPEG2 W2 H2 F25:1", &[])).expect("a header").next_picture(Vec::new());
        assert!(matches!(empty, Err(Y4mError::Empty)));
    }

    #[test]
    fn damage_in_the_middle_is_an_error() {
        let mut bytes = file("YUV4MPEG2 W2 H2 F25:1", &[1, 2]);
        let second = bytes.len() - 12;
        bytes[second] = b'X';
        let mut reader = open(bytes).expect("ok");
        assert!(reader.next_picture(Vec::new()).is_ok());
        assert!(matches!(reader.next_picture(Vec::new()), Err(Y4mError::Frame)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(noise in prop::collection::vec(any::<u8>(), 0..3000), begins_well in any::<bool>()) {
            let mut bytes = if begins_well { b"YUV4MPEG2 W2 H2 F25:1\nFRAME\n".to_vec() } else { b"YUV4MPEG2 ".to_vec() };
            bytes.extend(noise);
            if let Ok(mut reader) = open(bytes) {
                for _ in 0..5 {
                    let _ = reader.next_picture(Vec::new());
                }
            }
        }
    }
}
