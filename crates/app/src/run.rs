//! From the command line to a window, and to its end.

use crate::app::{App, Ready};
use crate::cli::Cli;
use crate::diagnostics::System;
use crate::settings::{self, Loaded, Loading, Store};
use anyhow::anyhow;
use egui::ViewportBuilder;
use std::io::IsTerminal as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use visavis_capture::Worker;

/// Name of the variable that sets what is logged: `VISAVIS_LOG=visavis_call=debug`.
pub const LOG_VARIABLE: &str = "VISAVIS_LOG";

/// How long the settings' disk has to answer; the window would rather come without them.
const READING: Duration = Duration::from_millis(500);

/// Opens the window and stays until it is closed.
///
/// # Errors
/// A sentence for the person who started it: no display, or the call's engine did not start.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let began = Instant::now();
    let filter =
        EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(visavis_call::DEFAULT_LOG_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let folder = cli.config_dir.clone().or_else(settings::default_folder);
    // Both wait for disks, and the window for neither.
    let loading = folder.clone().map(|folder| Loading::begin(folder, READING));
    let (name_out, name) = mpsc::sync_channel(1);
    let asking = Worker::spawn("system name", move |_| drop(name_out.send(System::name_of_this())));
    let native = eframe::NativeOptions { viewport: viewport(), ..eframe::NativeOptions::default() };
    let create = |creation: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        let Loaded { settings, notice, untouchable } = loading.map(Loading::finish).unwrap_or_default();
        let shown = cli.over(&settings);
        let store = Store::new(settings, shown, folder.filter(|_| !untouchable));
        let system = name.recv_timeout(READING).unwrap_or_else(|_| std::env::consts::OS.to_owned());
        asking.join_within(READING);
        Ok(Box::new(App::new(creation, Ready { began, cli, store, notice, system })?))
    };
    eframe::run_native("Visavis", native, Box::new(create)).map_err(|e| match e {
        eframe::Error::AppCreation(why) => anyhow!("{why}"),
        other => anyhow!("no window can be opened here ({}); start it in a desktop session", reason(&other)),
    })
}

/// The last clause of the window system's words: before it stands where in its source it gave up.
fn reason(error: &eframe::Error) -> String {
    let words = error.to_string();
    let clause = words.rsplit(": ").next().unwrap_or(&words);
    clause.trim_end_matches('.').to_owned()
}

fn viewport() -> ViewportBuilder {
    ViewportBuilder::default()
        .with_title("Visavis")
        .with_app_id("visavis")
        .with_icon(crate::icon::paint(128))
        .with_inner_size([1100.0, 680.0])
        .with_min_inner_size([860.0, 580.0])
}
