//! Every example of a room code that people may read in this project is a valid one.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::path::Path;
use visavis_signaling::{RoomCode, complete};

/// Files in which somebody may come across an example.
const ENDINGS: [&str; 8] = ["md", "rs", "toml", "html", "js", "json", "desktop", "sh"];
/// Folders that are not ours, or hold what was built.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

#[test]
fn every_example_code_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = 0;
    visit(&root, &mut |file, text| {
        // The last four words of a room that stays are its password, and no code by themselves.
        for code in text.lines().filter(|line| !line.contains("\"password\"")).flat_map(codes) {
            found += 1;
            assert!(code.parse::<RoomCode>().is_ok(), "{code} in {} is no valid room code", file.display());
        }
    });
    assert!(found > 10, "{found}: examples are looked for in the wrong place, or not recognised");
}

/// Four or six words of the list, joined by hyphens.
fn codes(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| !c.is_ascii_lowercase() && c != '-');
    let is_word = |word: &str| complete(word).first() == Some(&word);
    parts.filter(|part| matches!(part.split('-').count(), 4 | 6) && part.split('-').all(is_word)).collect()
}

fn visit(folder: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !SKIPPED.contains(&name.as_str()) {
                visit(&path, look);
            }
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            look(&path, &text);
        }
    }
}

#[test]
fn codes_are_recognised_in_text() {
    let text = "https://HOST/#velvet-canyon-orbit-zero, or `abandon-abandon-abandon-absurd`; not one-two-three-four";
    assert_eq!(codes(text), ["velvet-canyon-orbit-zero", "abandon-abandon-abandon-absurd"]);
}
