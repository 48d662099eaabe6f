use super::*;
use std::fs;
use std::time::Duration;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn settings_read_back_what_was_saved() {
    let folder = folder();
    let mut settings = Settings::default();
    settings.apply(Change::Name("Ada".into()));
    settings.apply(Change::Camera("pattern:pan".parse().expect("valid")));
    settings.apply(Change::Microphone("Headset".parse().expect("valid")));
    settings.apply(Change::Theme(ThemeChoice::Light));
    settings.apply(Change::SelfView(Corner::TopLeft));
    settings.apply(Change::Servers(vec!["wss://calls.example".into()]));
    settings.apply(Change::Room(Some(crate::sample::room())));
    settings.apply(Change::NoticeSeen);
    save(&folder.path().join("new"), &settings).expect("saved");
    let loaded = load(&folder.path().join("new"));
    assert_eq!((loaded.settings, loaded.notice), (settings, None));
}

#[test]
fn a_missing_file_gives_the_defaults_without_a_word() {
    let loaded = load(folder().path());
    assert_eq!((loaded.settings, loaded.notice), (Settings::default(), None));
}

#[test]
fn a_damaged_file_is_kept_aside_and_said() {
    for damage in [&b"{\"name\": \"Ada\""[..], b"[1, 2]", b"\xff\xfe\x00", &vec![b' '; 300_000]] {
        let folder = folder();
        fs::write(folder.path().join(FILE_NAME), damage).expect("written");
        let loaded = load(folder.path());
        assert_eq!(loaded.settings, Settings::default());
        assert!(loaded.notice.expect("a word").contains(DAMAGED_NAME));
        assert_eq!(fs::read(folder.path().join(DAMAGED_NAME)).expect("kept"), damage);
        assert!(load(folder.path()).notice.is_none(), "the second start is quiet");
    }
}

#[test]
fn unknown_fields_and_missing_ones_do_no_harm() {
    let folder = folder();
    fs::write(folder.path().join(FILE_NAME), r#"{"name":"Ada","camera":"pattern:gone","later":{"x":1}}"#)
        .expect("written");
    let loaded = load(folder.path());
    assert_eq!(loaded.settings, Settings { name: "Ada".into(), ..Settings::default() });
}

#[test]
fn words_that_are_no_lasting_rooms_are_none_and_spoil_nothing_else() {
    for room in ["null", r#""""#, r#""velvet-canyon-orbit-zero""#, r#""velvet canyon orbit zero garden zoo""#] {
        let folder = folder();
        let text = format!(r#"{{"name":"Ada","room":{room}}}"#);
        fs::write(folder.path().join(FILE_NAME), text).expect("written");
        let loaded = load(folder.path());
        assert_eq!((loaded.settings.name.as_str(), loaded.settings.room, loaded.notice), ("Ada", None, None));
    }
}

#[test]
fn the_words_of_a_room_do_not_show_in_debug_output() {
    let settings = Settings { room: Some(crate::sample::room()), ..Settings::default() };
    let shown = format!("{settings:?} {:?}", Change::Room(settings.room.clone()));
    assert!(crate::sample::ROOM.split('-').all(|word| !shown.contains(word)), "{shown}");
}

#[test]
fn a_name_is_cut_to_its_length_by_characters() {
    let mut settings = Settings::default();
    settings.apply(Change::Name("é".repeat(100)));
    assert_eq!(settings.name.chars().count(), NAME_LENGTH);
}

#[test]
fn the_command_line_is_shown_but_not_saved() {
    let folder = folder();
    let shown = Settings { name: "For now".into(), ..Settings::default() };
    let mut store = Store::new(Settings::default(), shown, Some(folder.path().to_owned()));
    store.apply(Change::Theme(ThemeChoice::Dark));
    assert_eq!(store.shown().name, "For now");
    drop(store);
    let saved = load(folder.path()).settings;
    assert_eq!((saved.name.as_str(), saved.theme), ("", ThemeChoice::Dark));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    save(folder.path(), &Settings::default()).expect("saved");
    let mode = fs::metadata(folder.path().join(FILE_NAME)).expect("there").permissions().mode();
    assert_eq!(mode & 0o077, 0);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "no temporary file is left");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_and_nothing_else() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").expect("written");
    assert!(save(&folder.path().join("file"), &Settings::default()).is_err());
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_files_place_is_neither_opened_nor_moved() {
    let folder = folder();
    let path = folder.path().join(FILE_NAME);
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    // Opening it would wait for a writer, so this thread would not come back; a folder in its place is no file either.
    let loaded = Loading::begin(folder.path().to_owned(), Duration::from_secs(60)).finish();
    assert!(loaded.untouchable && loaded.notice.expect("a word").contains("no ordinary file"));
    assert!(fs::symlink_metadata(&path).is_ok() && fs::read_dir(folder.path()).expect("listed").count() == 1);
}

#[test]
fn a_disk_that_does_not_answer_in_time_gives_the_defaults_and_keeps_its_file() {
    let loaded = Loading::of(std::sync::mpsc::sync_channel(1).1, Duration::ZERO).finish();
    assert_eq!((loaded.settings, loaded.untouchable), (Settings::default(), true));
    assert!(loaded.notice.expect("a word").contains("does not answer"));
}

#[test]
fn other_servers_for_a_way_through_the_network_reach_the_running_app_together() {
    let mut settings = Settings::default();
    let change = Change::RelayOnly(true);
    settings.apply(change.clone());
    let Some(Command::SetIce { servers, relay_only }) = change.command(&settings) else { panic!("no command") };
    assert_eq!((servers, relay_only), (settings.ice_servers.clone(), true));
    let change = Change::IceServers(Vec::new());
    settings.apply(change.clone());
    let Some(Command::SetIce { servers, relay_only }) = change.command(&settings) else { panic!("no command") };
    assert_eq!((servers.len(), relay_only), (0, true));
}
