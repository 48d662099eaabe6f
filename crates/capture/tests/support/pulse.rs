//! A PulseAudio daemon of our own for tests of real sound devices, in a folder of its own: null sinks as loudspeakers,
//! and remapped monitors of others as microphones. Needs `pulseaudio` and its utilities (`scripts/setup --tests`).
//!
//! `norewinds=1` makes a null sink give and take sound every 50 ms, as a card does; without it an idle one does so every
//! two seconds.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::f32::consts::TAU;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Nothing here takes as long, even on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Samples per second, everywhere here.
pub const RATE: usize = 48_000;

/// A process that ends with the test, also when that fails.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The daemon.
pub struct Server {
    daemon: Option<Running>,
    modules: Vec<String>,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts it with these modules; the first sink and the first remapped source are the defaults.
    pub fn start(modules: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).expect("our folder");
        let modules = modules.iter().map(|module| (*module).to_owned()).collect();
        let mut server = Self { daemon: None, modules, folder };
        server.run();
        server
    }

    /// Starts it again after [`kill`](Self::kill); returns once it answers.
    pub fn run(&mut self) {
        let socket = format!("module-native-protocol-unix auth-anonymous=1 socket={}", self.path("native"));
        let mut daemon = Command::new("pulseaudio");
        daemon.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]);
        for module in self.modules.iter().chain([&socket]) {
            daemon.args(["-L", module]);
        }
        daemon.env("XDG_RUNTIME_DIR", self.folder.path()).env("HOME", self.folder.path()).stderr(Stdio::null());
        self.daemon = Some(Running(daemon.spawn().expect("pulseaudio is installed (scripts/setup --tests)")));
        let since = Instant::now();
        while !self.pactl(&["info"]) {
            assert!(since.elapsed() < LIMIT, "the sound server does not answer");
            std::thread::yield_now();
        }
        let first = |key: &str| {
            let word = self.modules.iter().flat_map(|m| m.split(' ')).find_map(|word| word.strip_prefix(key));
            word.map(str::to_owned)
        };
        if let Some(sink) = first("sink_name=") {
            assert!(self.pactl(&["set-default-sink", &sink]));
        }
        if let Some(source) = first("source_name=") {
            assert!(self.pactl(&["set-default-source", &source]));
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// Stops or continues it: stopped, it hangs.
    pub fn signal(&self, signal: &str) {
        let daemon = self.daemon.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &daemon.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// For `PULSE_SERVER`.
    pub fn address(&self) -> String {
        format!("unix:{}", self.path("native"))
    }

    /// For `XDG_RUNTIME_DIR`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).display().to_string()
    }

    /// Whether `pactl` did it.
    pub fn pactl(&self, words: &[&str]) -> bool {
        let mut pactl = self.tool("pactl");
        pactl.args(words).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// What `pactl` says.
    pub fn asks(&self, words: &[&str]) -> String {
        let output = self.tool("pactl").args(words).stderr(Stdio::null()).output().expect("pactl is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Loads a module and gives its number.
    pub fn load(&self, module: &str) -> String {
        let words: Vec<&str> = ["load-module"].into_iter().chain(module.split(' ')).collect();
        let number = self.asks(&words).trim().to_owned();
        assert!(number.parse::<u32>().is_ok(), "`{module}` was not loaded");
        number
    }

    /// Unloads the module that has this among its arguments.
    pub fn unload(&self, argument: &str) {
        let list = self.asks(&["list", "short", "modules"]);
        let module = list.lines().find(|line| line.split(['\t', ' ']).any(|word| word == argument));
        let number = module.and_then(|line| line.split('\t').next()).expect("it is loaded");
        assert!(self.pactl(&["unload-module", number]));
    }

    /// A program that finds this server.
    pub fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(name);
        tool.env("PULSE_SERVER", self.address()).env("XDG_RUNTIME_DIR", self.folder.path());
        tool
    }

    /// Plays a tone into a sink until it is dropped.
    pub fn play(&self, sink: &str, pitch: f32) -> Player {
        let mut pacat = self.tool("pacat");
        pacat.args(["--playback", "-d", sink, "--latency-msec=100"]).args(RAW);
        let mut pacat = Running(pacat.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("pacat"));
        let mut feed = pacat.0.stdin.take().expect("a pipe");
        // A whole number of periods in a second: it loops without a seam.
        let second: Vec<u8> = sine(pitch, 0, RATE).flat_map(f32::to_le_bytes).collect();
        // Ends when the player is killed.
        let feeder = move || while feed.write_all(&second).is_ok() {};
        drop(std::thread::Builder::new().spawn(feeder).expect("a thread"));
        Player { _pacat: pacat }
    }

    /// Records what is played on a sink until it is dropped.
    pub fn record(&self, sink: &str) -> Recorder {
        let mut parec = self.tool("parec");
        parec.args(["-d", &format!("{sink}.monitor"), "--latency-msec=20"]).args(RAW);
        let mut parec = Running(parec.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("parec"));
        let mut heard = parec.0.stdout.take().expect("a pipe");
        let sound: Arc<Mutex<Vec<(Instant, f32)>>> = Arc::default();
        let to = sound.clone();
        let listen = move || {
            let mut bytes = [0; 4 * RATE / 100];
            while heard.read_exact(&mut bytes).is_ok() {
                let now = Instant::now();
                let samples = bytes.chunks_exact(4).map(|b| (now, f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
                to.lock().unwrap_or_else(PoisonError::into_inner).extend(samples);
            }
        };
        drop(std::thread::Builder::new().spawn(listen).expect("a thread"));
        Recorder { _parec: parec, sound }
    }
}

/// Mono, floats.
const RAW: [&str; 3] = ["--format=float32le", "--rate=48000", "--channels=1"];

/// Plays until it is dropped.
pub struct Player {
    _pacat: Running,
}

/// Records until it is dropped.
pub struct Recorder {
    _parec: Running,
    sound: Arc<Mutex<Vec<(Instant, f32)>>>,
}

impl Recorder {
    /// Samples that came so far, each with when it did.
    pub fn sound(&self) -> Vec<(Instant, f32)> {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the 100 ms came, after `since`, with which a tone of this pitch sets in; it has held for these 100 ms.
    pub fn first_tone(&self, pitch: f32, since: Instant) -> Option<Instant> {
        let sound = self.sound();
        let from = sound.partition_point(|(at, _)| *at <= since);
        let is_tone = |piece: &[(Instant, f32)]| {
            let samples: Vec<f32> = piece.iter().map(|(_, sample)| *sample).collect();
            (frequency(&samples) - pitch).abs() < 25.0 && rms(&samples) > 0.03
        };
        let step = RATE / 50;
        let good: Vec<Option<Instant>> =
            sound[from..].chunks_exact(step).map(|piece| is_tone(piece).then(|| piece[0].0)).collect();
        good.windows(5).find(|five| five.iter().all(Option::is_some)).and_then(|five| five[0])
    }
}

/// A sine of a third of the full level.
pub fn sine(pitch: f32, from: usize, samples: usize) -> impl Iterator<Item = f32> {
    (from..from + samples).map(move |i| 0.4 * (TAU * (pitch * i as f32 / RATE as f32).fract()).sin())
}

/// Pitch of a steady tone, by its upward zero crossings, in Hz.
pub fn frequency(sound: &[f32]) -> f32 {
    let crossing = |i: &usize| sound[*i] <= 0.0 && sound[i + 1] > 0.0;
    let exact = |i: usize| i as f32 + sound[i] / (sound[i] - sound[i + 1]);
    let crossings: Vec<f32> = (0..sound.len().saturating_sub(1)).filter(crossing).map(exact).collect();
    match crossings.as_slice() {
        [first, .., last] => (crossings.len() - 1) as f32 * RATE as f32 / (last - first),
        _ => 0.0,
    }
}

/// Loudness.
pub fn rms(sound: &[f32]) -> f32 {
    (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).sqrt()
}
