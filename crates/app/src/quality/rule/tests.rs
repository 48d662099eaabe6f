use super::*;

/// A second in which all is well.
fn calm() -> Sample {
    Sample {
        round_trip_ms: Some(40.0),
        sound_buffer_ms: Some(45.0),
        estimate_kbps: Some(2500.0),
        packets: [250.0, 250.0],
        ..Sample::default()
    }
}

fn with(change: impl FnOnce(&mut Sample)) -> Sample {
    let mut sample = calm();
    change(&mut sample);
    sample
}

/// A judge of a call that has been well for a while.
fn settled() -> Judge {
    let mut judge = Judge::default();
    (0..20).for_each(|_| judge.update(&calm()));
    judge
}

/// What is said after each of so many seconds that are all the same.
fn follow(judge: &mut Judge, sample: Sample, seconds: usize) -> Vec<Grade> {
    let said = (0..seconds).map(|_| {
        judge.update(&sample);
        judge.verdict().grade
    });
    said.collect()
}

fn cause(judge: &Judge) -> Option<Cause> {
    judge.verdict().cause.map(|(cause, _)| cause)
}

#[test]
fn a_calm_call_is_good_and_needs_no_words() {
    assert_eq!(settled().verdict(), Verdict::default());
    assert_eq!(settled().verdict().words(), None);
}

#[test]
fn each_cause_alone_is_named() {
    let cases: [(Sample, Grade, Cause); 10] = [
        (with(|s| s.lost_out = 0.05), Grade::Fair, Cause::LossOut),
        (with(|s| s.lost_out = 0.2), Grade::Poor, Cause::LossOut),
        (with(|s| s.lost_in = 0.12), Grade::Poor, Cause::LossIn),
        (with(|s| s.concealed = 0.02), Grade::Fair, Cause::Gaps),
        (with(|s| s.frozen = 0.5), Grade::Poor, Cause::Freezes),
        (with(|s| s.round_trip_ms = Some(420.0)), Grade::Fair, Cause::Delay),
        (with(|s| s.sound_buffer_ms = Some(500.0)), Grade::Poor, Cause::Uneven),
        (with(|s| (s.limit, s.estimate_kbps) = (Limit::Network, Some(300.0))), Grade::Fair, Cause::Upload),
        (with(|s| (s.limit, s.estimate_kbps) = (Limit::Network, Some(90.0))), Grade::Poor, Cause::Upload),
        (with(|s| s.limit = Limit::Computer), Grade::Fair, Cause::Computer),
    ];
    for (sample, grade, why) in cases {
        let mut judge = settled();
        follow(&mut judge, sample, 10);
        assert_eq!((judge.verdict().grade, cause(&judge)), (grade, Some(why)), "{sample:?}");
    }
}

#[test]
fn a_rate_that_limits_nothing_is_enough() {
    let mut judge = settled();
    follow(&mut judge, with(|s| s.estimate_kbps = Some(90.0)), 10);
    assert_eq!(judge.verdict().grade, Grade::Good, "the camera may be off");
}

#[test]
fn one_bad_second_is_not_mentioned_and_lasting_loss_soon_is() {
    let mut judge = settled();
    assert_eq!(follow(&mut judge, with(|s| s.lost_in = 0.1), 1), [Grade::Good]);
    assert_eq!(follow(&mut judge, calm(), 5), [Grade::Good; 5]);
    let said = follow(&mut judge, with(|s| s.lost_in = 0.2), 6);
    let first = said.iter().position(|&grade| grade > Grade::Good);
    assert!((1..=3).contains(&first.expect("said")), "{said:?}");
    assert_eq!(said.last(), Some(&Grade::Poor));
}

#[test]
fn it_gets_better_only_when_it_has_been_for_a_while() {
    let mut judge = settled();
    follow(&mut judge, with(|s| s.round_trip_ms = Some(900.0)), 10);
    let said = follow(&mut judge, calm(), 20);
    let poor = said.iter().filter(|&&grade| grade == Grade::Poor).count();
    assert!((5..=9).contains(&poor), "{said:?}");
    assert_eq!((said.last(), cause(&judge)), (Some(&Grade::Good), None));
}

#[test]
fn figures_at_a_limit_do_not_make_the_mark_flicker() {
    let mut judge = settled();
    let (mut changes, mut before) = (0, Grade::Good);
    for i in 0..600 {
        let trip = 300.0 + 30.0 * f32::sin(0.9 * i as f32) + if i % 7 == 0 { 40.0 } else { 0.0 };
        judge.update(&with(|s| s.round_trip_ms = Some(trip)));
        changes += u32::from(judge.verdict().grade != before);
        before = judge.verdict().grade;
    }
    assert!(changes <= 1, "{changes} changes");
}

#[test]
fn every_other_second_bad_is_one_verdict() {
    let mut judge = settled();
    let mut changes = Vec::new();
    for i in 0..120 {
        judge.update(&with(|s| s.lost_in = if i % 2 == 0 { 0.2 } else { 0.0 }));
        let grade = judge.verdict().grade;
        if changes.last() != Some(&grade) {
            changes.push(grade);
        }
    }
    assert!(changes.len() <= 3, "{changes:?}");
}

#[test]
fn words_stay_while_they_are_about_right_and_change_when_they_are_not() {
    let mut judge = settled();
    follow(&mut judge, with(|s| s.round_trip_ms = Some(420.0)), 10);
    let said = judge.verdict().words();
    for trip in [430.0, 400.0, 455.0, 390.0] {
        follow(&mut judge, with(|s| s.round_trip_ms = Some(trip)), 3);
        assert_eq!(judge.verdict().words(), said);
    }
    follow(&mut judge, with(|s| s.round_trip_ms = Some(560.0)), 6);
    assert_ne!(judge.verdict().words(), said);
    assert_eq!(cause(&judge), Some(Cause::Delay));
}

#[test]
fn another_cause_is_named_when_it_is_clearly_worse() {
    let mut judge = settled();
    follow(&mut judge, with(|s| s.round_trip_ms = Some(450.0)), 10);
    follow(&mut judge, with(|s| (s.round_trip_ms, s.lost_out) = (Some(450.0), 0.055)), 10);
    assert_eq!(cause(&judge), Some(Cause::Delay), "as bad as each other");
    follow(&mut judge, with(|s| (s.round_trip_ms, s.lost_out) = (Some(450.0), 0.3)), 10);
    assert_eq!(cause(&judge), Some(Cause::LossOut));
}

#[test]
fn a_call_begins_without_complaints() {
    let mut judge = Judge::default();
    let begun = with(|s| (s.limit, s.estimate_kbps, s.frozen) = (Limit::Network, Some(300.0), 1.0));
    assert_eq!(follow(&mut judge, begun, 4), [Grade::Good; 4]);
    assert_eq!(follow(&mut judge, calm(), 3), [Grade::Good; 3]);
}

#[test]
fn sound_only_is_said_at_once_and_ends_at_once() {
    let mut judge = settled();
    judge.update(&with(|s| s.sound_only = true));
    assert_eq!(judge.verdict(), Verdict { grade: Grade::Poor, cause: Some((Cause::SoundOnly, 0.0)) });
    judge.update(&with(|s| s.their_sound_only = true));
    assert_eq!(cause(&judge), Some(Cause::TheirSoundOnly));
    judge.update(&calm());
    assert_eq!(judge.verdict(), Verdict::default());
}

#[test]
fn an_interruption_is_no_judgement_and_begins_anew() {
    let mut judge = settled();
    follow(&mut judge, with(|s| s.lost_in = 0.5), 10);
    judge.pause();
    assert_eq!(judge.verdict(), Verdict::default());
    assert_eq!(follow(&mut judge, with(|s| s.lost_in = 0.5), 4), [Grade::Good; 4]);
}

#[test]
fn loss_of_next_to_nothing_is_none() {
    let mut judge = settled();
    let quiet = with(|s| (s.packets, s.lost_out) = ([2.0, 2.0], 0.5));
    assert_eq!(follow(&mut judge, quiet, 10).last(), Some(&Grade::Good));
}

#[test]
fn figures_that_are_none_change_nothing() {
    let mut judge = settled();
    let none = with(|s| {
        (s.lost_in, s.lost_out, s.concealed, s.frozen) = (f32::NAN, f32::NAN, f32::NAN, f32::NAN);
        (s.round_trip_ms, s.sound_buffer_ms, s.estimate_kbps) = (Some(f32::NAN), Some(f32::NAN), Some(f32::NAN));
    });
    assert_eq!(follow(&mut judge, none, 10).last(), Some(&Grade::Good));
    assert_eq!(judge.verdict(), Verdict::default());
}
