use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn device(id: &str, default: bool) -> DeviceInfo {
    DeviceInfo { id: id.to_owned(), name: format!("The {id}"), default }
}

/// Devices by id; the default one is marked with a star.
fn list(ids: &str) -> Result<SoundDevices, DeviceError> {
    let offered = ids.split_whitespace().map(|id| device(id.trim_end_matches('*'), id.ends_with('*')));
    Ok(SoundDevices { offered: offered.collect(), ..SoundDevices::default() })
}

fn chosen(id: &str) -> Wish {
    Wish::Device(id.to_owned())
}

/// A choice, a clock moved by hand, and devices of which some do not work.
struct Desk {
    choice: DeviceChoice,
    now: Instant,
    broken: Vec<&'static str>,
    opened: Vec<String>,
    attempts: usize,
}

impl Desk {
    fn new(wish: Wish, ids: &str) -> Self {
        let (choice, broken, opened) = (DeviceChoice::new(), Vec::new(), Vec::new());
        let mut desk = Self { choice, now: Instant::now(), broken, opened, attempts: 0 };
        desk.choice.wish(wish);
        desk.lists(ids);
        desk
    }

    fn lists(&mut self, ids: &str) {
        self.choice.listed(list(ids));
        self.settle();
    }

    fn wishes(&mut self, wish: Wish) {
        self.choice.wish(wish);
        self.settle();
    }

    fn breaks(&mut self) {
        self.choice.broke(DeviceError::Stalled, self.now);
        self.settle();
    }

    fn waits(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.choice.poll_timeout(self.now).filter(|at| *at <= end) {
            self.now = at;
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..8 {
            match self.choice.next(self.now) {
                Step::Nothing => return,
                Step::Close => self.choice.closed(),
                Step::Open(target) => self.open(target),
            }
        }
        panic!("it does not come to rest: {:?}", self.choice);
    }

    fn open(&mut self, target: Target) {
        self.attempts += 1;
        let (Target::Device(id) | Target::StandIn(id)) = target.clone();
        self.choice.begun(target);
        assert_eq!(self.choice.next(self.now), Step::Nothing, "one after the other");
        if self.broken.iter().any(|broken| *broken == id) {
            self.choice.not_opened(DeviceError::Busy { name: id }, self.now);
        } else {
            self.choice.opened(&format!("The {id}"), self.now);
            self.opened.push(id);
        }
    }

    fn runs(&self, id: &str, instead_of: Option<&str>) {
        self.runs_as(id, instead_of, WhyReplaced::Away);
    }

    fn runs_as(&self, id: &str, instead_of: Option<&str>, why: WhyReplaced) {
        let instead_of = instead_of.map(|name| Replaced { name: name.to_owned(), why });
        assert_eq!(self.choice.state(), DeviceState::Running { name: format!("The {id}"), instead_of });
    }

    fn failed(&self) -> DeviceError {
        match self.choice.state() {
            DeviceState::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_systems_default_is_followed() {
    let mut desk = Desk::new(Wish::Default, "a* b");
    desk.runs("a", None);
    desk.lists("a b*");
    desk.runs("b", None);
    assert_eq!(desk.opened, ["a", "b"]);
}

#[test]
fn a_chosen_device_that_vanishes_is_replaced_by_the_default_and_taken_back() {
    let mut desk = Desk::new(chosen("b"), "a* b");
    desk.runs("b", None);
    desk.lists("a*");
    desk.runs("a", Some("The b"));
    desk.lists("a* b");
    desk.runs("b", None);
    assert_eq!(desk.opened, ["b", "a", "b"]);
}

#[test]
fn a_chosen_device_from_which_the_default_moves_away_is_opened_again_lest_the_system_moved_the_stream_too() {
    let mut desk = Desk::new(chosen("b"), "a b*");
    desk.lists("a* b");
    desk.lists("a* b c");
    desk.runs("b", None);
    assert_eq!(desk.opened, ["b", "b"]);
}

#[test]
fn where_a_headset_that_becomes_the_default_is_passed_over_the_open_one_is_opened_again_likewise() {
    let mut desk = Desk::new(Wish::Default, "a*");
    let headset = DeviceInfo { id: "bluez".into(), name: "Headset".into(), default: false };
    let offered = vec![device("a", true), headset];
    desk.choice.listed(Ok(SoundDevices { offered, passed_over: Some("bluez".into()), ..SoundDevices::default() }));
    desk.settle();
    assert_eq!(desk.opened, ["a", "a"]);
    desk.lists("a*");
    assert_eq!(desk.opened, ["a", "a"], "it stays where it is when the headset goes");
}

#[test]
fn a_chosen_device_is_known_again_by_its_name_where_its_id_has_changed() {
    let mut desk = Desk::new(chosen("usb-1"), "a* usb-1");
    desk.lists("a*");
    let renamed = DeviceInfo { id: "usb-2".into(), name: "The usb-1".into(), default: false };
    let offered = vec![device("a", true), renamed];
    desk.choice.listed(Ok(SoundDevices { offered, ..SoundDevices::default() }));
    desk.settle();
    assert_eq!(desk.opened, ["usb-1", "a", "usb-2"]);
    assert!(matches!(desk.choice.state(), DeviceState::Running { instead_of: None, .. }));
}

#[test]
fn a_device_that_was_just_chosen_is_not_called_gone_while_it_opens() {
    let mut desk = Desk::new(Wish::Default, "a* b");
    desk.choice.wish(chosen("b"));
    desk.runs("a", None);
    desk.choice.begun(Target::Device("b".into()));
    desk.runs("a", None);
    desk.choice.opened("The b", desk.now);
    desk.runs("b", None);
}

#[test]
fn a_default_device_that_vanishes_is_named_for_a_while_with_what_is_used_now() {
    let said = |desk: &Desk| desk.runs_as("a", Some("The b"), WhyReplaced::Gone);
    let mut desk = Desk::new(Wish::Default, "a b*");
    desk.runs("b", None);
    desk.lists("a*");
    said(&desk);
    desk.waits(SAID_FOR - MS);
    said(&desk);
    assert_eq!(desk.choice.poll_timeout(desk.now), Some(desk.now + MS));
    desk.waits(MS);
    desk.runs("a", None);
}

#[test]
fn it_is_named_also_where_it_breaks_before_the_list_tells_and_no_more_when_it_is_back() {
    let mut desk = Desk::new(Wish::Default, "a b*");
    desk.broken = vec!["b"];
    desk.breaks();
    assert!(matches!(desk.choice.state(), DeviceState::Failed(_)));
    desk.lists("a*");
    desk.runs_as("a", Some("The b"), WhyReplaced::Gone);
    desk.broken.clear();
    desk.lists("a b*");
    desk.runs("b", None);
    desk.wishes(Wish::Off);
    desk.lists("a*");
    desk.wishes(Wish::Default);
    desk.runs("a", None);
}

#[test]
fn what_was_never_seen_is_called_as_it_was_chosen() {
    let desk = Desk::new(chosen("headset"), "a*");
    desk.runs("a", Some("headset"));
}

#[test]
fn without_any_device_it_says_so_and_takes_the_first_that_comes() {
    let mut desk = Desk::new(Wish::Default, "");
    assert_eq!(desk.failed(), DeviceError::NoDevice);
    desk.wishes(chosen("b"));
    assert_eq!(desk.failed(), DeviceError::NoDevice);
    desk.lists("a");
    desk.runs("a", Some("b"));
    desk.lists("");
    assert_eq!(desk.failed(), DeviceError::NoDevice);
}

#[test]
fn the_default_stands_in_for_a_busy_device_which_is_tried_again_ever_more_seldom() {
    let mut desk = Desk::new(Wish::Off, "a* b");
    desk.broken = vec!["b"];
    desk.wishes(chosen("b"));
    let busy = || WhyReplaced::Failed(DeviceError::Busy { name: "b".into() });
    desk.runs_as("a", Some("The b"), busy());
    desk.waits(Duration::from_secs(600));
    desk.runs_as("a", Some("The b"), busy());
    desk.choice.begun(Target::Device("b".into()));
    desk.runs_as("a", Some("The b"), busy());
    desk.choice.not_opened(DeviceError::Busy { name: "b".into() }, desk.now);
    assert_eq!(desk.opened, ["a"], "trying does not disturb what runs");
    assert!((20..30).contains(&desk.attempts), "{} attempts in ten minutes", desk.attempts);
    desk.broken.clear();
    desk.waits(MAX_PAUSE);
    desk.runs("b", None);
}

#[test]
fn a_new_default_that_does_not_open_leaves_the_old_one_open_while_that_is_there() {
    let mut desk = Desk::new(Wish::Default, "a* b");
    desk.broken = vec!["b"];
    desk.lists("a b*");
    desk.waits(MAX_PAUSE);
    desk.runs("a", None);
    assert_eq!(desk.opened, ["a"]);
    desk.lists("b*");
    assert_eq!(desk.failed(), DeviceError::Busy { name: "b".into() });
}

#[test]
fn a_device_that_fails_is_named_and_retried_at_once_where_the_list_changes() {
    let mut desk = Desk::new(Wish::Off, "a*");
    desk.broken = vec!["a"];
    desk.wishes(Wish::Default);
    assert_eq!(desk.failed(), DeviceError::Busy { name: "a".into() });
    desk.waits(Duration::from_secs(100));
    desk.broken.clear();
    desk.lists("a* b");
    desk.runs("a", None);
}

#[test]
fn a_steady_device_that_breaks_is_opened_again_at_once_and_one_that_keeps_breaking_is_not() {
    let mut desk = Desk::new(Wish::Default, "a*");
    desk.waits(STEADY);
    desk.breaks();
    desk.runs("a", None);
    for _ in 0..20 {
        desk.breaks();
        desk.waits(MS);
    }
    assert_eq!(desk.attempts, 2, "it had just been opened");
    desk.waits(FIRST_PAUSE);
    desk.runs("a", None);
    desk.breaks();
    assert_eq!(desk.failed(), DeviceError::Stalled);
    desk.waits(FIRST_PAUSE);
    assert_eq!(desk.attempts, 3, "the pause has doubled");
    desk.waits(FIRST_PAUSE);
    assert_eq!(desk.attempts, 4);
}

#[test]
fn a_sound_system_that_does_not_answer_changes_nothing_and_is_named_where_nothing_runs() {
    let gone = || Err(DeviceError::Other("gone".into()));
    let mut desk = Desk::new(Wish::Default, "a*");
    desk.choice.listed(gone());
    desk.settle();
    desk.runs("a", None);
    desk.broken = vec!["a"];
    desk.breaks();
    assert_eq!(desk.failed(), DeviceError::Other("gone".into()));
    assert_eq!(desk.attempts, 1, "a device of which nothing is known is not asked for");
    desk.broken.clear();
    desk.lists("a*");
    desk.runs("a", None);
}

#[test]
fn before_the_first_list_it_is_opening_and_stand_ins_need_none() {
    let mut choice = DeviceChoice::new();
    assert_eq!(choice.state(), DeviceState::Off);
    choice.wish(Wish::Default);
    assert_eq!((choice.state(), choice.next(Instant::now())), (DeviceState::Opening, Step::Nothing));
    choice.wish(Wish::StandIn("tone".into()));
    assert_eq!(choice.next(Instant::now()), Step::Open(Target::StandIn("tone".into())));
}

#[test]
fn switched_off_it_is_closed_even_where_it_was_just_being_opened() {
    let mut choice = DeviceChoice::new();
    choice.wish(Wish::Default);
    choice.listed(list("a*"));
    choice.begun(Target::Device("a".into()));
    choice.wish(Wish::Off);
    assert_eq!(choice.next(Instant::now()), Step::Nothing);
    choice.opened("a", Instant::now());
    assert_eq!((choice.next(Instant::now()), choice.state()), (Step::Close, DeviceState::Off));
}

#[test]
fn a_card_of_alsa_is_given_back_before_it_is_asked_for_under_another_name() {
    let mut choice = DeviceChoice::new();
    choice.wish(Wish::Default);
    choice.listed(list("alsa:default* alsa:plughw:0"));
    choice.begun(Target::Device("alsa:default".into()));
    choice.opened("Default", Instant::now());
    choice.wish(chosen("alsa:plughw:0"));
    assert_eq!(choice.next(Instant::now()), Step::Close);
    choice.closed();
    assert_eq!(choice.next(Instant::now()), Step::Open(Target::Device("alsa:plughw:0".into())));
}

#[derive(Clone, Debug)]
enum Happens {
    List(Vec<usize>, usize),
    Gone,
    Wish(usize),
    Break,
    Wait(u64),
}

const IDS: [&str; 4] = ["a", "b", "c", "d"];

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (proptest::sample::subsequence(vec![0, 1, 2, 3], 0..=4), 0usize..4).prop_map(|(ids, d)| Happens::List(ids, d)),
        Just(Happens::Gone),
        (0usize..7).prop_map(Happens::Wish),
        Just(Happens::Break),
        (0u64..20_000).prop_map(Happens::Wait),
    ]
}

fn wish(n: usize) -> Wish {
    match n {
        4 => Wish::Default,
        5 => Wish::Off,
        6 => Wish::StandIn("tone".into()),
        n => chosen(IDS[n]),
    }
}

proptest! {
    /// Whatever happens: at most one opening for each thing that happened while all devices work, each of a device that
    /// is there, and in the end what is open is what the rule says.
    #[test]
    fn it_never_thrashes(events in proptest::collection::vec(happens(), 0..60)) {
        let mut desk = Desk::new(Wish::Off, "");
        let mut wanted = Wish::Off;
        // A device that broke rests, and what stands in for it may break as well: then two come back.
        let mut broke = false;
        for event in events {
            let before = desk.attempts;
            match event {
                Happens::List(there, default) => {
                    let star = |id: &usize| format!("{}{}", IDS[*id], if *id == default { "*" } else { "" });
                    desk.lists(&there.iter().map(star).collect::<Vec<_>>().join(" "));
                    let first = there.iter().copied().find(|id| *id == default).or(there.first().copied());
                    let expected = match &wanted {
                        Wish::Off => None,
                        Wish::StandIn(text) => Some(Target::StandIn(text.clone())),
                        Wish::Default => first.map(|id| Target::Device(IDS[id].into())),
                        Wish::Device(id) => there.iter().copied().find(|n| IDS[*n] == id).or(first)
                            .map(|id| Target::Device(IDS[id].into())),
                    };
                    if desk.choice.open.as_ref().map(|open| &open.target) != expected.as_ref() {
                        // Only a stand-in that has just broken may rest.
                        prop_assert!(desk.choice.poll_timeout(desk.now).is_some());
                    }
                }
                Happens::Gone => {
                    desk.choice.listed(Err(DeviceError::NoDevice));
                    desk.settle();
                    prop_assert_eq!(desk.attempts, before);
                }
                Happens::Wish(n) => {
                    wanted = wish(n);
                    desk.wishes(wanted.clone());
                }
                Happens::Break => {
                    broke = broke || desk.choice.open.is_some();
                    desk.breaks();
                }
                Happens::Wait(ms) => desk.waits(Duration::from_millis(ms)),
            }
            let allowed = if broke { 2 } else { 1 };
            prop_assert!(desk.attempts - before <= allowed, "{} openings at once", desk.attempts - before);
        }
    }

    /// Where nothing can be opened, attempts become rare, however many devices there are.
    #[test]
    fn what_never_works_is_not_tried_in_a_tight_loop(which in 0usize..5, hours in 1u64..5) {
        let mut desk = Desk::new(Wish::Off, "a* b c d");
        desk.broken = IDS.to_vec();
        desk.wishes(wish(which));
        desk.waits(Duration::from_secs(3600 * hours));
        prop_assert!((100 * hours as usize..260 * hours as usize).contains(&desk.attempts), "{}", desk.attempts);
    }
}
