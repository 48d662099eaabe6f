//! One side's flights by a hand-moved clock, then two sides over a wire that loses what it likes.

use super::super::records::tests::{alert, application, change_of_keys, finished, message};
use super::super::relayed::tests::{by_channel, by_indication};
use super::*;

const MS: Duration = Duration::from_millis(1);

fn route() -> Route {
    Route { local: ([10, 0, 0, 1], 1000).into(), remote: ([10, 0, 0, 2], 2000).into() }
}

fn other_route() -> Route {
    Route { local: ([10, 0, 0, 1], 1000).into(), remote: ([10, 0, 0, 9], 2000).into() }
}

/// Moments after the beginning at which something is repeated, until `end`.
fn repeats(flights: &mut Flights, begun: Instant, end: Duration) -> Vec<(u128, Repeat)> {
    let mut all = Vec::new();
    while let Some(at) = flights.deadline().filter(|at| *at <= begun + end) {
        if let Some(repeat) = flights.due(at) {
            all.push(((at - begun).as_millis(), repeat));
        }
    }
    all
}

#[test]
fn a_flight_is_repeated_with_growing_pauses_and_then_given_up() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    flights.sent(now, route(), &message(0, 0, 40));
    let all = repeats(&mut flights, now, Duration::from_secs(60));
    let at: Vec<_> = all.iter().map(|(at, _)| *at).take(6).collect();
    assert_eq!(at, [50, 150, 350, 750, 1150, 1550]);
    assert!(all.last().is_some_and(|(at, _)| (14_500..15_000).contains(at)));
    assert!(all.iter().all(|(_, r)| r.route == route() && r.datagrams == [message(0, 0, 40)]));
}

#[test]
fn a_flight_of_several_datagrams_is_repeated_whole_and_the_next_one_takes_its_place() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    flights.sent(now, route(), &message(0, 0, 20));
    assert_eq!(flights.received(now, route(), &message(0, 0, 10)), None);
    let parts = [message(1, 0, 90), message(1, 90, 20), [change_of_keys(), finished()].concat()];
    for part in &parts {
        flights.sent(now + 10 * MS, route(), part);
    }
    let repeat = flights.due(now + 60 * MS).expect("due");
    assert_eq!(repeat.datagrams, parts);
}

#[test]
fn the_other_sides_media_or_data_ends_it_and_our_own_does_not() {
    for sign in [vec![0x80; 30], application()] {
        let (mut flights, now) = (Flights::default(), Instant::now());
        flights.sent(now, route(), &[change_of_keys(), finished()].concat());
        flights.sent(now, route(), &[0x80; 30]);
        flights.sent(now, route(), &application());
        assert!(flights.due(now + 50 * MS).is_some(), "our own says nothing about the other side");
        flights.received(now + 60 * MS, other_route(), &sign);
        assert!(flights.due(now + 150 * MS).is_some(), "somebody else's says nothing either");
        flights.received(now + 160 * MS, route(), &sign);
        assert_eq!(repeats(&mut flights, now, Duration::from_secs(60)), []);
    }
}

#[test]
fn alerts_and_data_are_not_repeated() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    flights.sent(now, route(), &alert());
    flights.sent(now, route(), &application());
    assert_eq!(flights.deadline(), None);
    flights.sent(now, route(), &message(0, 0, 20));
    flights.sent(now, route(), &application());
    assert_eq!(flights.due(now + 50 * MS).expect("due").datagrams, [message(0, 0, 20)]);
}

#[test]
fn by_way_of_a_relay_it_is_the_same() {
    for wrap in [by_channel, by_indication] {
        let (mut flights, now) = (Flights::default(), Instant::now());
        let (ours, theirs) = (wrap(&message(1, 0, 40)), wrap(&message(1, 0, 20)));
        flights.received(now, route(), &theirs);
        flights.sent(now, route(), &ours);
        let ours = [Bytes::from(ours)];
        assert_eq!(flights.due(now + 50 * MS).expect("due").datagrams, ours);
        assert_eq!(flights.received(now + 80 * MS, route(), &theirs).expect("an answer").datagrams, ours);
        flights.received(now + 90 * MS, route(), &wrap(&[0x80; 40]));
        assert_eq!(flights.deadline(), None);
    }
}

#[test]
fn what_the_crate_repeats_itself_is_no_new_flight() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    let first = message(1, 0, 20);
    flights.sent(now, route(), &first);
    flights.received(now + MS, route(), &message(1, 0, 99));
    // The same message in a record with another number.
    let mut again = first.clone();
    again[10] = 5;
    flights.sent(now + 30 * MS, route(), &again);
    assert_eq!(flights.due(now + 50 * MS).expect("due").datagrams, [first]);
}

#[test]
fn a_repeated_flight_of_the_other_side_is_answered_at_once_but_not_twice_at_a_time() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    let theirs = message(1, 0, 20);
    assert_eq!(flights.received(now, route(), &theirs), None);
    assert_eq!(flights.received(now, route(), &theirs), None, "there is no answer yet");
    flights.sent(now, route(), &message(1, 0, 80));
    assert_eq!(flights.received(now + 5 * MS, route(), &theirs), None, "they crossed");
    let answer = flights.received(now + 30 * MS, route(), &theirs).expect("an answer");
    assert_eq!((answer.route, answer.datagrams), (route(), vec![Bytes::from(message(1, 0, 80))]));
    assert_eq!(flights.received(now + 31 * MS, route(), &theirs), None);
    assert_eq!(flights.deadline(), Some(now + 80 * MS), "the clock waits as after any repeat");
}

#[test]
fn two_finished_sides_do_not_answer_each_other_for_ever() {
    let (mut client, now) = (Flights::default(), Instant::now());
    let last = [change_of_keys(), finished()].concat();
    client.sent(now, route(), &[message(2, 0, 60), last.clone()].concat());
    assert_eq!(client.received(now + 50 * MS, route(), &last), None);
    for i in 1..50 {
        assert_eq!(client.received(now + 50 * MS + 30 * i * MS, route(), &last), None, "theirs answers ours");
    }
}

#[test]
fn packets_that_are_played_back_bring_few_answers_and_none_to_strangers() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    let theirs = message(0, 0, 20);
    flights.received(now, route(), &theirs);
    flights.sent(now, route(), &message(0, 0, 200));
    let mut answers = 0;
    for ms in 0..20_000 {
        assert_eq!(flights.received(now + ms * MS, other_route(), &theirs), None);
        answers += u32::from(flights.received(now + ms * MS, route(), &theirs).is_some());
    }
    assert_eq!(answers, ANSWERS);
}

#[test]
fn a_flight_of_any_length_is_kept_within_bounds() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    for number in 0..5000 {
        flights.sent(now, route(), &message(number, 0, 200));
    }
    let repeat = flights.due(now + 50 * MS).expect("due");
    assert!(repeat.datagrams.len() <= MAX_DATAGRAMS);
    assert!(repeat.datagrams.iter().map(Bytes::len).sum::<usize>() <= MAX_BYTES);
}

#[test]
fn repeats_follow_the_chosen_path() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    flights.sent(now, route(), &[change_of_keys(), finished()].concat());
    flights.sent(now, other_route(), &application());
    assert_eq!(flights.due(now + 50 * MS).expect("due").route, other_route());
}

#[test]
fn what_is_for_a_relay_goes_nowhere_else() {
    for (first, then) in
        [(message(0, 0, 9), by_channel(&application())), (by_channel(&message(0, 0, 9)), application())]
    {
        let (mut flights, now) = (Flights::default(), Instant::now());
        flights.sent(now, route(), &first);
        flights.sent(now, other_route(), &then);
        assert_eq!(flights.deadline(), None);
    }
}

#[test]
fn another_path_in_mid_call_starts_nothing() {
    let (mut flights, now) = (Flights::default(), Instant::now());
    flights.sent(now, route(), &[change_of_keys(), finished()].concat());
    flights.received(now + MS, route(), &application());
    for route in [other_route(), route()] {
        flights.sent(now + 2 * MS, route, &application());
        flights.sent(now + 2 * MS, route, &alert());
        flights.received(now + 3 * MS, route, &application());
        assert_eq!(flights.deadline(), None);
    }
}

/// Datagrams that are waited for, and those that are then sent.
type Step = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// A side of a handshake that sends a flight when it has got one whole, and never by itself again.
struct Machine {
    flights: Flights,
    script: Vec<Step>,
    got: Vec<Vec<u8>>,
    step: usize,
}

impl Machine {
    /// Sends what is due by what came.
    fn go(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        while let Some((awaited, flight)) = self.script.get(self.step) {
            if !awaited.iter().all(|part| self.got.contains(part)) {
                return;
            }
            for datagram in flight {
                self.flights.sent(now, route(), datagram);
                out.push(datagram.clone());
            }
            self.step += 1;
        }
    }

    fn receive(&mut self, now: Instant, datagram: Vec<u8>, out: &mut Vec<Vec<u8>>) {
        if let Some(repeat) = self.flights.received(now, route(), &datagram) {
            out.extend(repeat.datagrams.iter().map(|d| d.to_vec()));
        }
        self.got.push(datagram);
        self.go(now, out);
    }
}

/// Two such sides; flight 4 and flight 5 are two datagrams each. When both had everything, and how many were sent.
fn shake_hands(mut lost: impl FnMut(bool) -> bool, one_way: Duration) -> Option<(Duration, usize)> {
    let hello = |n| vec![message(n, 0, 60)];
    let four = vec![message(1, 0, 200), message(2, 0, 90)];
    let five = vec![message(2, 0, 220), [message(3, 0, 70), change_of_keys(), finished()].concat()];
    let six = vec![[change_of_keys(), finished()].concat()];
    let data = vec![application()];
    let machine = |script| Machine { flights: Flights::default(), script, got: Vec::new(), step: 0 };
    let client = vec![
        (vec![], hello(0)),
        (hello(0), hello(1)),
        (four.clone(), five.clone()),
        (six.clone(), data.clone()),
        (data.clone(), vec![]),
    ];
    // The server's first data goes with its last flight, and is told again until somebody has it, as SCTP does.
    let server = vec![(hello(0), hello(0)), (hello(1), four), (five, six), (data.clone(), vec![])];
    let mut sides = [machine(client), machine(server)];
    let begun = Instant::now();
    let (mut wire, mut sent): (Vec<(Instant, usize, Vec<u8>)>, usize) = (Vec::new(), 0);
    let mut data_at = [None::<Instant>; 2];
    for ms in 0..15_000 {
        let now = begun + ms * MS;
        for i in 0..2 {
            let mut out = Vec::new();
            sides[i].go(now, &mut out);
            while let Some(at) = wire.iter().position(|(at, to, _)| *to == i && *at <= now) {
                let (_, _, datagram) = wire.remove(at);
                sides[i].receive(now, datagram, &mut out);
            }
            if let Some(repeat) = sides[i].flights.due(now) {
                out.extend(repeat.datagrams.iter().map(|d| d.to_vec()));
            }
            let finished = sides[i].step >= if i == 0 { 4 } else { 3 };
            if finished && data_at[i].is_none_or(|at| now >= at + 100 * MS) {
                data_at[i] = Some(now);
                sides[i].flights.sent(now, route(), &data[0]);
                out.push(data[0].clone());
            }
            for datagram in out {
                sent += 1;
                if !lost(i == 0) {
                    wire.push((now + one_way, 1 - i, datagram));
                }
            }
        }
        if sides.iter().all(|side| side.step == side.script.len()) {
            return Some((ms * MS, sent));
        }
    }
    None
}

/// A generator that is the same everywhere (xorshift).
fn losing(percent: u64, mut seed: u64) -> impl FnMut(bool) -> bool {
    move |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % 100 < percent
    }
}

#[test]
fn without_loss_nothing_is_repeated_on_a_near_path_and_little_on_a_far_one() {
    let (took, sent) = shake_hands(|_| false, 5 * MS).expect("through");
    assert!(took < 50 * MS && sent <= 11, "{took:?}, {sent} datagrams");
    let (took, sent) = shake_hands(|_| false, 150 * MS).expect("through");
    assert!(took < 1100 * MS && sent <= 80, "{took:?}, {sent} datagrams");
}

#[test]
fn every_handshake_comes_through_heavy_loss() {
    let mut took: Vec<_> = (1..=2000u64)
        .map(|seed| shake_hands(losing(8, seed * 0x9e37_79b9_7f4a_7c15), 5 * MS).expect("through").0)
        .collect();
    took.sort();
    assert!(took[1000] < 200 * MS && took[1999] < 2000 * MS, "median {:?}, worst {:?}", took[1000], took[1999]);
    for seed in 1..=200u64 {
        assert!(shake_hands(losing(40, seed * 0x9e37_79b9_7f4a_7c15), 5 * MS).is_some(), "seed {seed} at 40 %");
    }
}

#[test]
fn any_single_datagram_may_be_lost() {
    for victim in 0..12 {
        let mut count = 0;
        let lost = |_| {
            count += 1;
            count - 1 == victim
        };
        let (took, _) = shake_hands(lost, 5 * MS).expect("through");
        assert!(took < 200 * MS, "without datagram {victim}: {took:?}");
    }
}
