// What several files here need.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

// Where everything that is built or fetched for the bench lies; nothing of it is in the repository.
export const BENCH_DIR = process.env.BENCH_DIR || path.join(process.env.HOME, '.cache', 'callbench');

// The WebSocket library, from BENCH_DIR (see README.md).
export function webSocketLibrary() {
    const place = process.env.BENCH_NODE || path.join(BENCH_DIR, 'node');
    return createRequire(path.join(place, 'any.js'))('ws');
}

export const sleep = ms => new Promise(done => setTimeout(done, ms));

// The text of a file, or nothing where there is none.
export function read(file) {
    try {
        return fs.readFileSync(file, 'utf8');
    } catch {
        return '';
    }
}

const rounded = factor => x => (x == null || Number.isNaN(x) ? null : Math.round(x * factor) / factor);

// To one or three places; what is no number becomes null.
export const r1 = rounded(10);
export const r3 = rounded(1000);

export const sum = values => values.reduce((a, b) => a + b, 0);

// The value below which a share of the values lies; null of none.
export function quantile(values, share) {
    const sorted = [...values].sort((x, y) => x - y);
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null;
}

export const median = values => quantile(values, 0.5);

// How often each value occurs, the most frequent first.
export function frequencies(values) {
    const counts = new Map();
    for (const value of values) {
        counts.set(value, (counts.get(value) || 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]);
}
