//! What was carried, as JSON.

use crate::{A_TO_B, B_TO_A, Emulator, Way};
use std::time::{SystemTime, UNIX_EPOCH};
use visavis_link::BIN;

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Counters, lateness of the emulator itself, and bins, for both directions between A and B.
pub(crate) fn json(emulator: &mut Emulator, seed: u64) -> String {
    let started = emulator.started.unwrap_or(0);
    let directions = [("ab", A_TO_B), ("ba", B_TO_A)]
        .map(|(name, way)| format!(",\n\"{name}\":{}", direction(&mut emulator.ways[way])))
        .concat();
    format!(
        "{{\"start_epoch_ms\":{started},\"bin_ms\":{},\"seed\":{seed}{directions},\n\"bin_fields\":[\"in_bytes\",\
         \"out_bytes\",\"out_pkts\",\"queue_drops\",\"lost\",\"queue_ms_max\"]}}\n",
        BIN.as_millis()
    )
}

fn direction(way: &mut Way) -> String {
    way.late_us.sort_unstable();
    let last = way.late_us.len().saturating_sub(1);
    let late = |share: f64| way.late_us.get((last as f64 * share) as usize).copied().unwrap_or(0);
    let total = way.link.figures().total();
    let bins: Vec<String> = way
        .link
        .figures()
        .bins
        .iter()
        .map(|bin| {
            format!(
                "[{},{},{},{},{},{:.1}]",
                bin.in_bytes,
                bin.out_bytes,
                bin.out_packets,
                bin.queue_drops,
                bin.lost,
                bin.queue_max.as_secs_f64() * 1000.0
            )
        })
        .collect();
    format!(
        "{{\"in_pkts\":{},\"in_bytes\":{},\"out_pkts\":{},\"out_bytes\":{},\"queue_drops\":{},\"lost\":{},\
         \"late_us_p50\":{},\"late_us_p99\":{},\"late_us_max\":{},\"final_cfg\":\"{:?}\",\"bins\":[{}]}}",
        total.in_packets,
        total.in_bytes,
        total.out_packets,
        total.out_bytes,
        total.queue_drops,
        total.lost,
        late(0.5),
        late(0.99),
        late(1.0),
        way.link.spec(),
        bins.join(",")
    )
}
