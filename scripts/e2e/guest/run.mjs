// Guests in a browser against headless peers and against each other: node run.mjs SERVER PEER FOLDER ADDRESS [PICTURES]
//
// To be run in a network of its own (see 60-guest.sh), where ADDRESS is this machine's. Pictures of the page are written
// to the folder PICTURES where that is given. VISAVIS_GUEST_CASES=NAME tries what is in NAME.mjs instead of cases.mjs.
// VISAVIS_GUEST_ASSETS=assets/guest takes the page's files from there, and VISAVIS_GUEST_ONLY=NAME,… runs some of the
// cases only.
import { join } from 'node:path';
import { Browser } from './browser.mjs';
import { apps, begun, serve, tabs, tmp } from './people.mjs';

const { cases } = await import(`./${process.env.VISAVIS_GUEST_CASES ?? 'cases'}.mjs`);
const FAKE = ['--use-fake-device-for-media-stream'];
const NAMES_FOR_ADDRESSES = 'WebRtcHideLocalIpsWithMdns';
// What a page shows, and where its connections are.
const WHAT = `document.querySelector('main:not([hidden])')?.innerText.replace(/\\s+/g, ' ') + connections.map((c) =>
    [c.connectionState, c.iceConnectionState, c.signalingState, c.localDescription?.sdp.match(/a=candidate.*/g)].join(' '))`;

const log = join(tmp, 'chromium.txt');
const assets = process.env.VISAVIS_GUEST_ASSETS ?? null;
const wanted = process.env.VISAVIS_GUEST_ONLY?.split(',') ?? Object.keys(cases);
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
