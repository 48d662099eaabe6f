// A server and connections that are none, for two calls in one process. Nothing in it waits for time to pass.
import './setup.mjs';
import { randomHex } from '../bytes.js';
import { Call } from '../call.js';
import { RoomCode } from '../code.js';

// The rules of the relay, as far as two well-behaved guests see them; `meddle(message, to)` gives what is delivered.
export class Relay {
    #rooms = new Map();
    #seats = 0;
    meddle = (message) => [message];
    clients = [];

    connect = (on) => {
        const client = { on, seat: null, up: true };
        this.clients.push(client);
        const answer = (message) => queueMicrotask(() => on.message(message));
        const error = (code) => answer({ type: 'error', code, message: code });
        const sit = (type, roomId, pake) => {
            const room = this.#rooms.get(roomId) ?? [];
            client.seat = { peerId: `seat${++this.#seats}`, roomId, pake, client };
            const peers = room.map(({ peerId }) => ({ peerId }));
            this.#rooms.set(roomId, [...room, client.seat]);
            answer({ type, peerId: client.seat.peerId, resume: 'token', peers, iceServers: [] });
            return room;
        };
        const leave = (reason) => {
            const seat = client.seat;
            client.seat = null;
            if (!seat) return;
            const rest = this.#rooms.get(seat.roomId).filter((other) => other !== seat);
            if (rest.length) this.#rooms.set(seat.roomId, rest);
            else this.#rooms.delete(seat.roomId);
            for (const other of rest) this.tell(other, { type: 'peer-left', peerId: seat.peerId, reason });
        };
        client.leave = leave;
        client.close = () => leave('left');
        client.renew = () => {};
        client.send = (message) => {
            const room = this.#rooms.get(message.roomId ?? client.seat?.roomId);
            const find = (name) => room?.find(({ peerId }) => peerId === name);
            if (message.type === 'open') return room ? error('room-taken') : void sit('opened', message.roomId);
            if (message.type === 'join') {
                if (!room) return error('nobody-here');
                if (room.length >= 2) return error('room-full');
                const { pake } = message;
                for (const other of sit('joined', message.roomId, pake)) {
                    this.tell(other, { type: 'peer-joined', peerId: client.seat.peerId, pake });
                }
            } else if (message.type === 'dismiss') {
                const whom = find(message.peerId);
                if (!whom) return error('no-such-peer');
                queueMicrotask(() => whom.client.on.message({ type: 'error', code: 'dismissed', message: '' }));
                whom.client.leave('dismissed');
            } else if (message.type === 'leave-room') {
                leave('left');
            } else if (find(message.to)) {
                for (const passed of this.meddle(message)) this.tell(find(message.to), structuredClone(passed));
            }
        };
        return client;
    };

    // As if it had been started anew.
    forget() {
        this.#rooms.clear();
        for (const client of this.clients) {
            client.seat = null;
            queueMicrotask(() => client.on.message({ type: 'error', code: 'seat-gone', message: '' }));
        }
    }

    tell(seat, message) {
        queueMicrotask(() => seat.client.on.message(message));
    }
}

// Connections find each other by the ICE generation in their descriptions.
export class Connections {
    #all = new Map();
    made = [];
    // Where it is a list, control messages wait in it.
    held = null;

    release() {
        const { held } = this;
        this.held = null;
        for (const arrive of held) arrive();
    }

    make = ({ iceServers, media, on }) => {
        const certificate = randomHex(32);
        const peer = { on, iceServers, media, other: null, open: false, restarts: 0, fingerprint: null, closed: false };
        peer.fingerprint = Uint8Array.from(certificate.match(/../g), (pair) => parseInt(pair, 16));
        peer.used = () => peer.other.fingerprint;
        const describe = () => {
            peer.generation = randomHex(4);
            this.#all.set(peer.generation, peer);
            const digits = certificate.toUpperCase().match(/../g).join(':');
            return `v=0\r\na=fingerprint:sha-256 ${digits}\r\na=ice-ufrag:${peer.generation}\r\n`;
        };
        const meet = (sdp) => {
            peer.other = this.#all.get(/ice-ufrag:(\w+)/.exec(sdp)[1]);
            if (peer.other?.other !== peer) return;
            for (const one of [peer.other, peer]) {
                if (one.open) one.on.ice('connected');
                else queueMicrotask(() => one.stands());
            }
        };
        // A browser that refuses the keys says no more than that DTLS failed on a way that ICE found.
        peer.refuses = false;
        peer.stands = () => {
            if (peer.open || peer.closed) return;
            if (peer.refuses) return peer.on.failed(true);
            peer.open = true;
            peer.on.connected();
            peer.on.opened();
        };
        peer.offer = async ({ restart }) => ((peer.restarts += restart ? 1 : 0), describe());
        peer.answer = async (sdp) => {
            const answer = describe();
            meet(sdp);
            return answer;
        };
        peer.accept = async (sdp) => meet(sdp);
        peer.described = () => on.candidate({ candidate: 'candidate:1 1 udp 1 192.0.2.1 9 typ host' }, peer.generation);
        peer.taken = [];
        peer.addCandidate = async (candidate) => void peer.taken.push(candidate);
        peer.useServers = (servers) => (peer.iceServers = servers);
        peer.refresh = async () => {};
        peer.usedFingerprint = async () => peer.used();
        peer.say = (message) => {
            if (!peer.open || peer.closed) return;
            const { other } = peer;
            const text = JSON.stringify(message);
            const arrive = () => other?.open && !other.closed && other.on.control(text);
            if (this.held) this.held.push(arrive);
            else queueMicrotask(arrive);
        };
        peer.close = () => (peer.closed = true);
        this.made.push(peer);
        return peer;
    };
}

// A guest, and what happened to them; `until(kind)` waits for that.
export class Guest {
    events = [];
    #waiting = [];

    static async of(world, code, name) {
        return new Guest(world, await RoomCode.parse(code), name);
    }

    constructor({ relay, connections }, code, name) {
        const note = (kind) => (...values) => {
            this.events.push([kind, ...values]);
            for (const look of this.#waiting.splice(0)) look();
        };
        const on = Object.fromEntries(
            ['stage', 'connected', 'interrupted', 'view', 'chat', 'track', 'ended'].map((kind) => [kind, note(kind)]),
        );
        const profile = () => ({ name, muted: false, videoOn: true, hasCamera: true, soundOnly: false });
        const connect = (_, events) => relay.connect(events);
        this.call = new Call({ code, url: '', media: {}, profile, on, connect, makePeer: connections.make });
    }

    find(kind, first) {
        return this.events.find(([k, v]) => k === kind && (first === undefined || v === first));
    }

    async until(kind, first) {
        while (!this.find(kind, first)) await new Promise((done) => this.#waiting.push(done));
        return this.find(kind, first);
    }
}

export const world = () => ({ relay: new Relay(), connections: new Connections() });
