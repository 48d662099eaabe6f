// What is tried with guests. Each is given browsers, made when they are first asked for: `browser` with a camera and a
// microphone that are none, `hidden` that tells names for addresses and may use no devices, `bare` without devices.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './browser.mjs';
import {
    address, app, begun, check, connected, ending, goesOn, guest, newTab, noTrouble, picture, pictureAge, reads, serve, stat, tmp, url,
    visible, waits,
} from './people.mjs';

const CODES = ['velvet-canyon-orbit-zero', 'abandon-abandon-abandon-absurd', 'zoo-zoo-zoo-wreck'];
const ROOM = 'velvet-canyon-orbit-zero-garden-knock';

// One packet in twenty, of those that arrive.
const LOSS = `table ip loss {
    chain arriving {
        type filter hook input priority filter;
        meta l4proto udp numgen random mod 100 < 5 drop
    }
}
`;

// Loads the page again in a call with that app, which goes on.
async function reloaded(tab, app, before) {
    await tab.reload();
    await app.event('peer-left', ({ again }) => again);
    const { verification } = await app.event('connected');
    check((await connected(tab)) === verification && verification !== before, 'no number of its own after a reload');
}

export const cases = {
    // A room that stays: a guest waits at the door, is declined, and is let in at the next try, by the same words.
    async kept_room({ browser }) {
        const ann = await app('ann', '--open', '--ask', '--room', ROOM);
        const tab = await guest(browser, ROOM, 'Guest Zoë');
        const { name, guest: host } = await ann.event('asks');
        check(name === 'Guest Zoë' && host.includes(':'), `asked about ${name}, through ${host}`);
        await reads(tab, '#remote-words', 'Waiting for ann to let you in');
        check((await tab.run('connections.length')) === 0, 'the page made a connection before it was let in');
        await picture(tab, 'outside-light');
        ann.say('decline');
        check((await ending(tab)) === 'They declined', 'a refusal is told as something else');
        await picture(tab, 'declined-light');
        // For a moment after that nobody is asked about.
        await new Promise((done) => setTimeout(done, 5500));
        await tab.press('#again');
        await ann.event('asks');
        ann.say('accept');
        const { verification } = await ann.event('connected');
        check((await connected(tab)) === verification, 'verification numbers differ');
        await pictureAge(tab);
        await tab.press('#hang-up');
        await ann.event('peer-left');
        check((await tab.text('#again')) === 'Call again', 'the words of a room that stays are offered again');
        await ann.stop();
        // Nobody but its owner opens it.
        await tab.press('#again');
        check((await ending(tab)) === 'This room is not open', 'a guest opened a room that stays');
        noTrouble(tab);
    },

    // The app is first; picture, sound, chat and states both ways; then the tab is closed.
    async app_first({ browser }) {
        const heard = join(tmp, 'heard.wav');
        const sound = ['--microphone', 'speech', '--speaker', `file:${heard}`];
        const ann = await app('ann', '--open', '--room', CODES[0], ...sound);
        const tab = await guest(browser, CODES[0], 'Guest Zoë');
        const shown = await connected(tab);
        const { verification } = await ann.event('connected');
        check(shown === verification && /^(\d{5} ){4}\d{5}$/.test(shown), `verification numbers ${shown} and ${verification}`);
        await ann.event('first-frame');
        const age = await pictureAge(tab);
        check(age < 10_000, `the picture in the page is ${age} ms old`);
        const codec = await tab.run(`stats().then((all) => {
            const rtp = all.find((s) => s.type === 'outbound-rtp' && s.kind === 'video');
            const codec = all.find((s) => s.id === rtp.codecId);
            return codec.mimeType + ' ' + codec.sdpFmtpLine;
        })`);
        check(/^video\/H264 .*packetization-mode=1/.test(codec), `the page sends ${codec}`);
        await until('sound in the page', async () => (await tab.run(stat('inbound-rtp', 'audio', 'totalAudioEnergy'))) > 0.001);
        await tab.until('the app’s name', 'document.getElementById("remote-name").textContent === "ann"');
        await picture(tab, 'call-light');

        ann.say('chat Hello from the app');
        await reads(tab, '#lines', 'Hello from the app');
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
        await reads(tab, '#remote-words', 'ann has the camera off');
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
        const report = await ann.stop();
        check(report.presented > 10, `the app showed ${report.presented} pictures`);
        const wav = readFileSync(heard).subarray(44);
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
        // Either way round the app waits for the page, and both go on with keys and a number of their own.
        const since = Date.now();
        await reloaded(tab, bob, shown);
        const took = Date.now() - since;
        await pictureAge(tab);
        await bob.stop();
        const says = await ending(tab);
        check(/other side left/.test(says), `the page says: ${says}`);
        check(/new words/.test(await tab.text('#ended-words')), 'the words are offered again');
        check(!(await tab.run(visible('again'))) && !(await tab.run('location.hash')), 'the words are offered again');
        await picture(tab, 'ended-light');
        noTrouble(tab);
        await tab.close();
        return `back in the call ${took} ms after the reload`;
    },

    // The app is first, and stays when the page is loaded again; then the page is closed for good.
    async reload({ browser }) {
        const ann = await app('ann-reload', '--open', '--room', CODES[1]);
        const tab = await guest(browser, CODES[1], 'Reloader');
        const shown = await connected(tab);
        await ann.event('connected');
        await ann.event('first-frame');
        await reloaded(tab, ann, shown);
        await pictureAge(tab);
        await tab.close();
        await ann.event('peer-left', ({ again }) => again);
        // Half a minute later they have left.
        await ann.event('peer-left', ({ again }) => !again);
        await ann.ended;
    },

    // Nothing but mDNS names: the page may use neither camera nor microphone.
    async mdns({ hidden }) {
        const tab = await newTab(hidden, { allowed: false });
        await tab.open(url(CODES[0]));
        await reads(tab, '#device-trouble', 'may not use your');
        await picture(tab, 'denied-light');
        const ann = await app('named', '--open', '--room', CODES[0]);
        await tab.press('#enter');
        await connected(tab);
        await pictureAge(tab);
        await ann.event('connected');
        const told = await tab.run('String(connections.at(-1).localDescription.sdp.match(/a=candidate:.*/g))');
        check(/\.local /.test(told) && !told.includes(address), `the page told ${told}`);
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
        await reads(one, '#remote-name', 'Two');
        await reads(other, '#remote-name', 'One');
        await Promise.all([goesOn(one), goesOn(other)]);
        await other.press('#show-chat');
        await other.type('#line', 'Grüße 🙂');
        await picture(other, 'chat-phone-dark');
        await other.key('Enter');
        await reads(one, '#lines', 'Grüße 🙂');
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
        const camera = 'document.getElementById("self").srcObject?.getVideoTracks()[0]?.readyState';
        check((await one.run(camera)) === undefined, 'the camera is on after the call');
        check(!(await one.run(visible('again'))), 'the words are offered again');
        await one.press('#back');
        check((await one.run('document.getElementById("code").value')) === '', 'the words are still there');
        await one.type('#code', CODES[2]);
        await one.press('#enter');
        await waits(one);
        check((await one.run(camera)) === 'live', 'the camera is off in the next call');
        await one.press('#hang-up');
        await ending(one);
        [one, other].forEach(noTrouble);
        await Promise.all([one.close(), other.close()]);
    },

    async ice_restarts({ browser }) {
        const ann = await app('ann-ice', '--open', '--room', CODES[0], '--microphone', 'tone');
        const tab = await guest(browser, CODES[0], 'Mover');
        await connected(tab);
        await ann.event('first-frame');
        const names = () =>
            tab.run(`['local', 'remote'].map((side) =>
                connections.at(-1)[side + 'Description'].sdp.match(/ice-ufrag:(.*)/)[1]).join()`);
        let before = await names();
        // What the page does when its network is back.
        await tab.run('void dispatchEvent(new Event("online"))');
        const both = (now) => now.split(',').every((name, i) => name !== before.split(',')[i]);
        await until('ICE to begin anew', async () => both(await names()));
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
        await reads(tab, '#lines', 'over the new path');
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

    // Neither takes another way than a relay's, by the credentials that the server hands each of them.
    async relayed({ browser }) {
        if (spawnSync('which', ['turnserver']).status !== 0) return 'not tried, needs turnserver';
        const secret = join(tmp, 'turn-secret');
        writeFileSync(secret, 'what-both-servers-know\n');
        const users = ['--use-auth-secret', '--static-auth-secret', 'what-both-servers-know', '--realm', 'visavis.example'];
        const files = ['--pidfile', join(tmp, 'turn.pid'), '--userdb', join(tmp, 'turn.db'), '--log-file', 'stdout'];
        const where = ['-L', address, '-E', address, '--listening-port', '3478', '--no-tls', '--no-dtls'];
        const turn = spawn('turnserver', ['-n', '--no-cli', ...users, ...files, ...where], { stdio: 'ignore' });
        begun.add(turn);
        await serve('--turn', `turn:${address}:3478`, '--turn-secret-file', secret);
        try {
            const ann = await app('ann-relay', '--open', '--room', CODES[0], '--relay-only');
            const tab = await newTab(browser);
            await tab.open(url(CODES[0]));
            await tab.run('void (globalThis.policy = "relay")');
            await tab.press('#enter');
            const shown = await connected(tab);
            const { verification, path } = await ann.event('connected');
            check(shown === verification && path === 'relayed', `the app's path is ${path}`);
            await pictureAge(tab);
            const kinds = await tab.run(`stats().then((all) => {
                const { selectedCandidatePairId } = all.find((s) => s.type === 'transport');
                const pair = all.find((s) => s.id === selectedCandidatePairId);
                return all.find((s) => s.id === pair.localCandidateId).candidateType;
            })`);
            check(kinds === 'relay', `the page sends by ${kinds}`);
            await ann.stop();
            await ending(tab);
            noTrouble(tab);
            await tab.close();
        } finally {
            turn.kill('SIGKILL');
            await serve();
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
            check((await pictureAge(tab)) < 10_000, 'the picture is old');
            const lost = await tab.run(stat('inbound-rtp', 'video', 'nackCount'));
            check(lost > 0, 'nothing was lost: this shows nothing');
            const report = await ann.stop();
            check(report.presented > 10, `the app showed ${report.presented} pictures`);
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
        const other = await wrong.run(`(async () => {
            const { RoomCode } = await import('/guest/code.js');
            const { WORDS } = await import('/guest/words.js');
            for (const word of WORDS) try { return (await RoomCode.parse('velvet canyon ' + word + ' zero')).text; } catch {}
        })()`);
        check(other && other !== CODES[0], 'there is no such code');
        // A link that was spoilt on its way: what is no code is named at once, and the page works as ever.
        const spoilt = await newTab(browser);
        await spoilt.open(url('velvet-canyon-orbyt-zero%'));
        await reads(spoilt, '#code-trouble', 'holds no valid code');
        await spoilt.until('a picture of oneself', 'document.getElementById("preview").videoWidth > 0');
        await picture(spoilt, 'spoilt-light');
        await spoilt.run('void (location.hash = "velvet-canyon-orbit-zero%")');
        await spoilt.until('the words', 'document.getElementById("code").value.endsWith("zero%")');
        await spoilt.until('no complaint', '!document.getElementById("code-trouble").textContent');
        noTrouble(spoilt);
        await spoilt.close();
        await wrong.type('#code', 'velvet canyon orbyt zero');
        await wrong.key('Enter');
        await reads(wrong, '#code-trouble', 'did you mean “orbit”');
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
        await reads(tab, '#device-trouble', 'No camera or microphone was found');
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
        await reads(plain, '#device-trouble', 'plain http');
        check(await plain.run('document.getElementById("enter").disabled'), 'Join can be pressed');
        check(/trust whoever runs/.test(await plain.text('.trust')), 'nothing is said about trust');
        await picture(plain, 'insecure-light');
        const stored = await tab.run('document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)');
        check(stored === 'visavis-name', `stored is ${stored}`);
        noTrouble(tab);
        await tab.close();
        await plain.close();
    },
};
