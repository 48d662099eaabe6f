//! What this process used, from Linux's `/proc`.

use anyhow::Context;
use std::time::Instant;
use visavis_capture::Content;
use visavis_capture::pattern::Pattern;
use visavis_media::Size;

/// CPU seconds of all threads so far.
pub(crate) fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
    // Fields 14 and 15 of the file: utime and stime (proc(5)), in USER_HZ, which is 100 on every Linux.
    Ok((ticks(11).context("utime")? + ticks(12).context("stime")?) / 100.0)
}

/// A line of `/proc/self/status`, its number.
///
/// # Errors
/// Where there is no such line.
pub(crate) fn status(name: &'static str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).context(name)?;
    line.trim().trim_end_matches(" kB").parse().context(name)
}

/// Most memory that was resident, in MB.
pub(crate) fn peak_rss_mb() -> anyhow::Result<f64> {
    Ok(status("VmHWM")? / 1000.0)
}

/// Seconds that drawing one picture of the pattern takes: a camera's work, not a call's.
pub(crate) fn pattern_cost(size: Size) -> f64 {
    let pattern = Pattern::new(Content::Cam, size);
    let mut costs: Vec<f64> = (0..31)
        .map(|i| {
            let begun = Instant::now();
            let _ = pattern.picture_at(1.7e12 + 33.3 * f64::from(i));
            begun.elapsed().as_secs_f64()
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}
