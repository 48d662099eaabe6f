//! Warns where openh264's assembly would silently be left out.
//!
//! Without nasm its build falls back to plain C++, which encodes three times slower: a 720p call no longer fits one
//! core. Nothing else says so, hence this.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PATH");
    let x86 = matches!(env::var("CARGO_CFG_TARGET_ARCH").as_deref(), Ok("x86_64" | "x86"));
    if x86 && !in_path("nasm") {
        println!(
            "cargo:warning=nasm was not found: H.264 will be built without assembly and run about 3 times slower."
        );
        println!(
            "cargo:warning=Install it (Debian/Ubuntu: `apt-get install nasm`, Fedora: `dnf install nasm`, Arch: `pacman -S nasm`,"
        );
        println!("cargo:warning=macOS: `brew install nasm`), then run `cargo clean -p openh264-sys2` and build again.");
    }
}

fn in_path(program: &str) -> bool {
    let found = |folder: &Path| folder.join(program).is_file() || folder.join(format!("{program}.exe")).is_file();
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| found(&folder)))
}
