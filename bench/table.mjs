// Results as a table for people.

const HEADINGS = [
    ...['run', 'dir', 'first fr ms', 'lat med', 'p95', 'max', 'fps', 'gaps>150', 'gap s', 'wire kbps', 'res', 'jbV'],
    ...['jbA', 'conceal%', 'enc ms', 'cpu A+B', 'others', 'pss MB'],
];

function directionRow(result, name, figures) {
    // What holds for both directions is told once.
    const once = value => (name === 'A>B' ? value : '');
    const { machine } = result;
    return [
        ...[result.run, name, once(result.join.B.to_first_frame_ms), figures.lat_med, figures.lat_p95],
        ...[figures.lat_max, figures.fps, figures.gaps_150, figures.gaps_150_total_s, figures.wire_kbps],
        ...[figures.resolution.split(' ')[0], figures.video_jb_ms, figures.audio_jb_ms, figures.audio_concealed_pct],
        ...[figures.encode_ms, once(`${machine.cpu_A}+${machine.cpu_B}`), once(machine.cpu_others)],
        once(machine.peak_pss_mb.join('+')),
    ];
}

function rowsOf(result) {
    const rows = result.error ? [[result.run, `ERROR ${result.error}`]] : [];
    for (const [name, figures] of [['A>B', result.a_to_b], ['B>A', result.b_to_a]]) {
        if (figures) {
            rows.push(directionRow(result, name, figures));
        }
    }
    return rows;
}

export function table(results) {
    const rows = [HEADINGS, ...results.flatMap(rowsOf)].map(row => row.map(cell => String(cell ?? '')));
    const widths = HEADINGS.map((_, i) => Math.max(...rows.map(row => (row[i] ?? '').length)));
    return rows.map(row => row.map((cell, i) => cell.padEnd(widths[i])).join('  ')).join('\n');
}
