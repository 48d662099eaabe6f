// From what peers and the emulator report to the figures of one direction. See "Result of a run" in README.md.

import { frequencies, median, quantile, r1, r3, sum } from './tools.mjs';

// A call has found its way after this time; what comes before is not counted.
const SETTLING_S = 5;
// A longer time between two pictures is seen as a gap.
const GAP_MS = 150;
// Bins of the emulator's log.
const BIN_S = 0.5;
const [IN_BYTES, OUT_BYTES, , DROPS, LOST, QUEUE_MS] = [0, 1, 2, 3, 4, 5];

const latency = frame => frame.submitted - frame.capture;
const size = frame => `${frame.width}x${frame.height}`;

// Milliseconds between "join" and the stages of the connection. A is there first and waits: B's clock counts.
export function joinTimes({ t }) {
    const since = at => (at == null ? null : r1(at - t.join));
    return {
        to_ice_ms: since(t.ice),
        to_dtls_ms: since(t.dtls),
        to_first_frame_ms: since(t.first_frame),
        from_peer_joined_to_ice_ms: t.peer_joined ? r1(t.ice - t.peer_joined) : null,
    };
}

// Rows of a peer's report as objects, in order of their showing, each captured picture once.
function framesOf(report) {
    const seen = new Map();
    for (const [capture, submitted, onDisplay, lastPacket, width, height, count] of report.frames) {
        if (!seen.has(capture)) {
            seen.set(capture, { capture, submitted, onDisplay, lastPacket, width, height, count });
        }
    }
    return [...seen.values()].sort((a, b) => a.submitted - b.submitted);
}

function gapsBetween(frames) {
    const times = frames.map(frame => frame.submitted);
    return times.slice(1).map((at, i) => at - times[i]).filter(gap => gap > GAP_MS);
}

// The same, and one that the end of the window cuts off.
function gapsIn(frames, from, to) {
    if (!frames.length) {
        return [to - from];
    }
    const last = to - frames.at(-1).submitted;
    return last > GAP_MS ? [...gapsBetween(frames), last] : gapsBetween(frames);
}

const bytesToKbps = (bytes, seconds) => (bytes * 8) / 1000 / seconds;
const kbps = (bins, column) => bytesToKbps(sum(bins.map(bin => bin[column])), bins.length * BIN_S);

function pictureFigures(frames, all, tx, rx, { from, to, fullWidth }) {
    const seconds = (to - from) / 1000;
    const latencies = frames.map(latency);
    const displayed = frames.filter(frame => frame.onDisplay != null);
    const traced = frames.filter(frame => frame.lastPacket != null);
    const counted = frames.filter(frame => frame.count != null);
    const gaps = gapsIn(frames, from, to);
    const probed = r1(frames.length / seconds);
    const full = Math.max(...tx.stats.map(s => s['media-source.video']?.width || 0), 0) || fullWidth;
    const firstFull = all.find(frame => frame.width >= full);
    const shares = frequencies(frames.map(size)).map(([s, n]) => `${s}:${Math.round((100 * n) / frames.length)}%`);
    return {
        lat_med: r1(median(latencies)),
        lat_p95: r1(quantile(latencies, 0.95)),
        lat_max: r1(quantile(latencies, 1)),
        // Who draws nothing does not know when it would be on a display.
        lat_display_med: r1(median(displayed.map(frame => frame.onDisplay - frame.capture))),
        capture_to_last_packet_med: r1(median(traced.map(frame => frame.lastPacket - frame.capture))),
        last_packet_to_submit_med: r1(median(traced.map(frame => frame.submitted - frame.lastPacket))),
        fps_probed: probed,
        // Frames shown; the probe may miss some under load.
        fps: counted.length > 1 ? r1((counted.at(-1).count - counted[0].count) / seconds) : probed,
        gaps_150: gaps.length,
        gaps_150_total_s: r3(sum(gaps) / 1000),
        gap_max_ms: r1(Math.max(0, ...gaps)),
        resolution: shares.join(' '),
        mpix_per_s: r1(sum(frames.map(frame => frame.width * frame.height)) / 1e6 / seconds),
        s_to_full_res: firstFull ? r1((firstFull.submitted - rx.t.ice) / 1000) : null,
        res_last_10s: frequencies(frames.filter(frame => frame.submitted > to - 10000).map(size))[0]?.[0],
        strips_bad: rx.bad_strips,
        rvfc: rx.rvfc_calls,
        presented: rx.presented,
        drawn_by_sender: tx.drawn,
    };
}

function wireFigures(bins, seconds) {
    const wire = bins.slice(SETTLING_S / BIN_S, Math.min(bins.length, seconds / BIN_S));
    return {
        wire_kbps: Math.round(kbps(wire, OUT_BYTES)),
        wire_in_kbps: Math.round(kbps(wire, IN_BYTES)),
        queue_ms_max: r1(Math.max(0, ...wire.map(bin => bin[QUEUE_MS]))),
        queue_drops: sum(wire.map(bin => bin[DROPS])),
        lost: sum(wire.map(bin => bin[LOST])),
    };
}

// What the receiver says of itself, between the first and the last of these snapshots.
function receiverFigures(stats, rx) {
    const [first, last] = [stats[0], stats.at(-1)];
    if (!first || !last) {
        return {};
    }
    const [video, audio] = ['inbound-rtp.video', 'inbound-rtp.audio'];
    const grown = (kind, field) => (last[kind]?.[field] ?? NaN) - (first[kind]?.[field] ?? NaN);
    const rate = kind => Math.round(bytesToKbps(grown(kind, 'bytesReceived'), (last.t - first.t) / 1000));
    const buffered = kind => r1((1000 * grown(kind, 'jitterBufferDelay')) / grown(kind, 'jitterBufferEmittedCount'));
    const share = field => r3((100 * grown(audio, field)) / grown(audio, 'totalSamplesReceived'));
    return {
        video_kbps: rate(video),
        audio_kbps: rate(audio),
        freezeCount: last[video]?.freezeCount,
        totalFreezesDuration: last[video]?.totalFreezesDuration,
        video_jb_ms: buffered(video),
        audio_jb_ms: buffered(audio),
        audio_concealed_pct: share('concealedSamples'),
        audio_silent_concealed_pct: share('silentConcealedSamples'),
        decode_ms: r3((1000 * grown(video, 'totalDecodeTime')) / grown(video, 'framesDecoded')),
        nack: grown(video, 'nackCount'),
        pli: grown(video, 'pliCount'),
        keyframes: grown(video, 'keyFramesDecoded'),
        decoder: last[video]?.decoderImplementation,
        codec: rx.codecs?.[last[video]?.codecId]?.mimeType,
    };
}

function senderFigures(stats) {
    const kind = 'outbound-rtp.video';
    const [first, last] = [stats[0]?.[kind], stats.at(-1)?.[kind]];
    if (!first || !last) {
        return {};
    }
    const frames = last.framesEncoded - first.framesEncoded;
    const reasons = stats.map(s => s[kind]?.qualityLimitationReason).filter(Boolean);
    const trips = stats.map(s => s['candidate-pair']?.currentRoundTripTime).filter(trip => trip != null);
    return {
        encode_ms: r3((1000 * (last.totalEncodeTime - first.totalEncodeTime)) / frames),
        sent_fps: r1(frames / ((stats.at(-1).t - stats[0].t) / 1000)),
        encoder: last.encoderImplementation,
        limited_s: Object.fromEntries(frequencies(reasons)),
        rtt_ms: r1(1000 * median(trips)),
    };
}

// Offered rate over the second that ends with this bin, kbit/s.
const offeredUpTo = (bins, i) => (i >= 1 ? kbps(bins.slice(i - 1, i + 1), IN_BYTES) : 0);

// Seconds until 90 % of the final rate are first reached over a second.
function rampUp(bins, lastBin) {
    const final = offeredUpTo(bins, Math.min(bins.length - 1, lastBin));
    const reached = bins.findIndex((_, i) => i >= 1 && offeredUpTo(bins, i) >= 0.9 * final);
    return reached < 0 ? null : (reached + 1) * BIN_S;
}

// The scenario `step`: 3 Mbit/s, from DROP_S on 500 kbit/s, from RISE_S on 3 Mbit/s again.
const [DROP_S, RISE_S] = [15, 35];

function stepFigures(frames, bins, begun, seconds) {
    const at = (from, to) =>
        frames.filter(frame => frame.submitted >= begun + from * 1000 && frame.submitted < begun + to * 1000);
    const binsAt = (from, to) => bins.slice(from / BIN_S, to / BIN_S);
    const usual = (from, to) => median(at(from, to).map(latency));
    const before = usual(8, DROP_S);
    // By medians of a second; as long as the whole low phase: never.
    let unsettled = 0;
    for (let second = DROP_S; second < RISE_S; second++) {
        const now = usual(second, second + 1);
        if (now == null || now > before + 100) {
            unsettled = second + 1 - DROP_S;
        }
    }
    let queued = 0;
    binsAt(DROP_S, RISE_S).forEach((bin, i) => {
        if (bin[QUEUE_MS] > 100) {
            queued = (i + 1) * BIN_S;
        }
    });
    const rateBefore = kbps(binsAt(10, DROP_S), IN_BYTES);
    let recovery = null;
    for (let i = RISE_S / BIN_S + 1; i < Math.min(bins.length, seconds / BIN_S) && recovery == null; i++) {
        if (offeredUpTo(bins, i) >= 0.8 * rateBefore) {
            recovery = (i + 1) * BIN_S - RISE_S;
        }
    }
    const freezes = gapsBetween(at(DROP_S - 0.5, RISE_S));
    return {
        lat_before_ms: r1(before),
        lat_peak_ms: r1(Math.max(...at(DROP_S, RISE_S).map(latency))),
        s_until_latency_within_100ms_for_good: r1(unsettled),
        s_until_queue_below_100ms_for_good: r1(queued),
        queue_peak_ms: r1(Math.max(...binsAt(DROP_S, RISE_S).map(bin => bin[QUEUE_MS]))),
        drops: sum(binsAt(DROP_S, RISE_S).map(bin => bin[DROPS])),
        lat_low_med: r1(usual(25, RISE_S)),
        lat_after_3s_med: r1(usual(DROP_S + 3, RISE_S)),
        wire_kbps_low: Math.round(kbps(binsAt(25, RISE_S), OUT_BYTES)),
        freezes_down: freezes.length,
        freezes_down_s: r3(sum(freezes) / 1000),
        kbps_before: Math.round(rateBefore),
        s_to_recover_80pct: recovery,
        kbps_last_5s: Math.round(kbps(binsAt(seconds - 5, seconds), IN_BYTES)),
        fps_low: r1(at(25, RISE_S).length / 10),
    };
}

// tx, rx: reports of sender and receiver; link: one direction of the emulator's log; begun: Unix ms at which the
// emulator's time began; fullWidth: of the camera's picture.
export function analyse({ tx, rx, link, begun, seconds, scenario, fullWidth }) {
    const [from, to] = [begun + SETTLING_S * 1000, begun + seconds * 1000];
    const all = framesOf(rx);
    const frames = all.filter(frame => frame.submitted >= from && frame.submitted < to);
    const counted = stats => stats.filter(snapshot => snapshot.t >= from - 500);
    const stepped = scenario === 'step' && seconds > RISE_S;
    return {
        impl: `${tx.impl} -> ${rx.impl}`,
        ...pictureFigures(frames, all, tx, rx, { from, to, fullWidth }),
        ...wireFigures(link.bins, seconds),
        ...receiverFigures(counted(rx.stats), rx),
        ...senderFigures(counted(tx.stats)),
        ...(stepped ? { step: stepFigures(all, link.bins, begun, seconds) } : {}),
        ramp_to_90pct_s: rampUp(link.bins, scenario === 'step' ? 28 : seconds / BIN_S - 2),
    };
}
