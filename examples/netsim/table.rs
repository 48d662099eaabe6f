//! The figures as a table for people.

use serde_json::Value;

/// Heading, width, and where the figure lies in one direction's figures.
const COLUMNS: [(&str, usize, &str); 12] = [
    ("lat p50", 8, "/latency_ms/p50"),
    ("p95", 7, "/latency_ms/p95"),
    ("max", 7, "/latency_ms/max"),
    ("fps", 6, "/fps"),
    ("gaps", 5, "/gaps_150"),
    ("gap s", 6, "/gaps_150_s"),
    ("kbps", 7, "/kbps"),
    ("width", 6, "/width_last_10s"),
    ("full s", 7, "/s_to_full_size"),
    ("conc %", 7, "/audio/concealed_pct"),
    ("buf ms", 7, "/audio/buffer_ms"),
    ("lips", 6, "/lip_sync_ms/p50"),
];

/// What is told of a link that changes.
const CHANGE: [(&str, &str); 8] = [
    ("latency before", "latency_before_ms"),
    ("peak", "latency_peak_ms"),
    ("from 3 s on", "latency_after_3s_ms"),
    ("at most", "latency_max_after_3s_ms"),
    ("freezes", "freezes"),
    ("seconds of them", "freezes_s"),
    ("kbps before", "kbps_before"),
    ("s to 80 % again", "s_to_80_pct"),
];

fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => match number.as_f64() {
            Some(number) if number.fract() != 0.0 => {
                if number.abs() < 20.0 {
                    format!("{number:.2}")
                } else {
                    format!("{number:.0}")
                }
            }
            Some(number) => format!("{number:.0}"),
            None => number.to_string(),
        },
        _ => "-".to_owned(),
    }
}

/// The line above the rows.
pub(crate) fn heading() -> String {
    let columns: String = COLUMNS.iter().map(|(name, width, _)| format!("{name:>width$}")).collect();
    format!("{:10} {:4}{:>8}{columns}{:>7}", "scenario", "", "join ms", "cores")
}

/// Both directions of one call.
pub(crate) fn rows(result: &Value) -> String {
    let mut lines = Vec::new();
    for (way, name) in [("a_to_b", "A>B"), ("b_to_a", "B>A")] {
        let first = way == "a_to_b";
        let whole = |key: &str| if first { cell(result.get(key)) } else { String::new() };
        let direction = &result[way];
        let columns: String =
            COLUMNS.iter().map(|(_, width, path)| format!("{:>width$}", cell(direction.pointer(path)))).collect();
        let scenario = if first { result["scenario"].as_str().unwrap_or_default() } else { "" };
        let (join, cores) = (whole("join_to_first_frame_ms"), whole("cpu_s_per_s"));
        lines.push(format!("{scenario:10} {name:4}{join:>8}{columns}{cores:>7}"));
        if let Some(change) = direction.get("change") {
            let told = CHANGE.map(|(name, key)| format!("{name} {}", cell(change.get(key)))).join(", ");
            lines.push(format!("{:15}when the link changed: {told}", ""));
        }
    }
    lines.join("\n")
}
