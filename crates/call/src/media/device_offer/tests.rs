use super::*;

const MS: Duration = Duration::from_millis(1);
/// Lists are read this often.
const PACE: Duration = Duration::from_millis(500);
const MIC: &str = "alsa_input.usb-Jabra-00.mono-fallback";
const PHONES: &str = "alsa_output.usb-Jabra-00.analog-stereo";

/// Devices by id; the default one is marked with a star.
fn devices(ids: &str) -> SoundDevices {
    let device = |id: &str| DeviceInfo {
        id: format!("pulseaudio:{}", id.trim_end_matches('*')),
        name: format!("Thing {}", id.trim_end_matches('*').rsplit('.').next().unwrap_or_default()),
        default: id.ends_with('*'),
    };
    SoundDevices { offered: ids.split_whitespace().map(device).collect(), ..SoundDevices::default() }
}

/// The rule, a clock moved by hand, and what both directions use.
struct Desk {
    offers: DeviceOffers,
    now: Instant,
    lists: [String; 2],
    microphone: Wish,
    speaker: Wish,
}

impl Desk {
    /// Long since started, with these devices.
    fn new(microphones: &str, speakers: &str) -> Self {
        let lists = [microphones.to_owned(), speakers.to_owned()];
        let (offers, now) = (DeviceOffers::default(), Instant::now());
        let mut desk = Self { offers, now, lists, microphone: Wish::Default, speaker: Wish::Default };
        desk.waits(60_000 * MS);
        assert_eq!(desk.offer(), None, "what is there at the start is no news");
        desk
    }

    fn lists(&mut self, microphones: &str, speakers: &str) {
        self.lists = [microphones.to_owned(), speakers.to_owned()];
        self.waits(2 * PACE);
    }

    fn waits(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now <= end {
            let [microphones, speakers] = [0, 1].map(|i: usize| devices(&self.lists[i]));
            self.offers.listed(Ok(SoundLists { microphones, speakers }), self.now);
            self.now += PACE;
        }
    }

    fn offer(&self) -> Option<DeviceOffer> {
        let used = |wish: &Wish| Used { wish: wish.clone(), open: None };
        self.offers.offer(&used(&self.microphone), &used(&self.speaker), self.now)
    }

    /// Ids of what is offered.
    fn parts(&self) -> [Option<String>; 2] {
        let id = |id: Option<String>| id.map(|id| id["pulseaudio:".len()..].to_owned());
        self.offer().map_or([None, None], |offer| [id(offer.microphone), id(offer.speaker)])
    }
}

fn both() -> [Option<String>; 2] {
    [Some(MIC.to_owned()), Some(PHONES.to_owned())]
}

fn with_headset() -> Desk {
    let mut desk = Desk::new("a*", "b*");
    desk.lists(&format!("a* {MIC}"), &format!("b* {PHONES}"));
    desk
}

#[test]
fn a_headset_is_one_offer_and_has_the_name_that_its_parts_share() {
    let desk = with_headset();
    assert_eq!(desk.parts(), both());
    assert_eq!(desk.offer().map(|offer| offer.name).as_deref(), Some("Thing"));
}

#[test]
fn parts_that_come_one_after_the_other_are_one_offer() {
    let mut desk = Desk::new("a*", "b*");
    desk.lists("a*", &format!("b* {PHONES}"));
    assert_eq!(desk.parts(), [None, Some(PHONES.to_owned())]);
    desk.lists(&format!("a* {MIC}"), &format!("b* {PHONES}"));
    assert_eq!(desk.parts(), both());
}

#[test]
fn an_offer_ends_with_its_device_by_a_word_or_after_a_while() {
    let mut desk = with_headset();
    desk.lists("a*", "b*");
    assert_eq!(desk.offer(), None);
    let mut desk = with_headset();
    desk.offers.dismiss();
    desk.waits(PACE);
    assert_eq!(desk.offer(), None);
    let mut desk = with_headset();
    assert!(desk.offers.poll_timeout(desk.now).is_some_and(|at| at <= desk.now + LASTS));
    desk.waits(LASTS);
    assert_eq!((desk.offer(), desk.offers.poll_timeout(desk.now)), (None, None));
}

#[test]
fn a_loose_plug_is_one_offer_and_plugging_in_again_is_another() {
    let mut desk = with_headset();
    desk.offers.dismiss();
    desk.lists("a*", "b*");
    desk.lists(&format!("a* {MIC}"), &format!("b* {PHONES}"));
    desk.waits(PATIENCE);
    assert_eq!(desk.offer(), None, "it was gone for a moment");
    desk.lists("a*", "b*");
    desk.waits(LINGERS);
    desk.lists(&format!("a* {MIC}"), &format!("b* {PHONES}"));
    assert_eq!(desk.parts(), both());
}

#[test]
fn what_is_used_anyway_is_not_offered() {
    let mut desk = with_headset();
    desk.microphone = Wish::Device(format!("pulseaudio:{MIC}"));
    assert_eq!(desk.parts(), [None, Some(PHONES.to_owned())]);
    desk.speaker = Wish::Device(format!("pulseaudio:{PHONES}"));
    assert_eq!(desk.offer(), None);
    let mut desk = with_headset();
    desk.lists(&format!("a {MIC}*"), &format!("b {PHONES}*"));
    assert_eq!(desk.offer(), None, "the system took it, and its default is followed");
    desk.microphone = Wish::Device("pulseaudio:a".into());
    assert_eq!(desk.parts(), [Some(MIC.to_owned()), None], "who chose another one is asked");
    let open = Used { wish: Wish::Device("pulseaudio:gone".into()), open: Some(&format!("pulseaudio:{MIC}")) };
    let off = Used { wish: Wish::Off, open: None };
    assert_eq!(desk.offers.offer(&open, &off, desk.now), None, "known again by its name");
}

#[test]
fn who_wants_none_or_a_file_is_offered_none() {
    let mut desk = with_headset();
    desk.microphone = Wish::Off;
    desk.speaker = Wish::StandIn("none".into());
    assert_eq!(desk.offer(), None);
}

#[test]
fn a_system_that_takes_a_new_device_by_itself_has_a_moment_to_do_so() {
    let mut desk = Desk::new("a*", "b*");
    desk.lists = [format!("a* {MIC}"), "b*".to_owned()];
    desk.waits(Duration::ZERO);
    assert_eq!(desk.offer(), None);
    desk.now += PATIENCE;
    assert!(desk.offer().is_some());
}

#[test]
fn screens_are_not_offered() {
    let mut desk = Desk::new("a*", "b*");
    desk.lists("a*", "b* alsa_output.pci-0000_01_00.1.hdmi-stereo");
    assert_eq!(desk.offer(), None);
}

#[test]
fn what_a_restarted_sound_server_lists_again_one_by_one_is_no_news() {
    let mut desk = Desk::new(&format!("a* {MIC}"), "b*");
    desk.offers.listed(Err(&DeviceError::NoDevice), desk.now);
    desk.waits(Duration::ZERO);
    desk.now += Duration::from_secs(120);
    desk.offers.listed(Err(&DeviceError::NoDevice), desk.now);
    for (microphones, speakers) in [("", ""), ("a*", ""), (&*format!("a* {MIC}"), "b*")] {
        desk.lists = [microphones.to_owned(), speakers.to_owned()];
        desk.waits(Duration::ZERO);
    }
    desk.waits(SETTLES);
    assert_eq!(desk.offer(), None);
    desk.lists(&format!("a* {MIC}"), &format!("b* {PHONES} c"));
    assert_eq!(desk.parts(), [None, Some("c".to_owned())], "its kin were there before");
}

#[test]
fn another_sound_system_is_another_start() {
    let mut desk = Desk::new("a*", "b*");
    let alsa = |id: &str| DeviceInfo { id: format!("alsa:{id}"), name: id.to_owned(), default: false };
    let list = |id| SoundDevices { offered: vec![alsa(id)], ..SoundDevices::default() };
    let lists = SoundLists { microphones: list("default"), speakers: list("plughw:CARD=PCH") };
    desk.offers.listed(Ok(lists), desk.now);
    desk.now += PATIENCE;
    assert_eq!(desk.offer(), None);
}

#[test]
fn of_a_bluetooth_headset_the_loudspeaker_is_offered_where_there_is_another_microphone() {
    let (mic, phones) = ("bluez_source.A_B.hfp", "bluez_sink.A_B.a2dp_sink");
    let mut desk = Desk::new("a*", "b*");
    desk.lists(&format!("a* {mic}"), &format!("b* {phones}"));
    assert_eq!(desk.parts(), [None, Some(phones.to_owned())]);
    let mut desk = Desk::new("", "b*");
    desk.speaker = Wish::Device("pulseaudio:b".into());
    desk.microphone = Wish::Device("pulseaudio:gone".into());
    desk.lists(mic, &format!("b* {phones}"));
    assert_eq!(desk.parts(), [None, Some(phones.to_owned())], "its microphone is the only one, and used");
}

#[test]
fn a_headset_that_changes_its_profile_is_not_offered_again() {
    let mut desk = Desk::new("a*", "b* bluez_sink.A_B.a2dp_sink");
    desk.lists("a*", "b*");
    desk.lists("a* bluez_source.A_B.hfp", "b* bluez_sink.A_B.hfp");
    desk.waits(PATIENCE);
    assert_eq!(desk.offer(), None);
}
