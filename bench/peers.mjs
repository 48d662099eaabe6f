// Starting peers: a browser, or any command, each in its namespace and with the priority asked for.

import { spawn } from 'node:child_process';
import fs from 'node:fs';

export const NAMESPACES = { A: 'emuA', B: 'emuB', S: 'emuS' };
const SERVER = '10.77.0.3:8080';
const FPS = 30;

const CHROMIUM = [
    process.env.BENCH_CHROMIUM || 'chromium',
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    '--window-size=1280,720',
    `--unsafely-treat-insecure-origin-as-secure=http://${SERVER}`,
    '--mute-audio',
    '--enable-logging=stderr',
];

// Runs a command in the namespace of A, B or S.
export function inNamespace(name, command, options) {
    return spawn('nsenter', [`--net=/var/run/netns/${NAMESPACES[name]}`, ...command], options);
}

// More CPU for both peers together than for the rest of a busy machine (cgroup v1); A and B stay equal.
const GROUP = '/sys/fs/cgroup/cpu/emubench';

export function makeGroups(shares) {
    if (shares) {
        [GROUP, `${GROUP}/A`, `${GROUP}/B`].forEach(group => fs.mkdirSync(group, { recursive: true }));
        fs.writeFileSync(`${GROUP}/cpu.shares`, String(shares));
    }
}

export function removeGroups(shares) {
    for (const group of shares ? [`${GROUP}/A`, `${GROUP}/B`, GROUP] : []) {
        try {
            fs.rmdirSync(group);
        } catch {
            // Somebody is still in it; the next run uses it again.
        }
    }
}

function browser(peer, dir, options) {
    const page = new URL(`http://${SERVER}/peer.html`);
    const { codec, width, height, content, src, probe } = options;
    page.search = new URLSearchParams({ peer, room: 'r', codec, w: width, h: height, content, src, probe });
    return [...CHROMIUM, `--user-data-dir=${dir}/prof${peer}`, page.href];
}

function surroundings(peer, dir, { width, height, codec, content }) {
    return {
        ...process.env,
        BENCH_WS: `ws://${SERVER}/ws`,
        BENCH_ROOM: 'r',
        BENCH_PEER: peer,
        BENCH_W: width,
        BENCH_H: height,
        BENCH_FPS: FPS,
        BENCH_CODEC: codec,
        BENCH_CONTENT: content,
        HOME: `${dir}/home${peer}`,
    };
}

// Starts peer A or B; what it prints goes to DIR/A.log or DIR/B.log.
export function startPeer(peer, dir, options) {
    const kind = options[`peer-${peer.toLowerCase()}`];
    const log = fs.openSync(`${dir}/${peer}.log`, 'w');
    const command = [
        ...(options.shares ? ['sh', '-c', `echo $$ > ${GROUP}/${peer}/cgroup.procs; exec "$@"`, 'x'] : []),
        ...(options.rt ? ['chrt', '-r', '1'] : ['nice', '-n', String(options.nice)]),
        ...(kind === 'browser' ? browser(peer, dir, options) : ['sh', '-c', `exec ${kind}`]),
    ];
    const env = surroundings(peer, dir, options);
    return inNamespace(peer, command, { stdio: ['ignore', log, log], env, detached: true });
}

// What a browser leaves behind.
export function cleanUp(dir) {
    for (const left of ['profA', 'profB', 'homeA', 'homeB']) {
        fs.rmSync(`${dir}/${left}`, { recursive: true, force: true });
    }
}
