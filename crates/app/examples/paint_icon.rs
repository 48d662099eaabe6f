//! Writes the app's icon as a PNG file: `cargo run --release -p visavis --example paint_icon -- assets/visavis.png 256`

use anyhow::{Context as _, ensure};
use eframe::icon_data::IconDataExt as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("name the file to write")?;
    let side: u32 = arguments.next().unwrap_or_else(|| "256".into()).parse().context("the side is a number")?;
    ensure!((16..=1024).contains(&side), "the side lies between 16 and 1024 pixels");
    let png = visavis_app::icon::paint(side).to_png_bytes().map_err(anyhow::Error::msg)?;
    std::fs::write(&path, png).with_context(|| format!("cannot write {path}"))
}
