// A server that has forgotten us in mid-call, since it was started anew. Media needs no server, but a path that breaks
// does: we enter the room again, and so does the other side, in any order. The keys are those of the call: whoever is
// there is shown something that only they can open, and nobody's share is answered.

// Waits between attempts: doubled from the first to the last.
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
// One finds the room taken and the other one nobody in it: they change places, unless the server makes fun of them.
const MOST_TURNS = 4;
// Who comes into the room has this long to show that they are the other side.
const SHOWING = 10_000;
// Seats that are greeted at once; the room has two.
const MOST_STRANGERS = 4;
const LOST = ['seat-gone', 'not-in-room'];

export class Reentry {
    #door;
    #talk;
    #ask;
    #send;
    #turns = 0;
    #tries = 0;
    #timers = new Set();

    // `polite`: we came second. `ask(door)`: asks for the room as `open` or `join`.
    constructor({ polite, talk, ask, send }) {
        [this.#door, this.#talk, this.#ask, this.#send] = [polite ? 'join' : 'open', talk, ask, send];
    }

    // What the server says about our seat, or about our asking for one; whether the seat is gone.
    refused(code, seated) {
        if (LOST.includes(code) && seated) {
            this.#ask(this.#door);
            return true;
        }
        if (code === 'dismissed') {
            this.#later();
            return true;
        }
        if (seated) return false;
        const other = { 'nobody-here': 'open', 'room-taken': 'join' }[code];
        if (other && ++this.#turns <= MOST_TURNS) this.#ask(other);
        else if (other || ['room-full', 'server-full', 'too-fast'].includes(code)) this.#later();
        return false;
    }

    // A seat is ours again.
    seated({ peerId, peers }) {
        [this.#turns, this.#tries] = [0, 0];
        this.#talk.seated(peerId);
        for (const peer of Array.isArray(peers) ? peers.slice(0, MOST_STRANGERS) : []) this.somebodyCame(peer?.peerId);
    }

    // Somebody is in the room, who may be the other side.
    somebodyCame(peerId) {
        if (typeof peerId !== 'string' || peerId === this.#talk.them) return;
        this.#talk.greet(peerId);
        this.#after(SHOWING, () => {
            if (this.#talk.them !== peerId) this.#send({ type: 'dismiss', peerId });
        });
    }

    stop() {
        for (const timer of this.#timers) clearTimeout(timer);
    }

    #later() {
        this.#turns = 0;
        this.#after(Math.min(FIRST_WAIT * 2 ** Math.min(this.#tries++, 8), LONGEST_WAIT), () => this.#ask(this.#door));
    }

    #after(ms, action) {
        const timer = setTimeout(() => {
            this.#timers.delete(timer);
            action();
        }, ms);
        this.#timers.add(timer);
    }
}
