// Who takes part: the server, apps without a window, and guests in a browser; and what is seen of them.
import { spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './browser.mjs';

const [server, program] = process.argv.slice(2);
// A folder for what is written, this machine's address, and a folder for pictures of the page, if any.
export const [tmp, address, pictures] = process.argv.slice(4);
// The port of the server, and of whatever stands before it, if anything does.
export const PORT = 18460;
export const MIDDLE = 18461;
let door = PORT;
// Who comes from now on comes to this port.
export const through = (port) => (door = port);

// Processes to be ended.
export const begun = new Set();
// What is told of them where something fails.
export const apps = [];
export const tabs = [];

export const check = (holds, what) => {
    if (!holds) throw new Error(what);
};

let relay = null;

// Starts the server, anew where there is one.
export async function serve(...options) {
    const before = relay;
    if (before) {
        before.kill('SIGKILL');
        await new Promise((done) => before.on('exit', done));
    }
    const log = openSync(join(tmp, 'server.log'), 'a');
    relay = spawn(server, ['--listen', `0.0.0.0:${PORT}`, ...options], { stdio: ['ignore', 'inherit', log] });
    begun.add(relay);
}

export class App {
    events = [];
    #child;

    constructor(name, options) {
        this.name = name;
        this.report = join(tmp, `${name}.json`);
        const given = ['--wait', '--server', `ws://127.0.0.1:${door}`, '--name', name, '--report', this.report];
        const log = openSync(join(tmp, `${name}.log`), 'a');
        const wishes = ['--size', '640x360', '--fps', '15', ...options];
        this.#child = spawn(program, [...given, ...wishes], { stdio: ['pipe', 'pipe', log] });
        begun.add(this.#child);
        apps.push(this);
        this.ended = new Promise((done) => this.#child.on('exit', done));
        this.#child.stdin.on('error', () => {});
        createInterface({ input: this.#child.stdout }).on('line', (line) => {
            if (line === 'ready') this.events.push({ event: 'ready' });
            if (line.startsWith('{')) this.events.push(JSON.parse(line));
        });
    }

    say(line) {
        this.#child.stdin.write(`${line}\n`);
    }

    // Waits for an event of this kind (and content) that has not been waited for yet.
    async event(kind, matches = () => true) {
        const wanted = (event) => event.event === kind && matches(event) && !event.seen;
        const found = await until(`${this.name}: ${kind}`, () => this.events.find(wanted));
        found.seen = true;
        return found;
    }

    async stop() {
        this.say('stop');
        await this.ended;
        return JSON.parse(readFileSync(this.report, 'utf8'));
    }
}

// An app that has joined, or opened the room where that is asked for.
export async function app(name, ...options) {
    const peer = new App(name, options);
    await peer.event('ready');
    peer.say('join');
    if (options.includes('--open')) await peer.event('joined');
    return peer;
}

// Runs before the page's own scripts: what the tests look at, and a reader of the clock strip.
const EYES = `{
    const made = globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(how, ...more) {
            super({ ...how, iceTransportPolicy: globalThis.policy ?? 'all' }, ...more);
            made.push(this);
        }
    };
    globalThis.stats = async () => Array.from((await made.at(-1).getStats()).values());
    globalThis.strip = () => {
        const video = document.getElementById('remote'), width = video.videoWidth;
        if (!width) return null;
        const canvas = Object.assign(document.createElement('canvas'), { width, height: width / 32 });
        const context = canvas.getContext('2d');
        context.drawImage(video, 0, 0);
        const at = Date.now(), middle = canvas.height >> 1;
        const bit = (i) => {
            const [r, g, b] = context.getImageData(Math.floor((i + 0.5) * width / 32), middle, 1, 1).data;
            return r + g + b > 384 ? 1 : 0;
        };
        let ms = 0, crc = 0, sum = 0xff;
        for (let i = 0; i < 24; i++) ms = ms * 2 + bit(i);
        for (let i = 24; i < 32; i++) crc = crc * 2 + bit(i);
        for (const byte of [ms >> 16, (ms >> 8) & 255, ms & 255]) {
            sum ^= byte;
            for (let i = 0; i < 8; i++) sum = sum & 128 ? ((sum << 1) ^ 7) & 255 : sum << 1;
        }
        return sum === crc ? (at - ms + 2 ** 25) % 2 ** 24 : null;
    };
}`;

// The link.
export const url = (code = '', host = 'localhost') => `http://${host}:${door}/${code && `#${code}`}`;
// Looks at the page, as expressions in it.
export const visible = (id) => `document.getElementById('${id}').getClientRects().length > 0`;
// What the page says about the end of a call, once it is over.
export const ending = async (tab) => {
    await tab.until('the end of the call', visible('ended'));
    return tab.text('#ended-title');
};
export const stat = (type, kind, field) =>
    `stats().then((all) => all.find((s) => s.type === '${type}' && s.kind === '${kind}')?.${field})`;

// Waits until something on the page says these words.
export const reads = (tab, selector, words) =>
    tab.until(
        `“${words}” in ${selector}`,
        `document.querySelector(${JSON.stringify(selector)}).textContent.includes(${JSON.stringify(words)})`,
    );

// Keeps a picture of the page, where pictures are wanted.
export async function picture(tab, name) {
    if (pictures) writeFileSync(join(pictures, `${name}.png`), await tab.picture());
}

export async function newTab(browser, how = {}) {
    const tab = await browser.tab({ before: EYES, ...how });
    tabs.push(tab);
    return tab;
}

// A guest who opens the link and presses Join.
export async function guest(browser, code, name, how = {}) {
    const tab = await newTab(browser, how);
    await tab.open(url(code));
    await tab.type('#name', name);
    if (how.allowed !== false && how.camera !== false) {
        await tab.until('a picture of oneself', 'document.getElementById("preview").videoWidth > 0');
    }
    await tab.press('#enter');
    await tab.until('the call', visible('call'));
    return tab;
}

// The verification number, once there is one.
export const connected = (tab) => tab.until('the call to stand', 'document.getElementById("verification").textContent');
export const waits = (tab) => reads(tab, '#remote-words', 'Nobody is there');

// Median age of what is shown, in ms, from the strip in it.
export async function pictureAge(tab) {
    const ages = [];
    await until('readable strips in the page', async () => {
        const age = await tab.run('strip()');
        if (age !== null) ages.push(age);
        return ages.length >= 10;
    });
    return ages.sort((a, b) => a - b)[5];
}

const decoded = async (tab) => (await tab.run(stat('inbound-rtp', 'video', 'framesDecoded'))) ?? 0;

export async function goesOn(tab) {
    const before = await decoded(tab);
    await until('more pictures in the page', async () => (await decoded(tab)) > before + 10);
}

export function noTrouble(tab) {
    check(tab.troubles.length === 0, `the page is in trouble: ${tab.troubles.join(' | ')}`);
}
