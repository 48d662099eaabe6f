//! Hands the versions of the libraries that matter in a report of trouble to `diagnostics`, from the lock file.

use std::path::Path;

/// Media, network, devices, window.
const LIBRARIES: [&str; 8] = ["webrtc", "rtc", "openh264", "opusic-sys", "cpal", "nokhwa", "eframe", "winit"];

fn main() {
    let lock = Path::new("../../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    println!("cargo::rustc-env=VISAVIS_LIBRARIES={}", versions(&std::fs::read_to_string(lock).unwrap_or_default()));
}

/// "webrtc 0.21.1, rtc 0.21.1, …" of what the lock file holds.
fn versions(lock: &str) -> String {
    let value = |line: Option<&str>, key: &str| {
        line.and_then(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"').to_owned())
    };
    let packages: Vec<_> = lock
        .split("[[package]]")
        .filter_map(|package| {
            let mut lines = package.trim_start().lines();
            Some((value(lines.next(), "name = ")?, value(lines.next(), "version = ")?))
        })
        .collect();
    let of = |name: &str| packages.iter().rfind(|(package, _)| package == name);
    let found = LIBRARIES.iter().filter_map(|name| of(name)).map(|(name, version)| format!("{name} {version}"));
    found.collect::<Vec<_>>().join(", ")
}
