// Passes signaling on between peers and serves the browser's page. The protocol is in README.md.
//
//   node relay.mjs PORT DIRECTORY     standard input: lines `go PEER`, `stop PEER`
//   standard output: one line of JSON for each thing that the harness should know

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { webSocketLibrary } from './tools.mjs';

const { WebSocketServer } = webSocketLibrary();
const [port, directory] = [Number(process.argv[2] || 8080), process.argv[3] || '.'];
// A peer's report of a long call.
const MAX_MESSAGE = 64 << 20;

// The page and its scripts, nothing else.
const PAGES = new Map([['/peer.html', 'text/html']]);
for (const name of fs.readdirSync(path.join(directory, 'peer'))) {
    PAGES.set(`/peer/${name}`, 'text/javascript');
}

const tell = news => process.stdout.write(`${JSON.stringify(news)}\n`);

const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://relay');
    if (!PAGES.has(pathname)) {
        response.writeHead(404).end();
        return;
    }
    response.writeHead(200, { 'content-type': PAGES.get(pathname), 'cache-control': 'no-store' });
    response.end(fs.readFileSync(path.join(directory, pathname)));
});

const rooms = new Map();
const controls = new Map();

function send(socket, message) {
    socket.send(JSON.stringify(message));
}

const others = socket => [...(rooms.get(socket.room) || [])].filter(other => other !== socket);

function join(socket, { room, peer }) {
    Object.assign(socket, { room, peer });
    rooms.set(room, (rooms.get(room) || new Set()).add(socket));
    send(socket, { event: 'joined', room, peer, others: others(socket).map(other => other.peer) });
    others(socket).forEach(other => send(other, { event: 'peer-joined', from: peer }));
}

function leave(socket) {
    if (socket.room) {
        others(socket).forEach(other => send(other, { event: 'leave-room', from: socket.peer }));
        rooms.get(socket.room).delete(socket);
        socket.room = null;
    }
}

function take(socket, message) {
    switch (message.event) {
        case 'hello':
            socket.peer = message.peer;
            controls.set(message.peer, socket);
            tell({ ev: 'hello', peer: message.peer });
            break;
        case 'status':
        case 'result':
            tell({ ev: message.event, peer: socket.peer, data: message.data });
            break;
        case 'join-room':
            join(socket, message);
            break;
        case 'leave-room':
            leave(socket);
            break;
        default:
            // Offers, answers, candidates and anything else: unread.
            others(socket).forEach(other => send(other, { ...message, from: socket.peer }));
    }
}

new WebSocketServer({ server, maxPayload: MAX_MESSAGE }).on('connection', socket => {
    socket._socket.setNoDelay(true);
    socket.on('message', text => {
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            return;
        }
        take(socket, message);
    });
    socket.on('close', () => leave(socket));
    socket.on('error', () => {});
});

readline
    .createInterface({ input: process.stdin })
    .on('line', line => {
        const [event, peer] = line.split(' ');
        const control = controls.get(peer);
        if (control) {
            send(control, { event });
        }
    })
    .on('close', () => process.exit(0));
server.listen(port, '0.0.0.0', () => tell({ ev: 'listening' }));
