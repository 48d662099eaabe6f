// Stands between the harness and `headless_peer`: a command for --peer-a and --peer-b.
//
//   node native.mjs PATH/TO/headless_peer [more of its options]
//   BENCH_SERVER: address of visavis-server, ws://…; BENCH_CODE: the room's code

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { webSocketLibrary } from './tools.mjs';

const WebSocket = webSocketLibrary();
const peer = process.env.BENCH_PEER;
const { BENCH_W: width, BENCH_H: height, BENCH_FPS: fps } = process.env;
const server = process.env.BENCH_SERVER || 'ws://10.77.0.3:8090';
const code = process.env.BENCH_CODE || 'abandon-abandon-abandon-absurd';
const camera = process.env.BENCH_CONTENT === 'pan' ? 'pattern:pan' : 'pattern';
const report = path.join(os.tmpdir(), `report-${peer}-${process.pid}.json`);

const [, , program, ...more] = process.argv;
const child = spawn(
    program,
    [
        ...['--wait', '--server', server, '--room', code, '--camera', camera, '--microphone', 'speech', '--no-dtx'],
        ...['--speaker', 'none', '--size', `${width}x${height}`, '--fps', fps, '--report', report, ...more],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
);
const control = new WebSocket(process.env.BENCH_WS);
const say = message => control.send(JSON.stringify(message));

let [ready, open] = [false, false];
function greet() {
    if (ready && open) {
        say({ event: 'hello', peer });
    }
}

readline.createInterface({ input: child.stdout }).on('line', line => {
    console.error(line);
    if (line.trim() === 'ready') {
        ready = true;
        greet();
    } else if (line.startsWith('{') && JSON.parse(line).event === 'connected') {
        say({ event: 'status', data: { connected: true } });
    }
});
control.on('open', () => {
    open = true;
    greet();
});
control.on('message', text => {
    const { event } = JSON.parse(text);
    if (event === 'go') {
        child.stdin.write('join\n');
    } else if (event === 'stop') {
        child.stdin.write('stop\n');
    }
});

// The peer's report, or what can be said without one.
function result(exitCode) {
    const failed = exitCode ? [`exit ${exitCode}`] : [];
    try {
        const data = { peer, ...JSON.parse(fs.readFileSync(report)) };
        return { ...data, errors: [...data.errors, ...failed] };
    } catch (error) {
        return { peer, impl: 'native', errors: [...failed, String(error)], frames: [], stats: [], t: {} };
    } finally {
        fs.rmSync(report, { force: true });
    }
}

child.on('exit', exitCode => {
    say({ event: 'result', data: result(exitCode) });
    control.close();
});
