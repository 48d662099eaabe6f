//! Packets that hold more or less sound than others, and change it in mid-call: a packet leaves when its last sample has
//! been said.

use super::call::{Random, Vowel, clicks, concealed_pct, largest, mean, ms};
use bytes::Bytes;
use std::time::{Duration, Instant};
use visavis_media::RtpTicks;
use visavis_voice::playout::{Played, PlayedKind, PlayoutBuffer, PlayoutSettings, PlayoutStats, SpeechDecoder};

/// A codec whose packets say where in the vowel they begin and how many samples they hold.
#[derive(Default)]
struct Pieces(u64);

fn piece(at: u64, samples: u64) -> Bytes {
    [at.to_be_bytes(), samples.to_be_bytes()].concat().into()
}

fn read(packet: &[u8]) -> Option<(u64, u64)> {
    let (at, samples) = packet.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*at), u64::from_be_bytes(samples.try_into().ok()?)))
}

impl Pieces {
    fn write(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        out.extend((0..samples as u64).map(|i| Vowel::sample(self.0 + i)));
        self.0 += samples as u64;
        true
    }
}

impl SpeechDecoder for Pieces {
    fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> bool {
        let Some((at, samples)) = read(packet) else { return false };
        self.0 = at;
        self.write(samples as usize, out)
    }

    fn recover(&mut self, next_packet: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        let Some((at, _)) = read(next_packet) else { return false };
        self.0 = at.wrapping_sub(samples as u64);
        self.write(samples, out)
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> bool {
        self.write(samples, out)
    }
}

/// What was heard: when, and how many milliseconds after it was said.
struct Heard {
    stats: PlayoutStats,
    played: Vec<(Duration, Played)>,
}

impl Heard {
    fn mouth_to_ear(&self, from: Duration, to: Duration) -> Vec<f64> {
        let late = |(now, played): &(Duration, Played)| {
            let said = f64::from(played.first_sample?.0) / 48.0;
            (from..to).contains(now).then_some(now.as_secs_f64() * 1000.0 - said)
        };
        self.played.iter().filter_map(late).collect()
    }

    fn sound(&self) -> Vec<f32> {
        self.played[20..].iter().flat_map(|(_, played)| played.samples).collect()
    }
}

/// A call in which the packet that begins at a moment holds so many milliseconds and takes so many on its way, or is lost;
/// with each comes a copy of the one `back` before.
fn call(
    length: Duration,
    holds: impl FnMut(Duration) -> u64,
    network: impl FnMut(u64) -> Option<f64>,
    back: Option<usize>,
) -> Heard {
    announced(length, Duration::ZERO, holds, network, back)
}

/// The same; longer packets are announced so long before.
fn announced(
    length: Duration,
    notice: Duration,
    mut holds: impl FnMut(Duration) -> u64,
    mut network: impl FnMut(u64) -> Option<f64>,
    back: Option<usize>,
) -> Heard {
    let (start, mut wire, mut sent) = (Instant::now(), Vec::new(), Vec::new());
    let (mut at, mut seq) = (0u64, 0u16);
    while at < length.as_millis() as u64 * 48 {
        let said = Duration::from_secs_f64(at as f64 / 48_000.0);
        let (samples, soon) = (holds(said) * 48, holds(said + notice) * 48);
        sent.push((seq, at, piece(at, samples), (soon > samples).then_some(soon)));
        if let Some(delay) = network(u64::from(seq)) {
            let arrival = Duration::from_secs_f64((at + samples) as f64 / 48_000.0 + delay / 1000.0);
            wire.push((arrival, sent.len() - 1));
        }
        (at, seq) = (at + samples, seq + 1);
    }
    wire.sort();
    let mut wire = wire.into_iter().peekable();
    let (mut buffer, mut decoder) = (PlayoutBuffer::new(PlayoutSettings::default()), Pieces::default());
    let mut played = Vec::new();
    for tick in 0..length.as_millis() as u64 / 10 {
        let now = ms(tick * 10 + 8);
        while let Some((arrival, i)) = wire.next_if(|(arrival, _)| *arrival <= now) {
            let (seq, at, payload, longer) = &sent[i];
            if let Some(longer) = longer {
                buffer.expect_length(*longer as usize, start + arrival);
            }
            buffer.push(*seq, RtpTicks(*at as u32), start + arrival, payload.clone());
            if let Some((seq, at, payload, _)) = back.and_then(|back| sent.get(i.checked_sub(back)?)) {
                buffer.push_copy(*seq, RtpTicks(*at as u32), start + arrival, payload.clone());
            }
        }
        played.push((now, buffer.pull(start + now, &mut decoder)));
    }
    Heard { stats: buffer.stats(), played }
}

#[test]
fn packets_of_10_ms_are_heard_10_ms_earlier_and_nothing_is_missing() {
    let heard = [20, 10].map(|holds| call(Duration::from_secs(20), |_| holds, |_| Some(10.0), None));
    let delays = heard.each_ref().map(|heard| mean(&heard.mouth_to_ear(ms(3000), ms(20_000))));
    println!("calm: {:.1} ms with packets of 20 ms, {:.1} with those of 10", delays[0], delays[1]);
    assert!((8.0..12.0).contains(&(delays[0] - delays[1])), "{delays:?}");
    for heard in heard {
        assert_eq!((heard.stats.concealed_samples, heard.stats.packets_missing, heard.stats.packets_late), (0, 0, 0));
        assert_eq!(clicks(&heard.sound()), 0);
    }
}

#[test]
fn a_change_of_length_is_hardly_heard_and_its_delay_goes_with_it() {
    let holds = |at: Duration| if (at.as_secs() / 15).is_multiple_of(2) { 20 } else { 10 };
    let heard = call(Duration::from_secs(90), holds, |_| Some(10.0), None);
    let stats = heard.stats;
    assert_eq!((stats.packets_missing, stats.packets_late, stats.packets_discarded), (0, 0, 0), "{stats:?}");
    println!("five changes: {:.1} ms concealed", stats.concealed_samples as f64 / 48.0);
    // Twice packets become longer and come 10 ms later for good, which takes the buffer two of them to believe.
    assert!(stats.concealed_samples <= 2 * 20 * 48, "{stats:?}");
    assert_eq!(clicks(&heard.sound()), 0);
    let long = heard.mouth_to_ear(ms(12_000), ms(15_000));
    let short = heard.mouth_to_ear(ms(17_000), ms(30_000));
    assert!(mean(&short) + 7.0 < mean(&long), "{} then {}", mean(&long), mean(&short));
    let again = heard.mouth_to_ear(ms(42_000), ms(45_000));
    assert!((mean(&again) - mean(&long)).abs() < 6.0 && largest(&again) < 50.0, "{} {}", mean(&again), largest(&again));
}

/// The least and the most power that a twentieth of a second has.
fn powers(sound: &[f32]) -> (f32, f32) {
    let power = |piece: &[f32]| piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32;
    sound.windows(2400).step_by(480).map(power).fold((f32::MAX, 0.0), |(least, most), p| (least.min(p), most.max(p)))
}

#[test]
fn a_change_of_length_is_as_loud_as_what_was_before() {
    let by_turns = |at: Duration| if (at.as_secs() / 5).is_multiple_of(2) { 20 } else { 10 };
    let mixed = |at: Duration| [20, 40, 10, 60][at.as_millis() as usize / 20 % 4];
    let plain = powers(&call(Duration::from_secs(30), |_| 20, |_| Some(10.0), None).sound()[48_000..]);
    assert!(plain.0 > 0.01, "a voice that a wary guard would turn down: {plain:?}");
    let mut random = Random(11);
    let changed = powers(&call(Duration::from_secs(30), by_turns, |_| Some(10.0), None).sound()[48_000..]);
    let jumbled = call(Duration::from_secs(30), mixed, |_| Some(30.0 + random.unit() * 5.0), None);
    let jumbled = powers(&jumbled.sound()[2 * 48_000..]);
    println!("as it is {plain:?}, changed {changed:?}, jumbled {jumbled:?}");
    assert!(changed.0 > 0.8 * plain.0 && jumbled.0 > 0.8 * plain.0);
}

#[test]
fn packets_that_hold_more_than_their_place_says_are_turned_down() {
    let (start, mut decoder) = (Instant::now(), Pieces::default());
    let mut buffer = PlayoutBuffer::new(PlayoutSettings::default());
    let mut sound = Vec::new();
    for n in 0..200u64 {
        let (at, now) = (n * 960, start + ms(n * 20));
        // All come 20 ms apart; of some, each is said to be three times as long.
        let holds = if (100..130).contains(&n) { 2880 } else { 960 };
        buffer.push(n as u16, RtpTicks(at as u32), now, piece(at, holds));
        // Two wait behind the one that is played, as where a network trembles.
        if n >= 3 {
            for half in 0..2 {
                sound.extend(buffer.pull(now + ms(half * 10), &mut decoder).samples);
            }
        }
    }
    let power = |from: u64, to: u64| {
        let piece = &sound[(from - 3) as usize * 960..(to - 3) as usize * 960];
        piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32
    };
    println!("before {}, during {}, after {}", power(50, 95), power(110, 125), power(170, 200));
    assert!(power(110, 125) < 0.5 * power(50, 95));
    assert!(power(170, 200) > 0.8 * power(50, 95));
}

#[test]
fn a_change_to_longer_packets_that_is_announced_is_not_heard_at_all() {
    let holds = |at: Duration| if (at.as_secs() / 15).is_multiple_of(2) { 20 } else { 10 };
    for jitter in [0.0, 3.0] {
        let mut random = Random(5);
        let network = |_| Some(10.0 + random.unit() * jitter);
        let heard = announced(Duration::from_secs(90), ms(300), holds, network, None);
        let stats = heard.stats;
        println!("five announced changes: {:.1} ms inserted", stats.inserted_samples as f64 / 48.0);
        assert_eq!((stats.concealed_samples, stats.packets_late), (0, 0), "{stats:?}");
        assert_eq!(clicks(&heard.sound()), 0);
        let short = heard.mouth_to_ear(ms(17_000), ms(29_000));
        let long = heard.mouth_to_ear(ms(32_000), ms(44_000));
        assert!(mean(&short) + 7.0 < mean(&long), "{} then {}", mean(&short), mean(&long));
    }
}

#[test]
fn longer_packets_that_are_announced_are_waited_for() {
    let holds = |at: Duration| if at > ms(9000) { 20 } else { 10 };
    let promised = announced(Duration::from_secs(8), ms(3000), holds, |_| Some(10.0), None);
    assert!(mean(&promised.mouth_to_ear(ms(6500), ms(8000))) > 25.0);
}

#[test]
fn jitter_and_loss_are_hardly_heard_with_packets_of_10_ms() {
    let mut random = Random(7);
    let network = |_| {
        let jitter = (random.unit() + random.unit()) * 15.0;
        (random.unit() >= 0.02).then_some(20.0 + jitter)
    };
    let heard = call(Duration::from_secs(60), |_| 10, network, None);
    let stats = heard.stats;
    println!(
        "{:.2} % concealed, {} of {} missing recovered",
        concealed_pct(&stats),
        stats.fec_recovered,
        stats.packets_missing
    );
    assert!(concealed_pct(&stats) <= 1.0 && stats.fec_recovered * 10 >= stats.packets_missing * 7, "{stats:?}");
    assert!(mean(&heard.mouth_to_ear(ms(5000), ms(60_000))) < 100.0);
    assert_eq!(clicks(&heard.sound()), 0);
}

#[test]
fn copies_of_short_packets_fill_bursts() {
    for lost in 1..=4 {
        let heard = call(Duration::from_secs(30), |_| 10, |n| (n % 50 >= lost).then_some(10.0), Some(lost as usize));
        let concealed = |from: Duration| {
            heard.played.iter().filter(move |(now, played)| *now > from && played.kind == PlayedKind::Concealed).count()
        };
        assert_eq!(concealed(ms(10_000)), 0, "{lost} in a row: {:?}", heard.stats);
        assert!(heard.stats.delay <= ms(10 * lost + 40), "{lost} in a row: {:?}", heard.stats);
    }
}

/// Nearly everything that Opus has.
#[test]
fn any_mixture_of_lengths_is_played_whole() {
    let lengths = [5, 10, 20, 40, 60, 80, 100, 120];
    let mut random = Random(11);
    let heard = call(Duration::from_secs(60), |_| lengths[random.bits() as usize % 8], |_| Some(10.0), None);
    let stats = heard.stats;
    assert_eq!((stats.packets_missing, stats.packets_discarded), (0, 0), "{stats:?}");
    assert!(concealed_pct(&stats) < 2.0, "{} %", concealed_pct(&stats));
    assert_eq!(clicks(&heard.sound()), 0);
}
