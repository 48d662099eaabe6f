// What a man in the middle tries with apps and guests: his server is `examples/middle`, before the real one. Run by
// run.mjs, as the cases are.
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './browser.mjs';
import {
    MIDDLE, PORT, app, begun, check, connected, ending, goesOn, guest, noTrouble, pictureAge, picture, reads, through, tmp, waits,
} from './people.mjs';

const CODE = 'velvet-canyon-orbit-zero';

// Everybody calls through him, until what this gives is called.
async function between(deed) {
    const log = openSync(join(tmp, 'middle.log'), 'a');
    const given = ['--server', `127.0.0.1:${PORT}`, '--listen', `127.0.0.1:${MIDDLE}`, '--deed', deed, '--code', CODE];
    const child = spawn(process.env.VISAVIS_MIDDLE, given, { stdio: ['ignore', 'pipe', log] });
    begun.add(child);
    await new Promise((ready) => createInterface({ input: child.stdout }).once('line', ready));
    through(MIDDLE);
    return async () => {
        child.kill('SIGKILL');
        await new Promise((done) => child.on('exit', done));
        through(PORT);
    };
}

// One who calls, with an app or the page.
async function caller(browser, kind, name, first) {
    if (kind === 'app') {
        const peer = await app(name, first ? '--open' : '--join', '--room', CODE);
        const over = () => until('the app’s end', () => peer.events.find(({ event }) => /^(ended|peer-left)$/.test(event)));
        return { peer, says: async () => (await over()).reason, leaves: () => peer.stop() };
    }
    const tab = await guest(browser, CODE, name);
    if (first) await waits(tab);
    return { tab, says: () => ending(tab), leaves: () => tab.close() };
}

const nobody = async () =>
    /^visavis_rooms 0$/m.test(await (await fetch(`http://127.0.0.1:${PORT}/metrics`)).text());

// Tries a deed on two of those kinds; `look(first, second)` sees what comes of it.
async function tried(browser, deed, kinds, look) {
    const end = await between(deed);
    const people = [];
    for (const [i, kind] of kinds.entries()) {
        people.push(await caller(browser, kind, `${deed}-${kinds.join('-')}-${'ab'[i]}`, i === 0));
    }
    const seen = await look(...people);
    for (const one of people) await one.leaves();
    // He passes their goodbyes on before he goes: a connection that merely broke keeps its seat, and so the room.
    await until('the room to be empty', nobody);
    await end();
    return seen;
}

// Whoever finds other keys than the sealed ones is warned in plain words and in no call; the other one, for whom the keys
// are right, is left alone. Gives what each is told.
const WARNING = { app: /tried to listen in/, page: /Somebody (may sit|sits) between you/ };
const ALONE = { app: /^The other side (is gone|hung up)/, page: /^The other side( left|’s app does not fit)/ };

async function warned(browser, deed, kinds) {
    return tried(browser, deed, kinds, async (...people) => {
        const said = await Promise.all(people.map(({ says }) => says()));
        const warns = kinds.map((kind, i) => WARNING[kind].test(said[i]));
        const told = kinds.map((kind, i) => `${kind}: “${said[i]}”`).join(', ');
        check(warns.includes(true), `nobody is warned: ${told}`);
        for (const [i, { tab, peer }] of people.entries()) {
            check(warns[i] || ALONE[kinds[i]].test(said[i]), `${deed}: ${told}`);
            const met = tab ? await tab.text('#verification') : peer.events.some(({ event }) => event === 'connected');
            check(!warns[i] || !met, `${deed}: who is warned was in a call before: ${told}`);
            if (tab && warns[i]) await picture(tab, `middle-${deed}-${kinds.join('-')}`);
        }
        return told;
    });
}

const numbers = (people) =>
    Promise.all(people.map(async ({ peer, tab }) => (tab ? connected(tab) : (await peer.event('connected')).verification)));

// The call stands, with one number, pictures and nothing to complain about.
async function stands(browser, deed, kinds) {
    return tried(browser, deed, kinds, async (...people) => {
        const [a, b] = await numbers(people);
        check(a === b, `${deed}: ${a} is not ${b}`);
        for (const { tab, peer } of people) {
            if (peer) await peer.event('first-frame');
            if (tab && people.some(({ peer }) => peer)) await pictureAge(tab);
            if (tab) await goesOn(tab);
            if (tab) noTrouble(tab);
        }
    });
}

// Who waits, and who comes. Two apps are what the test `middle` of crates/call is about.
const PAIRS = [['app', 'page'], ['page', 'app'], ['page', 'page']];

export const cases = {
    // He knows the code and announces other certificates than DTLS has.
    async swapped_fingerprints({ browser }) {
        const seen = [];
        for (const deed of ['swap-offers', 'swap-answers']) {
            for (const kinds of [...PAIRS, ['app', 'app']]) seen.push(`\n    ${deed}, ${await warned(browser, deed, kinds)}`);
        }
        return seen.join('');
    },

    // He knows the code and only reads: nothing but the number shows it.
    async listening({ browser }) {
        for (const kinds of PAIRS) {
            await tried(browser, 'listen', kinds, async (...people) => {
                const [a, b] = await numbers(people);
                check(a && b && a !== b, 'the numbers agree though somebody sits between');
            });
        }
    },

    // He does not know it: an answer that he changed proves nothing, and who waits goes on waiting.
    async changed_answers({ browser }) {
        for (const kinds of PAIRS) {
            await tried(browser, 'alter', kinds, async (first, second) => {
                const says = await second.says();
                check(/not theirs|don't match/.test(says), `the newcomer is told: ${says}`);
                if (first.tab) await reads(first.tab, '#remote-words', 'Nobody is there');
                else check(!first.peer.events.some(({ event }) => event === 'ended'), 'the app does not wait any more');
            });
        }
    },

    async kept_answers({ browser }) {
        for (const kinds of PAIRS.slice(0, 2)) {
            await tried(browser, 'drop', kinds, async (first, second) => {
                const says = await second.says();
                check(/not theirs|don't match/.test(says), `the newcomer is told: ${says}`);
                if (first.tab) await reads(first.tab, '#remote-words', 'Nobody is there');
                else check(!first.peer.events.some(({ event }) => event === 'ended'), 'the app does not wait any more');
            });
        }
    },

    async repeated_reordered_and_reflected_words({ browser }) {
        for (const deed of ['replay', 'reorder', 'reflect']) {
            for (const kinds of PAIRS) await stands(browser, deed, kinds);
        }
    },
};
