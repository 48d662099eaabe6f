//! Which packets of one stream are missing, and when each is to be asked for again (RFC 4585 §6.2.1).
//!
//! Contains no I/O and reads no clock. A missing packet is asked for as soon as it cannot merely have been overtaken,
//! then once per round trip, and never when the answer would come too late to be shown. How far packets of this path
//! overtake each other is learnt from those that turn up by themselves, as RFC 8985 does for TCP.

use super::round_trip::RoundTrip;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// More missing packets than this are no loss but an outage: a keyframe costs less than all of them. What a path of
/// 7 Mb/s carries in the 400 ms that a packet is waited for.
pub(crate) const MAX_MISSING: usize = 256;
/// A sequence number this far off begins a new sequence.
pub(crate) const RESTART_DISTANCE: i64 = 3000;
/// A packet is asked for this often at most.
const MAX_TRIES: u32 = 10;
/// A packet may be this late before it is asked for, on a path that has shown no reordering…
const LEAST_TOLERANCE: Duration = Duration::from_millis(2);
/// …and on one that has: more would cost a visible delay for every loss.
const MOST_TOLERANCE: Duration = Duration::from_millis(50);
/// After this long without reordering the path has none.
const REORDERING_FORGOTTEN: Duration = Duration::from_secs(10);

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct NackList {
    highest: Option<i64>,
    missing: BTreeMap<i64, Missing>,
    /// How long the other side takes to answer: the path, and its own queue.
    answers: RoundTrip,
    /// The latest packet that came by itself, and when.
    lateness: Option<(Duration, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Instant,
    due: Instant,
    /// When it was asked for first, and how often since.
    asked: Option<(Instant, u32)>,
}

impl NackList {
    /// A packet came. `path` is the round trip as far as it is known.
    pub(crate) fn received(&mut self, now: Instant, sequence: u16, path: &RoundTrip) {
        let Some(highest) = self.highest else {
            self.highest = Some(i64::from(sequence));
            return;
        };
        let distance = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        if distance.abs() > RESTART_DISTANCE {
            self.missing.clear();
            self.highest = Some(i64::from(sequence));
        } else if distance <= 0 {
            self.filled(now, highest + distance, path);
        } else {
            self.skipped(now, highest + 1..highest + distance);
            self.highest = Some(highest + distance);
        }
    }

    /// What comes before this packet and has not come yet is of no use to anybody.
    pub(crate) fn skip_to(&mut self, sequence: u16) {
        let Some(highest) = self.highest else { return };
        let distance = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        if (1..=RESTART_DISTANCE).contains(&distance) {
            self.highest = Some(highest + distance - 1);
        }
    }

    fn skipped(&mut self, now: Instant, gap: std::ops::Range<i64>) {
        let length = usize::try_from(gap.end - gap.start).unwrap_or(0);
        if self.missing.len() + length > MAX_MISSING {
            self.missing.clear();
            return;
        }
        let due = now + self.tolerance(now);
        self.missing.extend(gap.map(|absent| (absent, Missing { since: now, due, asked: None })));
    }

    fn filled(&mut self, now: Instant, sequence: i64, path: &RoundTrip) {
        let Some(missing) = self.missing.remove(&sequence) else { return };
        match missing.asked {
            None => self.overtaken(now, missing.since),
            Some((asked, 1)) => {
                let took = now.saturating_duration_since(asked);
                // What comes back sooner than light would allow is no answer but the packet itself, overtaken.
                if path.shortest().is_some_and(|trip| took < trip / 2) {
                    self.overtaken(now, missing.since);
                } else {
                    self.answers.sample(took);
                }
            }
            // Which of several requests this answers cannot be told (Karn's algorithm).
            Some(_) => {}
        }
    }

    fn overtaken(&mut self, now: Instant, since: Instant) {
        let late = now.saturating_duration_since(since);
        let most = self.lateness(now).map_or(late, |known| known.max(late));
        self.lateness = Some((most, now));
    }

    fn lateness(&self, now: Instant) -> Option<Duration> {
        let (late, at) = self.lateness?;
        (now.saturating_duration_since(at) < REORDERING_FORGOTTEN).then_some(late)
    }

    fn tolerance(&self, now: Instant) -> Duration {
        let learnt = self.lateness(now).map_or(LEAST_TOLERANCE, |late| late + late / 4);
        learnt.clamp(LEAST_TOLERANCE, MOST_TOLERANCE)
    }

    /// What is to be asked for now; counts as asked. Packets that could not come in time any more are forgotten.
    pub(crate) fn ask(&mut self, now: Instant, path: &RoundTrip) -> Vec<u16> {
        let answers = self.answers.shortest().map_or(Duration::ZERO, |_| self.answers.answer_within());
        let again = now + path.answer_within().max(answers);
        let (travel, patience) = (path.shortest().unwrap_or_default(), path.patience());
        let mut wanted = Vec::new();
        self.missing.retain(|sequence, missing| {
            if missing.due > now {
                return true;
            }
            let (first, times) = missing.asked.unwrap_or((now, 0));
            if times >= MAX_TRIES || now + travel > missing.since + patience {
                return false;
            }
            missing.asked = Some((first, times + 1));
            missing.due = again;
            wanted.push(*sequence as u16);
            true
        });
        wanted
    }

    /// When [`NackList::ask`] has something to ask or to forget.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn path(trip: u64) -> RoundTrip {
        let mut path = RoundTrip::default();
        (0..20).for_each(|_| path.sample(ms(trip)));
        path
    }

    /// Feeds these packets, a millisecond apart, beginning at `start`.
    fn feed(list: &mut NackList, start: Instant, packets: &[u16], path: &RoundTrip) -> Instant {
        for (i, sequence) in packets.iter().enumerate() {
            list.received(start + ms(i as u64), *sequence, path);
        }
        start + ms(packets.len() as u64 - 1)
    }

    /// Everything asked for up to `until`, with the milliseconds after `start`.
    fn asked(list: &mut NackList, start: Instant, until: Instant, path: &RoundTrip) -> Vec<(u128, Vec<u16>)> {
        let mut all = Vec::new();
        while let Some(due) = list.poll_timeout().filter(|due| *due <= until) {
            let wanted = list.ask(due, path);
            if !wanted.is_empty() {
                all.push(((due - start).as_millis(), wanted));
            }
        }
        all
    }

    #[test]
    fn a_missing_packet_is_asked_for_at_once_and_then_once_per_round_trip() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        feed(&mut list, start, &[7, 8, 10, 11], &path);
        let times: Vec<_> = asked(&mut list, start, start + ms(190), &path).into_iter().collect();
        assert_eq!(times, [(4, vec![9]), (64, vec![9]), (124, vec![9]), (184, vec![9])]);
    }

    #[test]
    fn missing_packets_are_asked_for_together_across_the_wrap() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        feed(&mut list, start, &[65_533, 2], &path);
        assert_eq!(asked(&mut list, start, start + ms(10), &path), [(3, vec![65_534, 65_535, 0, 1])]);
    }

    #[test]
    fn what_has_come_is_not_asked_for_again() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        let now = feed(&mut list, start, &[1, 4], &path);
        assert_eq!(asked(&mut list, start, now + ms(5), &path), [(3, vec![2, 3])]);
        list.received(start + ms(53), 2, &path);
        assert_eq!(asked(&mut list, start, start + ms(100), &path), [(63, vec![3])]);
        list.received(start + ms(113), 3, &path);
        assert_eq!(list.poll_timeout(), None);
    }

    #[test]
    fn packets_that_overtake_each_other_are_not_asked_for() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        feed(&mut list, start, &[1, 3, 2, 4, 6, 5, 7], &path);
        assert_eq!(list.poll_timeout(), None);
    }

    #[test]
    fn a_path_on_which_packets_come_late_teaches_patience_and_forgetting_takes_ten_seconds() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(100));
        feed(&mut list, start, &[1, 3], &path);
        assert_eq!(list.ask(start + ms(3), &path), [2], "nothing is known of the path yet");
        // Seventeen milliseconds after the request: no answer, since it cannot have travelled there and back.
        list.received(start + ms(20), 2, &path);
        list.received(start + ms(21), 5, &path);
        assert_eq!(list.poll_timeout(), Some(start + ms(21) + ms(19) + ms(19) / 4));
        list.received(start + ms(30), 4, &path);
        let later = start + REORDERING_FORGOTTEN + ms(31);
        list.received(later, 7, &path);
        assert_eq!(list.poll_timeout(), Some(later + LEAST_TOLERANCE));
    }

    #[test]
    fn what_could_not_arrive_in_time_is_given_up() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        feed(&mut list, start, &[1, 3], &path);
        let times = asked(&mut list, start, start + ms(5000), &path);
        let last = times.last().expect("asked").0;
        assert!(last + 50 <= 1 + path.patience().as_millis(), "asked after {last} ms");
        assert!(times.len() >= 5 && list.poll_timeout().is_none(), "{times:?}");
    }

    #[test]
    fn a_slow_answerer_is_not_asked_again_before_it_can_have_answered() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(20));
        let mut now = start;
        // Answers take 80 ms, though the path takes only 20.
        for round in 0..20u16 {
            now = start + ms(200) * u32::from(round);
            feed(&mut list, now, &[round * 2, round * 2 + 2], &path);
            list.ask(now + ms(3), &path);
            list.received(now + ms(83), round * 2 + 1, &path);
        }
        let begun = now + ms(200);
        list.received(begun, 42, &path);
        let times: Vec<_> = asked(&mut list, begun, begun + ms(100), &path).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, [2, 92], "the longest answer and the margin");
    }

    #[test]
    fn an_outage_is_not_asked_for_packet_by_packet() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        let beyond = MAX_MISSING as u16 + 3;
        feed(&mut list, start, &[1, beyond, beyond + 2], &path);
        assert_eq!(asked(&mut list, start, start + ms(10), &path), [(4, vec![beyond + 1])]);
    }

    #[test]
    fn a_new_sequence_far_away_is_taken_up() {
        let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
        feed(&mut list, start, &[1, 3, 40_000, 40_002], &path);
        assert_eq!(asked(&mut list, start, start + ms(20), &path), [(5, vec![40_001])]);
    }

    proptest! {
        #[test]
        fn any_sequence_numbers_keep_the_list_bounded_and_each_packet_is_asked_for_at_most_once_per_round_trip(
            numbers in proptest::collection::vec(any::<u16>().prop_map(|n| n % 700), 1..400),
        ) {
            let (mut list, start, path) = (NackList::default(), Instant::now(), path(50));
            let mut last = std::collections::HashMap::new();
            for (i, sequence) in numbers.into_iter().enumerate() {
                let now = start + ms(i as u64);
                list.received(now, sequence, &path);
                last.remove(&sequence);
                for wanted in list.ask(now, &path) {
                    if let Some(before) = last.insert(wanted, now) {
                        prop_assert!(now - before >= ms(50), "{wanted} again after {:?}", now - before);
                    }
                }
                prop_assert!(list.missing.len() <= MAX_MISSING);
            }
        }
    }
}
