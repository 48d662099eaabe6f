//! What draws the window names nothing that waits: no file, no thread's end, no answer from anywhere.

use std::fs;
use std::path::{Path, PathBuf};

/// Everything that runs on the window's thread while it is open.
const DRAWING: [&str; 8] = ["screens", "widgets", "video", "theme", "icons", "window.rs", "app.rs", "engine.rs"];
const WAITING: [&str; 9] =
    ["fs::", "File::", "block_on", ".recv(", "recv_timeout", ".join()", "join_within", "sleep(", "to_socket_addrs"];

fn sources(path: PathBuf) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(&path).expect("the sources lie beside the tests");
    entries.flat_map(|entry| sources(entry.expect("listed").path())).collect()
}

#[test]
fn nothing_that_draws_waits_for_a_disk_a_thread_or_the_network() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for source in DRAWING.iter().flat_map(|part| sources(root.join(part))) {
        let text = fs::read_to_string(&source).expect("text");
        for (number, line) in text.lines().enumerate() {
            let found = WAITING.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}:{}: {line}", source.display(), number + 1);
        }
    }
}
