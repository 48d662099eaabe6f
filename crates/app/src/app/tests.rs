use super::*;
use crate::settings::Settings;
use eframe::App as _;
use egui::{RawInput, ViewportInfo};
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use visavis_capture::{CameraSpec, MicrophoneSpec, SpeakerSpec};

/// An engine that takes longer does not answer any more.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_window_that_was_never_painted_mutes_who_talks_by_a_key() {
    let ctx = Context::default();
    let (wake, woken) = sync_channel(1);
    ctx.set_request_repaint_callback(move |_| {
        let _ = wake.try_send(());
    });
    let (camera, microphone, speaker) = (CameraSpec::None, MicrophoneSpec::None, SpeakerSpec::None);
    let settings = Settings { camera, microphone, speaker, ..Settings::default() };
    let ready = Ready {
        began: Instant::now(),
        cli: &Cli::default(),
        store: Store::new(settings.clone(), settings, None),
        notice: None,
        system: String::new(),
    };
    let mut app = App::new(&CreationContext::_new_kittest(ctx.clone()), ready).unwrap();
    let mut frame = Frame::_new_kittest();
    let mut input = RawInput::default();
    input.viewports.insert(input.viewport_id, ViewportInfo { minimized: Some(true), ..ViewportInfo::default() });
    for chosen in [true, false] {
        app.store.apply(Change::PushToTalk(chosen));
        let limit = Instant::now() + LONG;
        while app.state.muted != chosen {
            assert!(Instant::now() < limit, "muted is {}", app.state.muted);
            app.raw_input_hook(&ctx, &mut input);
            let _ = ctx.run_logic(&input, |ctx| app.logic(ctx, &mut frame));
            if app.state.muted != chosen {
                woken.recv_timeout(LONG).expect("the engine answers and wakes the window");
            }
        }
    }
    app.on_exit(None);
}
