// A call from the code to its end: who waits under the code is joined; where nobody does, the room is opened and waited
// in. Then a talk takes over.
//
// Attempts at the code are counted: one is spent when a share is answered (by us) or an answer used (by us), and given
// back only when that peer's first sealed message opens.

import { randomHex } from './bytes.js';
import { usableServers } from './ice.js';
import { BadShare, Newcomer, PakeSecret, answer } from './pake.js';
import { Reentry } from './reentry.js';
import { DoesNotOpen } from './seal.js';
import { Signaling, VERSION } from './signaling.js';
import { Talk } from './talk.js';

// Unproven attempts after which a code is given up.
export const ATTEMPTS = 3;
// Time to find the server and somebody in the room.
const SEARCHING = 8000;
// Time for their offer, and for the answer to ours.
const OFFERING = 15_000;
// The owner of a room that stays has a minute to let us in, and the refusal has to arrive.
const ASKING = 75_000;
// Who left and may be back, since their page is being loaded again, has this long.
const BACK = 30_000;
// Somebody waits, nobody does, somebody waits: the server makes fun of us.
const MOST_TURNS = 4;

const STAGES = ['joining', 'waiting', 'connecting', 'connected', 'ended'];

// Unproven attempts by code, for as long as the page is open.
const spent = new Map();

export class Call {
    #code;
    #media;
    #profile;
    #on;
    #secret;
    #signaling;
    #stage = 'joining';
    #talk = null;
    #newcomer = null;
    #seat = null;
    #attempt = null;
    #turns = 0;
    // From when the call stands.
    #reentry = null;
    #timer = null;
    #work = Promise.resolve();
    #makePeer;

    // `profile()`: what a hello says. `on`: stage(name), connected(verification), interrupted(bool), view(hello), chat(text),
    // track(event), ended(reason, detail). Stages: joining, waiting, connecting, connected; away: they may be back; outside, with a name: the
    // room's owner was asked to let us in.
    constructor({ code, url, media, profile, on, connect, makePeer }) {
        [this.#code, this.#media, this.#profile, this.#on, this.#makePeer] = [code, media, profile, on, makePeer];
        this.#secret = PakeSecret.derive(code);
        this.#secret.catch(() => {});
        const events = {
            message: (message) => this.#then(() => this.#message(message)),
            up: () => this.#talk?.signalingBack(),
            down: () => {},
        };
        this.#signaling = (connect ?? ((...how) => new Signaling(...how)))(url, events);
        this.#limit(SEARCHING, 'no-server');
        this.#then(() => this.#join());
    }

    get talk() {
        return this.#talk;
    }

    // `again`: we may be back in a moment.
    hangUp(again = false) {
        this.#stop();
        this.#talk?.hangUp(again);
        this.#signaling.close();
    }

    // The network is another one, or back.
    networkChanged() {
        this.#signaling.renew();
        this.#talk?.networkChanged();
    }

    // Everything that comes is dealt with one after the other.
    #then(step) {
        this.#work = this.#work
            .then(() => (this.#stage === 'ended' ? undefined : step()))
            .catch((error) => this.#end('internal', String(error?.message ?? error)));
    }

    #limit(ms, reason) {
        clearTimeout(this.#timer);
        this.#timer = ms === null ? null : setTimeout(() => this.#end(reason), ms);
    }

    #stop() {
        this.#stage = 'ended';
        this.#limit(null);
        this.#reentry?.stop();
    }

    // Forwards only: a connection may stand before the message that led to it is dealt with.
    #go(stage) {
        if (STAGES.indexOf(stage) <= STAGES.indexOf(this.#stage)) return;
        this.#stage = stage;
        this.#on.stage(stage);
    }

    #end(reason, detail = '') {
        if (this.#stage === 'ended') return;
        this.#stop();
        this.#talk?.close(true);
        this.#signaling.close();
        this.#on.ended(reason, detail);
    }

    async #join() {
        const secret = await this.#secret;
        this.#newcomer = new Newcomer(secret);
        this.#seat = null;
        const { roomId } = secret;
        this.#signaling.send({ type: 'join', version: VERSION, roomId, pake: this.#newcomer.share });
    }

    async #open() {
        const { roomId } = await this.#secret;
        this.#seat = null;
        this.#signaling.send({ type: 'open', version: VERSION, roomId });
    }

    async #message(message) {
        switch (message.type) {
            case 'joined':
                return this.#joined(message);
            case 'opened':
                return this.#opened(message);
            case 'peer-joined':
                return this.#somebodyCame(message);
            case 'peer-left':
                return this.#somebodyLeft(message);
            case 'resumed':
                return this.#resumed(message);
            case 'offer':
            case 'answer':
            case 'ice-candidate':
                return this.#sealed(message);
            case 'error':
                return this.#refused(message);
        }
    }

    #joined(seat) {
        if (this.#stage === 'connected') return this.#seatAgain(seat);
        if (this.#stage !== 'joining' || this.#seat) return;
        this.#seat = seat;
        this.#limit(OFFERING, 'they-left');
    }

    #opened(seat) {
        if (this.#stage === 'connected') return this.#seatAgain(seat);
        if (this.#stage !== 'joining' || this.#seat) return;
        this.#seat = seat;
        this.#limit(null);
        this.#go('waiting');
    }

    #spend() {
        const count = spent.get(this.#code.text) ?? 0;
        if (count >= ATTEMPTS) return false;
        spent.set(this.#code.text, count + 1);
        return true;
    }

    #giveBack() {
        spent.set(this.#code.text, (spent.get(this.#code.text) ?? 1) - 1);
    }

    #newTalk(keys, them, callId, polite, share) {
        const { peerId: me, iceServers = [] } = this.#seat;
        this.#talk = new Talk({
            keys,
            ids: { me, them, callId },
            polite,
            share,
            iceServers: usableServers(iceServers),
            media: this.#media,
            profile: this.#profile,
            send: (message) => this.#signaling.send(message),
            signalingUp: () => this.#signaling.up,
            makePeer: this.#makePeer,
            door: this.#code.lasting && polite,
            on: {
                outside: (owner) => {
                    this.#limit(ASKING, 'not-answered');
                    this.#on.stage('outside', owner);
                },
                inside: () => {
                    this.#limit(null);
                    this.#on.stage('connecting');
                },
                proved: () => this.#proved(),
                connected: (verification) => {
                    this.#go('connected');
                    this.#on.connected(verification);
                },
                interrupted: (is) => this.#on.interrupted(is),
                view: (hello) => this.#on.view(hello),
                chat: (text) => this.#on.chat(text),
                track: (event) => this.#on.track(event),
                ended: (reason, detail) => this.#talkEnded(reason, detail),
            },
        });
        this.#reentry = this.#newReentry(polite);
    }

    #newReentry(polite) {
        const ask = (door) => this.#then(() => (door === 'open' ? this.#open() : this.#join()));
        return new Reentry({ polite, talk: this.#talk, ask, send: (message) => this.#signaling.send(message) });
    }

    #seatAgain(seat) {
        if (this.#seat) return;
        this.#seat = seat;
        this.#newcomer = null;
        this.#reentry.seated(seat);
    }

    // Something of theirs opened: they know the code.
    #proved() {
        clearTimeout(this.#attempt?.limit);
        this.#attempt = null;
        this.#limit(null);
        this.#giveBack();
        this.#go('connecting');
    }

    #talkEnded(reason, detail) {
        // Somebody who is answered and has not proved the code is only an attempt.
        if (this.#attempt) this.#then(() => this.#dropAttempt(true));
        else if (reason === 'away' && this.#seat) this.#then(() => this.#waitAgain());
        else this.#end(reason === 'away' ? 'they-left' : reason, detail);
    }

    // Back to waiting, in the seat that we have. Whoever comes has to prove the words, as ever.
    #waitAgain() {
        const { them } = this.#talk;
        this.#reentry.stop();
        [this.#talk, this.#reentry, this.#stage] = [null, null, 'waiting'];
        // Their old connection to the server may seem alive for a while, and the room has two seats.
        this.#signaling.send({ type: 'dismiss', peerId: them });
        this.#limit(BACK, 'they-left');
        this.#on.stage('away');
    }

    // ---- we came second

    async #firstOffer(message) {
        if (typeof message.pake !== 'string' || message.from === this.#seat.peerId || !this.#newcomer) return;
        const newcomer = this.#newcomer;
        this.#newcomer = null;
        if (!this.#spend()) return this.#end('wrong-code');
        let keys;
        try {
            keys = await newcomer.finish(message.pake);
        } catch (error) {
            if (error instanceof BadShare) return this.#end('wrong-code');
            throw error;
        }
        this.#newTalk(keys, message.from, message.callId, true);
        this.#limit(null);
        try {
            await this.#talk.handle(message);
        } catch (error) {
            if (error instanceof DoesNotOpen) return this.#end('wrong-code');
            throw error;
        }
    }

    // ---- we came first

    async #somebodyCame({ peerId, pake }) {
        if (this.#stage === 'connected') return this.#reentry.somebodyCame(peerId);
        if (this.#stage !== 'waiting' || this.#attempt || typeof peerId !== 'string' || typeof pake !== 'string') {
            if (this.#seat && this.#stage !== 'joining') this.#signaling.send({ type: 'dismiss', peerId });
            return;
        }
        if (!this.#spend()) return this.#end('guessing');
        this.#attempt = { peerId, limit: setTimeout(() => this.#then(() => this.#dropAttempt(true)), OFFERING) };
        try {
            const { share, keys } = await answer(await this.#secret, pake);
            this.#newTalk(keys, peerId, randomHex(8), false, share);
            await this.#talk.offer();
        } catch (error) {
            if (!(error instanceof BadShare)) throw error;
            this.#dropAttempt(true);
        }
    }

    // An attempt came to nothing; the guess that it was stays spent.
    #dropAttempt(dismissed) {
        if (!this.#attempt) return;
        const { peerId, limit } = this.#attempt;
        clearTimeout(limit);
        this.#attempt = null;
        this.#talk?.close();
        this.#talk = null;
        if (dismissed) this.#signaling.send({ type: 'dismiss', peerId });
        if ((spent.get(this.#code.text) ?? 0) >= ATTEMPTS) this.#end('guessing');
    }

    async #proof(message) {
        try {
            await this.#talk.handle(message);
        } catch (error) {
            if (!(error instanceof DoesNotOpen)) throw error;
            this.#dropAttempt(true);
        }
    }

    // ---- both

    async #sealed(message) {
        if (!this.#seat) return;
        if (this.#attempt) {
            if (message.from !== this.#attempt.peerId) return;
            // Candidates that come before the answer would be older than it, and not open after it.
            return message.type === 'answer' ? this.#proof(message) : undefined;
        }
        if (this.#talk) return this.#toTalk(message);
        if (this.#stage === 'joining' && message.type === 'offer') return this.#firstOffer(message);
    }

    // What does not open is the server's doing, and changes nothing.
    async #toTalk(message) {
        try {
            await this.#talk?.handle(message);
        } catch (error) {
            if (!(error instanceof DoesNotOpen)) throw error;
        }
    }

    #somebodyLeft({ peerId, reason }) {
        if (this.#attempt) {
            if (peerId === this.#attempt.peerId) this.#dropAttempt(false);
        } else if (this.#talk) {
            // Lost is their way to the server only; media tells whether they are there.
            if (peerId === this.#talk.them && reason !== 'lost') this.#talk.theyLeft();
        } else if (this.#stage === 'joining' && this.#seat) {
            this.#joinAgain();
        }
    }

    // Who was there left before a word: the end of their last call, as a reloaded page meets it. We wait for them instead.
    #joinAgain() {
        if (++this.#turns > MOST_TURNS) return this.#end('they-left');
        this.#signaling.send({ type: 'leave-room' });
        return this.#join();
    }

    #resumed({ peers = [], iceServers = [] }) {
        if (this.#seat) {
            this.#seat = { ...this.#seat, iceServers };
            this.#talk?.serversChanged(usableServers(iceServers));
        }
        const there = (id) => peers.some((peer) => peer.peerId === id);
        if (this.#attempt && !there(this.#attempt.peerId)) this.#dropAttempt(false);
        else if (this.#stage === 'joining' && this.#seat && peers.length === 0) this.#end('they-left');
    }

    async #refused({ code, message = '' }) {
        if (this.#stage === 'connected') {
            if (this.#reentry.refused(code, this.#seat !== null)) this.#seat = null;
            return;
        }
        const asked = this.#stage === 'joining' && !this.#seat;
        switch (code) {
            case 'nobody-here':
            case 'room-taken':
                if (!asked) return;
                // A room that stays is its owner's to open.
                if (this.#code.lasting) return this.#end('not-open');
                if (++this.#turns > MOST_TURNS) return this.#end('meddled');
                return code === 'nobody-here' ? this.#open() : this.#join();
            case 'room-full':
                return asked ? this.#end('room-full') : undefined;
            case 'version':
                return this.#end('version');
            case 'server-full':
            case 'too-fast':
                return asked ? this.#end('refused', String(message).slice(0, 200)) : undefined;
            case 'dismissed':
                // Turned out right after our proof: it did not open, so the words were not theirs.
                if (this.#code.lasting) return this.#end(this.#talk ? 'they-left' : 'guarded');
                return this.#end(this.#talk ? 'wrong-code' : 'dismissed');
            case 'seat-gone':
                if (this.#stage !== 'waiting') return this.#end('they-left');
                this.#dropAttempt(false);
                // Unless that was one attempt too many.
                if (this.#stage !== 'waiting') return;
                this.#stage = 'joining';
                return this.#open();
        }
    }
}
