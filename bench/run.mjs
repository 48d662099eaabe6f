// One call on one link, from making the namespaces to the result.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Account, busySeconds, killTrees, loadAverage, processes } from './accounting.mjs';
import { analyse, joinTimes } from './analysis.mjs';
import { cleanUp, inNamespace, makeGroups, NAMESPACES, removeGroups, startPeer } from './peers.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { r3, read, sleep, sum } from './tools.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
// Opening devices, warming up: what does not count.
const WARM_UP_MS = 3000;
// A is there and waits before B comes.
const A_BEFORE_B_MS = 1500;

async function startEmulator(scenario, dir, options, rep) {
    const names = Object.values(NAMESPACES).join(',');
    const emulator = spawn(
        options.emu,
        [
            ...['--ns', names, '--log', `${dir}/link.json`, '--seed', String(options.seed + rep)],
            ...['--sig-delay', String(scenario.sig), ...scenario.emu],
        ],
        { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    await new Promise((ready, failed) => {
        emulator.stdout.on('data', text => /ready/.test(text) && ready());
        emulator.on('error', failed);
        emulator.on('exit', () => failed(new Error('linkemu ended')));
    });
    return emulator;
}

function startServer(command, dir) {
    const [out, err] = ['w', 'a'].map(flags => fs.openSync(`${dir}/server.log`, flags));
    return command ? inNamespace('S', ['sh', '-c', `exec ${command}`], { stdio: ['ignore', out, err] }) : null;
}

// What the relay tells, and waiting for it.
class News {
    constructor(stream) {
        this.all = [];
        this.waiting = new Set();
        readline.createInterface({ input: stream }).on('line', line => {
            this.all.push(JSON.parse(line));
            this.waiting.forEach(look => look());
        });
    }

    has(kind, peer, field) {
        return this.all.some(n => n.ev === kind && (!peer || n.peer === peer) && (!field || n.data?.[field]));
    }

    both(kind, field) {
        return this.has(kind, 'A', field) && this.has(kind, 'B', field);
    }

    results() {
        return Object.fromEntries(this.all.filter(n => n.ev === 'result').map(n => [n.peer, n.data]));
    }

    until(holds, limitMs, what) {
        return new Promise((done, failed) => {
            const look = () => {
                if (holds()) {
                    clearTimeout(timer);
                    this.waiting.delete(look);
                    done();
                }
            };
            const timer = setTimeout(() => {
                this.waiting.delete(look);
                failed(new Error(`timeout: ${what}`));
            }, limitMs);
            this.waiting.add(look);
            look();
        });
    }
}

// Watches CPU and memory for as long as the call is measured.
async function measure(seconds, accounts, own) {
    let all = processes();
    accounts.forEach(account => {
        account.sample(all, true);
        account.start();
    });
    const busy = busySeconds();
    const ownBefore = own.map(pid => all.get(pid)?.cpu || 0);
    const begun = performance.now();
    for (let second = 1; second <= seconds; second++) {
        await sleep(Math.max(0, begun + second * 1000 - performance.now()));
        all = processes();
        accounts.forEach(account => account.sample(all, second % 10 === 5));
    }
    const wall = (performance.now() - begun) / 1000;
    const [linkemu, ...harness] = own.map((pid, i) => (all.get(pid)?.cpu || 0) - ownBefore[i]);
    const [a, b] = accounts.map(account => account.cpu);
    const total = busySeconds() - busy;
    return {
        cpu_A: r3(a / wall),
        cpu_B: r3(b / wall),
        cpu_linkemu: r3(linkemu / wall),
        cpu_relay_harness: r3(sum(harness) / wall),
        cpu_total: r3(total / wall),
        cpu_others: r3((total - a - b - linkemu - sum(harness)) / wall),
        cpu_split_A: accounts[0].split(wall),
        peak_rss_mb: accounts.map(account => Math.round(account.rss / 1e6)),
        peak_pss_mb: accounts.map(account => Math.round(account.pss / 1e6)),
        procs: accounts.map(account => account.count),
    };
}

function withoutBins(direction) {
    const { bins, final_cfg, ...rest } = direction;
    return rest;
}

function figures(raw, link, begun, seconds, scenario, options) {
    const common = { begun, seconds, scenario, fullWidth: options.width };
    return {
        join: { A: joinTimes(raw.A), B: joinTimes(raw.B) },
        a_to_b: analyse({ tx: raw.A, rx: raw.B, link: link.ab, ...common }),
        b_to_a: analyse({ tx: raw.B, rx: raw.A, link: link.ba, ...common }),
        errors: [...raw.A.errors, ...raw.B.errors],
    };
}

// The call itself; fills `accounts` and `result` as it goes.
async function call({ name, rep, dir, options, emulator, relay, news, accounts, result }) {
    const seconds = Number(options.secs || SCENARIOS[name].secs);
    await news.until(() => news.has('listening'), 10000, 'relay');
    for (const peer of ['A', 'B']) {
        accounts.push(new Account(startPeer(peer, dir, options).pid));
    }
    await news.until(() => news.both('hello'), 90000, 'hello from both peers');
    await sleep(WARM_UP_MS);
    relay.stdin.write('go A\n');
    await sleep(A_BEFORE_B_MS);
    relay.stdin.write('go B\n');
    await news.until(() => news.both('status', 'connected'), 60000, 'connection');
    emulator.stdin.write('start\n');
    const begun = Date.now();
    const loadBefore = loadAverage();
    const machine = await measure(seconds, accounts, [emulator.pid, relay.pid, process.pid]);
    relay.stdin.write('stop A\nstop B\n');
    await news.until(() => news.both('result'), 30000, 'results').catch(error => {
        result.error = error.message;
    });
    const { codec, size, content, src, probe, nice, shares, rt } = options;
    Object.assign(result, { scenario: name, codec, size, content, src, probe, nice, shares, rt, secs: seconds });
    Object.assign(result, { load_start: loadBefore, load_end: loadAverage(), date: new Date(begun).toISOString() });
    result.machine = machine;
    killTrees(accounts);
    emulator.stdin.write('quit\n');
    await new Promise(done => emulator.on('exit', done));
    const link = JSON.parse(read(`${dir}/link.json`));
    result.link = { ab: withoutBins(link.ab), ba: withoutBins(link.ba) };
    const raw = news.results();
    if (raw.A && raw.B) {
        Object.assign(result, figures(raw, link, begun, seconds, name, options));
    }
    fs.writeFileSync(`${dir}/result.json`, JSON.stringify(result));
    if (options.keepRaw) {
        fs.writeFileSync(`${dir}/raw.json`, JSON.stringify({ raw, link, tStart: begun }));
    }
}

// Runs a scenario once; the result holds `error` where it went wrong.
export async function run(name, rep, options) {
    const label = options.label ? `${options.label}-` : '';
    const tag = `${label}${name}-${options.codec}-${options.size}-${rep}`;
    const dir = path.join(options.out, tag);
    fs.rmSync(dir, { recursive: true, force: true });
    fs.mkdirSync(dir, { recursive: true });
    const emulator = await startEmulator(SCENARIOS[name], dir, options, rep);
    const relay = inNamespace('S', ['node', `${HERE}/relay.mjs`, '8080', HERE], { stdio: ['pipe', 'pipe', 'inherit'] });
    const server = startServer(options.server, dir);
    makeGroups(options.shares);
    const news = new News(relay.stdout);
    const [accounts, result] = [[], { run: tag }];
    try {
        await call({ name, rep, dir, options, emulator, relay, news, accounts, result });
    } catch (error) {
        result.error = error.message;
    } finally {
        killTrees(accounts);
        [relay, emulator].forEach(child => child.stdin.end());
        server?.kill();
        await sleep(1500);
        removeGroups(options.shares);
        cleanUp(dir);
    }
    return result;
}
