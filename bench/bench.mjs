// Calls between two peers, browsers or any commands, over an emulated link, measured. Prints one line of JSON for each
// run and a table. README.md says what is needed and what the figures mean.
//
//   node bench.mjs [--scenarios clean,rtt100,…] [--codec VP8|H264] [--size 1280x720]
//       [--peer-a browser|COMMAND] [--peer-b browser|COMMAND] [--server COMMAND]
//       [--content cam|pan] [--src i420|canvas] [--probe vf|canvas|none] [--secs N] [--reps N] [--seed N]
//       [--rt 0|1] [--nice N] [--shares N] [--label TEXT] [--out DIR] [--emu FILE] [--keep-raw]

import fs from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { table } from './table.mjs';
import { BENCH_DIR, read } from './tools.mjs';

const DEFAULTS = {
    scenarios: Object.keys(SCENARIOS).join(','),
    codec: 'VP8',
    size: '1280x720',
    'peer-a': 'browser',
    'peer-b': 'browser',
    server: '',
    content: 'cam',
    src: 'i420',
    probe: 'vf',
    secs: 0,
    reps: 1,
    seed: 1,
    rt: 0,
    nice: 0,
    shares: 0,
    label: '',
    out: path.join(BENCH_DIR, 'runs'),
    emu: path.join(BENCH_DIR, 'target', 'release', 'linkemu'),
    keepRaw: false,
};

function giveUp(why) {
    console.error(why);
    process.exit(2);
}

function readOptions(words) {
    const options = { ...DEFAULTS };
    while (words.length) {
        const name = words.shift().replace(/^--/, '');
        if (name === 'keep-raw') {
            options.keepRaw = true;
        } else if (!(name in DEFAULTS) || !words.length) {
            giveUp(`--${name}: there is no such option, or it lacks its value`);
        } else {
            const value = words.shift();
            options[name] = typeof DEFAULTS[name] === 'number' ? Number(value) : value;
        }
    }
    [options.width, options.height] = options.size.split('x').map(Number);
    const unknown = options.scenarios.split(',').find(name => !SCENARIOS[name]);
    if (unknown) {
        giveUp(`there is no scenario ${unknown}; there are ${DEFAULTS.scenarios}`);
    }
    return options;
}

// Peers take turns quickly while both have real-time priority; put back at the end.
function shortenTimeSlices() {
    const file = '/proc/sys/kernel/sched_rr_timeslice_ms';
    const before = read(file).trim();
    fs.writeFileSync(file, '2');
    process.on('exit', () => fs.writeFileSync(file, before));
    ['SIGINT', 'SIGTERM'].forEach(signal => process.on(signal, () => process.exit(1)));
}

const options = readOptions(process.argv.slice(2));
// Peers find what is built there, too.
process.env.BENCH_DIR = BENCH_DIR;
if (options.rt) {
    shortenTimeSlices();
}
fs.mkdirSync(options.out, { recursive: true });
const results = [];
for (let rep = 1; rep <= options.reps; rep++) {
    for (const name of options.scenarios.split(',')) {
        const result = await run(name, rep, options);
        results.push(result);
        console.log(JSON.stringify(result));
    }
}
console.log(table(results));
fs.appendFileSync(`${options.out}/all.jsonl`, results.map(result => `${JSON.stringify(result)}\n`).join(''));
process.exit(0);
