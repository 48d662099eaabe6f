// Guests in a browser against headless peers and against each other: node guest.mjs SERVER PEER FOLDER ADDRESS [PICTURES]
//
// To be run in a network of its own (see 60-guest.sh), where ADDRESS is this machine's. Pictures of the page are written
// to the folder PICTURES where that is given. VISAVIS_GUEST_ASSETS=assets/guest takes the page's files from there, and
// VISAVIS_GUEST_ONLY=NAME,… runs some of the cases only.
import { execFileSync, spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Browser, until } from './browser.mjs';

const [server, program, tmp, address, pictures] = process.argv.slice(2);
const PORT = 18460;
const CODES = ['velvet-canyon-orbit-zero', 'abandon-abandon-abandon-absurd', 'zoo-zoo-zoo-wreck'];
const FAKE = ['--use-fake-device-for-media-stream'];
const NAMES_FOR_ADDRESSES = 'WebRtcHideLocalIpsWithMdns';

// One packet in twenty, of those that arrive.
const LOSS = `table ip loss {
    chain arriving {
        type filter hook input priority filter;
        meta l4proto udp numgen random mod 100 < 5 drop
    }
}
`;

const check = (holds, what) => {
    if (!holds) throw new Error(what);
};
const begun = new Set();
// What is told of them where something fails.
const apps = [];
const tabs = [];

// Starts the server, anew where there is one.
async function serve() {
    const before = relay;
    if (before) {
        before.kill('SIGKILL');
        await new Promise((done) => before.on('exit', done));
    }
    const log = openSync(join(tmp, 'server.log'), 'a');
    relay = spawn(server, ['--listen', `0.0.0.0:${PORT}`], { stdio: ['ignore', 'inherit', log] });
    begun.add(relay);
}

// ---- the app

class App {
    events = [];
    #child;

    constructor(name, options) {
        this.name = name;
        this.report = join(tmp, `${name}.json`);
        const given = ['--wait', '--server', `ws://127.0.0.1:${PORT}`, '--name', name, '--report', this.report];
        const log = openSync(join(tmp, `${name}.log`), 'a');
        this.#child = spawn(program, [...given, '--size', '640x360', '--fps', '15', ...options], { stdio: ['pipe', 'pipe', log] });
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
        const found = await until(`${this.name}: ${kind}`, () => this.events.find((e) => e.event === kind && matches(e) && !e.seen));
        found.seen = true;
        return found;
    }

    async stop() {
        this.say('stop');
        await this.ended;
        return JSON.parse(readFileSync(this.report, 'utf8'));
    }
}

async function app(name, ...options) {
    const peer = new App(name, options);
    await peer.event('ready');
    peer.say('join');
    if (options.includes('--open')) await peer.event('joined');
    return peer;
}

// ---- the page

// Runs before the page's own scripts: what the tests look at, and a reader of the clock strip.
const EYES = `{
    const made = globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...how) { super(...how); made.push(this); }
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

const url = (code = '', host = 'localhost') => `http://${host}:${PORT}/${code && `#${code}`}`;
const visible = (id) => `!document.getElementById('${id}').hidden && document.getElementById('${id}').offsetParent !== null`;
const ending = async (tab) => {
    await tab.until('the end of the call', visible('ended'));
    return tab.text('#ended-title');
};
const stat = (type, kind, field) => `stats().then((all) => all.find((s) => s.type === '${type}' && s.kind === '${kind}')?.${field})`;

async function picture(tab, name) {
    if (pictures) writeFileSync(join(pictures, `${name}.png`), await tab.picture());
}

async function newTab(browser, how = {}) {
    const tab = await browser.tab({ before: EYES, ...how });
    tabs.push(tab);
    return tab;
}

// A guest who opens the link and presses Join.
async function guest(browser, code, name, how = {}) {
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

const connected = (tab) => tab.until('the call to stand', 'document.getElementById("verification").textContent');
const waits = (tab) => tab.until('the page to wait', '/Nobody is there/.test(document.getElementById("remote-words").textContent)');

// Median age of what is shown, in ms, from the strip in it.
async function pictureAge(tab) {
    const ages = [];
    await until('readable strips in the page', async () => {
        const age = await tab.run('strip()');
        if (age !== null) ages.push(age);
        return ages.length >= 10;
    });
    return ages.sort((a, b) => a - b)[5];
}

const decoded = async (tab) => (await tab.run(stat('inbound-rtp', 'video', 'framesDecoded'))) ?? 0;

async function goesOn(tab) {
    const before = await decoded(tab);
    await until('more pictures in the page', async () => (await decoded(tab)) > before + 10);
}

function noTrouble(tab) {
    check(tab.troubles.length === 0, `the page is in trouble: ${tab.troubles.join(' | ')}`);
}

// ---- what is tried

const cases = {
    // The app is first; picture, sound, chat and states both ways; then the tab is closed.
    async app_first({ browser }) {
        const ann = await app('ann', '--open', '--room', CODES[0], '--microphone', 'speech', '--speaker', `file:${join(tmp, 'heard.wav')}`);
        const tab = await guest(browser, CODES[0], 'Guest Zoë');
        const shown = await connected(tab);
        const { verification } = await ann.event('connected');
        check(shown === verification && /^(\d{5} ){4}\d{5}$/.test(shown), `verification numbers ${shown} and ${verification}`);
        await ann.event('first-frame');
        const age = await pictureAge(tab);
        check(age < 1500, `the picture in the page is ${age} ms old`);
        const codec = await tab.run(`stats().then((all) => { const rtp = all.find((s) => s.type === 'outbound-rtp' && s.kind === 'video');
            const codec = all.find((s) => s.id === rtp.codecId); return codec.mimeType + ' ' + codec.sdpFmtpLine; })`);
        check(/^video\/H264 .*packetization-mode=1/.test(codec), `the page sends ${codec}`);
        await until('sound in the page', async () => (await tab.run(stat('inbound-rtp', 'audio', 'totalAudioEnergy'))) > 0.001);
        await tab.until('the app’s name', 'document.getElementById("remote-name").textContent === "ann"');
        await picture(tab, 'call-light');

        ann.say('chat Hello from the app');
        await tab.until('a line of chat', '/Hello from the app/.test(document.getElementById("lines").textContent)');
        await tab.press('#show-chat');
        await tab.type('#line', 'Hello from the page');
        await tab.key('Enter');
        await ann.event('chat', ({ text }) => text === 'Hello from the page');
        await picture(tab, 'chat-light');
        await tab.key('Escape');
        await tab.press('#show-proof');
        await picture(tab, 'proof-light');
        await tab.press('#proof .close');

        ann.say('mute on');
        await tab.until('the app to be muted', visible('remote-muted'));
        ann.say('mute off');
        await tab.until('the app not to be muted', 'document.getElementById("remote-muted").hidden');
        await tab.press('#call .toggle-mute');
        await ann.event('peer-muted', ({ muted }) => muted);
        await tab.press('#call .toggle-mute');
        await ann.event('peer-muted', ({ muted }) => !muted);
        ann.say('video off');
        await tab.until('words for no picture', '/ann has the camera off/.test(document.getElementById("remote-words").textContent)');
        await picture(tab, 'camera-off-light');
        ann.say('video on');
        await tab.until('the picture to be back', 'document.getElementById("remote").style.visibility === "visible"');
        await tab.press('#call .toggle-video');
        await ann.event('peer-video', ({ on }) => !on);
        await tab.press('#call .toggle-video');
        await ann.event('peer-video', ({ on }) => on);
        await goesOn(tab);
        noTrouble(tab);

        const closed = Date.now();
        await tab.close();
        const { reason, t } = await ann.event('peer-left');
        check(t - closed < 2000, `the app noticed only after ${t - closed} ms`);
        check(/left|hung up/i.test(reason), `the app says: ${reason}`);
        await ann.ended;
        const report = JSON.parse(readFileSync(ann.report, 'utf8'));
        check(report.presented > 30, `the app showed ${report.presented} pictures`);
        const wav = readFileSync(join(tmp, 'heard.wav')).subarray(44);
        let loud = 0;
        for (let i = 0; i + 2 <= wav.length; i += 2) loud = Math.max(loud, Math.abs(wav.readInt16LE(i)));
        check(loud > 500, `the app heard nothing louder than ${loud}`);
        return `picture ${age} ms old in the page, ${report.presented} pictures in the app, left seen after ${t - closed} ms`;
    },

    // The page is first; a reload comes back into the room, and the app that calls again meets it.
    async page_first({ browser }) {
        const tab = await guest(browser, CODES[1], 'First');
        await waits(tab);
        await picture(tab, 'waiting-light');
        const bob = await app('bob', '--join', '--room', CODES[1], '--microphone', 'tone');
        const shown = await connected(tab);
        check((await bob.event('connected')).verification === shown, 'the verification numbers differ');
        await bob.event('first-frame');
        await pictureAge(tab);
        await tab.reload();
        await bob.event('peer-left');
        await waits(tab);
        const again = await app('again', '--join', '--room', CODES[1]);
        await connected(tab);
        await again.event('first-frame');
        await pictureAge(tab);
        await again.stop();
        const says = await ending(tab);
        check(/other side left/.test(says), `the page says: ${says}`);
        await picture(tab, 'ended-light');
        noTrouble(tab);
        await tab.close();
    },

    // Nothing but mDNS names: the page may use neither camera nor microphone.
    async mdns({ hidden }) {
        const tab = await newTab(hidden, { allowed: false });
        await tab.open(url(CODES[0]));
        await tab.until('words for a refused permission', '/may not use your/.test(document.getElementById("device-trouble").textContent)');
        await picture(tab, 'denied-light');
        const ann = await app('named', '--open', '--room', CODES[0]);
        await tab.press('#enter');
        await connected(tab);
        await pictureAge(tab);
        await ann.event('connected');
        const kinds = await tab.run(`stats().then((all) => all.filter((s) => s.type === 'local-candidate' && s.candidateType === 'host').map((s) => s.address ?? ''))`);
        const told = await tab.run('connections.at(-1).localDescription.sdp.match(/a=candidate:.*/g)?.join("\\n") ?? ""');
        check(/\.local /.test(told) && !told.includes(address), `the page told ${told} (${kinds})`);
        ann.say('stop');
        check(/other side left/.test(await ending(tab)), 'the page did not notice');
        noTrouble(tab);
        await tab.close();
    },

    async page_and_page({ browser }) {
        const one = await guest(browser, CODES[2], 'One');
        await waits(one);
        const other = await guest(browser, CODES[2], 'Two', { width: 390, height: 844, mobile: true, dark: true });
        const numbers = await Promise.all([connected(one), connected(other)]);
        check(numbers[0] === numbers[1], `verification numbers ${numbers}`);
        await until('names on both sides', async () => (await one.text('#remote-name')) === 'Two' && (await other.text('#remote-name')) === 'One');
        await Promise.all([goesOn(one), goesOn(other)]);
        await other.press('#show-chat');
        await other.type('#line', 'Grüße 🙂');
        await picture(other, 'chat-phone-dark');
        await other.key('Enter');
        await one.until('a line of chat', '/Grüße 🙂/.test(document.getElementById("lines").textContent)');
        await other.press('#chat .close');
        await picture(other, 'call-phone-dark');
        const third = await guest(browser, CODES[2], 'Three');
        const full = await ending(third);
        check(/full/.test(full), `a third one is told: ${full}`);
        await picture(third, 'full-light');
        await third.close();
        await other.press('#hang-up');
        check(/You left/.test(await ending(other)), 'who left is told otherwise');
        check(/other side left/.test(await ending(one)), 'who stayed is told otherwise');
        [one, other].forEach(noTrouble);
        await Promise.all([one.close(), other.close()]);
    },

    async ice_restarts({ browser }) {
        const ann = await app('ann-ice', '--open', '--room', CODES[0], '--microphone', 'tone');
        const tab = await guest(browser, CODES[0], 'Mover');
        await connected(tab);
        await ann.event('first-frame');
        const names = () => tab.run(`['local', 'remote'].map((side) => connections.at(-1)[side + 'Description'].sdp.match(/ice-ufrag:(.*)/)[1]).join()`);
        let before = await names();
        // What the page does when its network is back.
        await tab.run('void dispatchEvent(new Event("online"))');
        await until('ICE to begin anew', async () => (await names()).split(',').every((name, i) => name !== before.split(',')[i]));
        await goesOn(tab);
        // The address that the path leads over goes, and another comes: the app notices first.
        before = await names();
        // In another subnet, since addresses of one go together.
        const moved = address.replace(/\.\d+\.\d+$/, '.99.1');
        const offers = () => tab.said.filter((line) => line.startsWith('< {"type":"offer"')).length;
        check(offers() === 1, 'the app offered before');
        execFileSync('ip', ['address', 'add', `${moved}/24`, 'dev', 'eth0']);
        execFileSync('ip', ['address', 'del', `${address}/24`, 'dev', 'eth0']);
        execFileSync('ip', ['route', 'replace', 'default', 'dev', 'eth0']);
        const since = Date.now();
        await ann.event('reconnecting');
        await ann.event('reconnected');
        await goesOn(tab);
        const took = Date.now() - since;
        ann.say('chat over the new path');
        await tab.until('a line of chat', '/over the new path/.test(document.getElementById("lines").textContent)');
        const chatted = Date.now() - since - took;
        check((await names()) !== before, 'ICE went on as before');
        check(offers() > 1, 'the app offered nothing');
        const over = Date.now();
        await ann.stop();
        await ending(tab);
        const noticed = Date.now() - over;
        execFileSync('ip', ['address', 'add', `${address}/24`, 'dev', 'eth0']);
        execFileSync('ip', ['address', 'del', `${moved}/24`, 'dev', 'eth0']);
        execFileSync('ip', ['route', 'replace', 'default', 'dev', 'eth0']);
        noTrouble(tab);
        await tab.close();
        return `back ${took} ms after the address went, chat ${chatted} ms later, its end seen after ${noticed} ms`;
    },

    // The server is started anew in mid-call: both enter the room again, and can begin ICE anew through it.
    async server_anew({ browser }) {
        for (const first of ['app', 'page']) {
            const waiting = first === 'page' && (await guest(browser, CODES[1], 'Stayer'));
            if (waiting) await waits(waiting);
            const ann = await app(`ann-anew-${first}`, waiting ? '--join' : '--open', '--room', CODES[1]);
            const tab = waiting || (await guest(browser, CODES[1], 'Stayer'));
            await connected(tab);
            await ann.event('first-frame');
            await serve();
            await ann.event('signaling', ({ available }) => !available);
            await ann.event('signaling', ({ available }) => available);
            const name = () => tab.run('connections.at(-1).remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1]');
            const before = await name();
            await tab.run('void dispatchEvent(new Event("online"))');
            await until('ICE to begin anew', async () => (await name()) !== before);
            await goesOn(tab);
            await ann.stop();
            await ending(tab);
            await tab.close();
        }
    },

    // One packet in twenty is lost, both ways.
    async loss({ browser }) {
        const ann = await app('ann-loss', '--open', '--room', CODES[0]);
        execFileSync('nft', ['-f', '-'], { input: LOSS });
        try {
            const tab = await guest(browser, CODES[0], 'Lossy');
            await connected(tab);
            await ann.event('first-frame');
            for (let i = 0; i < 5; i++) await goesOn(tab);
            check((await pictureAge(tab)) < 3000, 'the picture is old');
            const lost = await tab.run(stat('inbound-rtp', 'video', 'nackCount'));
            check(lost > 0, 'nothing was lost: this shows nothing');
            const report = await ann.stop();
            check(report.presented > 50, `the app showed ${report.presented} pictures`);
            await ending(tab);
            await tab.close();
        } finally {
            execFileSync('nft', ['delete', 'table', 'ip', 'loss']);
        }
    },

    async wrong_words({ browser }) {
        // The same first two words, others behind them.
        const wrong = await newTab(browser);
        await wrong.open(url());
        const other = await wrong.run(`(async () => { const { RoomCode } = await import('/guest/code.js'), { WORDS } = await import('/guest/words.js');
            for (const word of WORDS) try { return (await RoomCode.parse('velvet canyon ' + word + ' zero')).text; } catch {} })()`);
        check(other && other !== CODES[0], 'there is no such code');
        await wrong.type('#code', 'velvet canyon orbyt zero');
        await wrong.key('Enter');
        await wrong.until('a proposal', '/did you mean “orbit”/.test(document.getElementById("code-trouble").textContent)');
        await picture(wrong, 'mistyped-light');
        const ann = await app('ann-wrong', '--open', '--room', CODES[0]);
        await wrong.type('#code', other);
        await wrong.press('#enter');
        const says = await ending(wrong);
        check(/not theirs/.test(says), `the page says: ${says}`);
        await ann.stop();
        // And where the page waits: three wrong ones, then the code is given up.
        const host = await guest(browser, CODES[0], 'Host');
        await waits(host);
        for (let i = 0; i < 3; i++) {
            const thief = await app(`thief-${i}`, '--join', '--room', other);
            await thief.event('ended');
        }
        check(/used up/.test(await ending(host)), 'the page lets more than three try');
        await wrong.close();
        await host.close();
    },

    // Without a device, over plain http, and by keyboard alone.
    async clear_words({ bare }) {
        const tab = await newTab(bare);
        await tab.open(url(CODES[0]));
        await tab.until('words for no camera', '/No camera or microphone was found/.test(document.getElementById("device-trouble").textContent)');
        await picture(tab, 'no-camera-light');
        const ann = await app('ann-bare', '--open', '--room', CODES[0]);
        await tab.run('document.getElementById("name").focus()');
        await tab.key('Enter');
        await connected(tab);
        await pictureAge(tab);
        for (let i = 0; i < 8 && (await tab.run('document.activeElement.id')) !== 'hang-up'; i++) await tab.key('Tab');
        await tab.key('Enter');
        check(/You left/.test(await ending(tab)), 'the keyboard cannot leave');
        await ann.event('peer-left');
        const plain = await newTab(bare);
        await plain.open(url(CODES[0], address));
        await plain.until('words for an insecure page', '/plain http/.test(document.getElementById("device-trouble").textContent)');
        check(await plain.run('document.getElementById("enter").disabled'), 'Join can be pressed');
        check(/trust whoever runs/.test(await plain.text('.trust')), 'nothing is said about trust');
        await picture(plain, 'insecure-light');
        check((await tab.run('document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)')) === 'visavis-name', 'more is stored than the name');
        [tab, plain].forEach(noTrouble);
        await tab.close();
        await plain.close();
    },
};

// ---- all of it

const WHAT = `document.querySelector('main:not([hidden])')?.innerText.replace(/\\s+/g, ' ') + connections.map((c) =>
    [c.connectionState, c.iceConnectionState, c.signalingState, c.localDescription?.sdp.match(/a=candidate.*/g)].join(' '))`;

const log = join(tmp, 'chromium.txt');
const assets = process.env.VISAVIS_GUEST_ASSETS ?? null;
const wanted = process.env.VISAVIS_GUEST_ONLY?.split(',') ?? Object.keys(cases);
let relay = null;
await serve();
const make = (flags, without = []) => new Browser({ flags, without, log, tmp, assets });
const browsers = {};
const make_for = {
    browser: () => make(FAKE, [NAMES_FOR_ADDRESSES]),
    hidden: () => make([...FAKE, `--enable-features=${NAMES_FOR_ADDRESSES}`, '--deny-permission-prompts']),
    bare: () => make([], [NAMES_FOR_ADDRESSES]),
};
const needed = new Proxy({}, { get: (_, name) => (browsers[name] ??= make_for[name]()) });

let failed = 0;
for (const name of wanted) {
    const since = performance.now();
    try {
        const more = await cases[name](needed);
        console.log(`ok ${name} (${((performance.now() - since) / 1000).toFixed(1)} s)${more ? `: ${more}` : ''}`);
    } catch (error) {
        failed += 1;
        console.log(`FAILED ${name}: ${error.stack}`);
        for (const { name: who, events } of apps) console.log(`${who}: ${JSON.stringify(events)}`);
        for (const tab of tabs) {
            const says = await tab.run(WHAT).catch(() => 'closed');
            console.log(`page: ${says}; ${tab.troubles.join(' | ')}`);
            console.log(tab.said.slice(-40).join('\n'));
        }
        break;
    }
}
await Promise.all(Object.values(browsers).map((browser) => browser.close()));
for (const child of begun) child.kill('SIGKILL');
process.exit(failed ? 1 : 0);
