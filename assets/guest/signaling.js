// One connection to the signaling server, which mends itself: after a lost connection it takes its seat over, and what
// did not arrive is sent again.

import { renewIn } from './ice.js';

export const VERSION = 1;
// Sealed messages kept to be sent again, and their characters.
const MOST_KEPT = 64;
const MOST_KEPT_LENGTH = 256 * 1024;
// Answer to a request to resume.
const RESUME_WITHIN = 5000;
// Waits between attempts: doubled from the first to the last.
const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;
// A connection that held for so long earns an immediate attempt when it breaks.
const STABLE = 5000;
const SEALED = new Set(['offer', 'answer', 'ice-candidate']);
const COUNTED = new Set([...SEALED, 'peer-joined', 'peer-left']);
// A request that was refused so is not to be repeated; other errors answer something older.
const REFUSALS = new Set(['room-taken', 'nobody-here', 'room-full', 'server-full', 'version', 'bad-message']);
const GIVE = new Set(['opened', 'joined', 'resumed']);
const SEAT_LOST = new Set(['seat-gone', 'dismissed', 'not-in-room']);

// What is remembered to take a seat over. No socket, no clock.
export class Standing {
    #asked = null;
    #seat = null;

    // Notes what is about to be sent.
    sending(message) {
        if (message.type === 'open' || message.type === 'join') {
            if (!this.#seat) this.#asked = message;
        } else if (SEALED.has(message.type)) {
            this.#seat?.kept.push([this.#seat.sent++, message]);
            this.#trim();
        } else if (message.type === 'leave-room') {
            [this.#asked, this.#seat] = [null, null];
        }
    }

    // Notes what was received; gives what is to be sent again.
    received(message) {
        const seat = this.#seat;
        if ((message.type === 'opened' || message.type === 'joined') && this.#asked) {
            const { roomId } = this.#asked;
            this.#seat = { roomId, resume: message.resume, received: 0, sent: 0, kept: [] };
            this.#asked = null;
        } else if (message.type === 'resumed' && seat) {
            seat.resume = message.resume;
            seat.received += message.missed ?? 0;
            const arrived = message.received ?? 0;
            // The server counts on from what it has; so do we, even where some of it is no longer kept.
            seat.kept = seat.kept.filter(([n]) => n >= arrived).map(([, kept], i) => [arrived + i, kept]);
            seat.sent = arrived + seat.kept.length;
            return seat.kept.map(([, kept]) => kept);
        } else if (COUNTED.has(message.type) && seat) {
            seat.received += 1;
        } else if (message.type === 'error') {
            if (seat && SEAT_LOST.has(message.code)) this.#seat = null;
            else if (REFUSALS.has(message.code)) this.#asked = null;
        }
        return [];
    }

    // What to send first on a new connection; null where there is nothing to take up.
    greeting() {
        if (!this.#seat) return this.#asked;
        const { roomId, resume, received } = this.#seat;
        return { type: 'resume', version: VERSION, roomId, resume, received };
    }

    #trim() {
        const { kept } = this.#seat ?? { kept: [] };
        const length = () => kept.reduce((sum, [, message]) => sum + (message.sealed?.length ?? 0), 0);
        while (kept.length > MOST_KEPT || length() > MOST_KEPT_LENGTH) kept.shift();
    }
}

export class Signaling {
    #url;
    #on;
    #socket = null;
    #standing = new Standing();
    #ready = false;
    #waiting = [];
    // Connections that were given up.
    #given = [];
    #failures = 0;
    #retry = null;
    #stale = null;
    #since = 0;
    #closed = false;

    // `on.message(message)`, `on.up()`, `on.down()`; `on.down` comes with each attempt that fails, too.
    constructor(url, on) {
        [this.#url, this.#on] = [url, on];
        this.#dial();
    }

    get up() {
        return this.#ready;
    }

    // Sends it now, or once there is a connection.
    send(message) {
        if (this.#closed) return;
        this.#standing.sending(message);
        if (this.#ready) this.#put(message);
        // What opens a seat, or is sealed for one, is taken up by the greeting.
        else if (message.type === 'dismiss') this.#waiting.push(message);
    }

    // The network seems to have changed, or to be back: a connection of before may be dead, though nothing says so.
    renew() {
        if (this.#closed) return;
        this.#failures = 0;
        this.#dial();
    }

    // Leaves the room and closes. Works while a page is being left, too.
    close() {
        if (this.#closed) return;
        if (this.#ready && this.#standing.greeting()) this.#put({ type: 'leave-room' });
        this.#closed = true;
        clearTimeout(this.#retry);
        clearTimeout(this.#stale);
        this.#socket?.close(1000);
        for (const socket of this.#given.splice(0)) socket.close();
    }

    #put(message) {
        this.#socket.send(JSON.stringify(message));
    }

    #dial() {
        clearTimeout(this.#retry);
        this.#forget();
        const socket = new WebSocket(this.#url);
        this.#socket = socket;
        // Not another's: events of a socket that was given up change nothing.
        const when = (f) => (event) => this.#socket === socket && f(event);
        socket.onopen = when(() => this.#greet());
        socket.onmessage = when(({ data }) => this.#heard(data));
        socket.onclose = when(() => this.#broken());
    }

    #forget() {
        const socket = this.#socket;
        this.#socket = null;
        if (this.#ready) this.#on.down();
        this.#ready = false;
        // Closed in due form, it would give the seat up: that waits until another connection has taken it over.
        if (socket) this.#given.push(socket);
    }

    #greet() {
        this.#since = performance.now();
        const greeting = this.#standing.greeting();
        if (greeting) this.#put(greeting);
        if (greeting?.type === 'resume') {
            // Nothing else goes out before the answer: messages sent again must not overtake each other.
            this.#retry = setTimeout(() => this.#broken(), RESUME_WITHIN);
        } else {
            this.#stands();
        }
    }

    #stands() {
        clearTimeout(this.#retry);
        this.#ready = true;
        for (const socket of this.#given.splice(0)) socket.close();
        for (const message of this.#waiting.splice(0)) this.#put(message);
        this.#on.up();
    }

    #heard(data) {
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            return;
        }
        if (typeof message?.type !== 'string') return;
        const again = this.#standing.received(message);
        again.forEach((kept) => this.#put(kept));
        if (GIVE.has(message.type)) this.#handedOut(message.iceServers);
        if (!this.#ready && (message.type === 'resumed' || message.code === 'seat-gone')) this.#stands();
        this.#on.message(message);
    }

    // TURN credentials that came with a seat end. Taking it over on another connection brings new ones.
    #handedOut(servers) {
        clearTimeout(this.#stale);
        const wait = renewIn(servers);
        const renew = () => this.#ready && this.#standing.greeting()?.type === 'resume' && this.renew();
        this.#stale = wait === null ? null : setTimeout(renew, wait * (0.8 + Math.random() / 5));
    }

    #broken() {
        if (this.#closed) return;
        const held = this.#ready && performance.now() - this.#since > STABLE;
        const before = this.#ready;
        this.#forget();
        if (held) this.#failures = 0;
        const wait = this.#failures ? Math.min(FIRST_WAIT * 2 ** (this.#failures - 1), LONGEST_WAIT) : 0;
        this.#failures += 1;
        if (!before) this.#on.down();
        // With jitter, so that the guests of a server that was started anew don't come all at once.
        this.#retry = setTimeout(() => this.#dial(), wait * (0.5 + Math.random() / 2));
    }
}
