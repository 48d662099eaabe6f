// Two peers with keys: sealed descriptions and candidates, the connection that comes of them, and what is said over it.
//
// Both may offer at any time, and one of them gives way (perfect negotiation, W3C webrtc-pc, section 10.7): the newcomer.
// Everything that happens is worked off one after the other.

import { cleanChat, cleanName, readControl } from './control.js';
import { Peer } from './peer.js';
import { CandidateCount, Unusable, checkCandidate, checkDescription, generationOf } from './sdp.js';
import { DoesNotOpen } from './seal.js';

// From keys to media.
const CONNECTING = 20_000;
// Without a packet for so long, the call is over.
const OVER = 30_000;
// From one attempt at a broken path to the next: doubled from the first to the last.
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 4000;
// An offer is on its way for so long at most: servers keep what they could not deliver.
const ON_ITS_WAY = 8000;
// Who closed a connection to build another offers that within this time.
const NEW_OFFER = 1000;
// Connections that one call may use up, one after the other.
const MOST_CONNECTIONS = 6;
// Descriptions that one side may send at once, and how often one more, in ms.
const DESCRIPTIONS = [10, 1000];
// The same for what is said over the control channel, which the app reads at the same pace.
const CONTROL_MESSAGES = [600, 10];
// Lines of chat that wait for the channel.
const MOST_UNSENT = 500;
// What the owner of a room that stays may say instead of letting us in; anything else means that they do not want to.
const REFUSED = { unanswered: 'not-answered', busy: 'room-full', quiet: 'not-asked' };

const sameBytes = (a, b) => a?.length === b?.length && a.every((byte, i) => byte === b[i]);

// So many at once, and one more each `every` ms.
class Budget {
    constructor([most, every]) {
        [this.most, this.every, this.left, this.at] = [most, every, most, performance.now()];
    }

    // Whether this one is within it.
    take() {
        const more = Math.floor((performance.now() - this.at) / this.every);
        this.left = Math.min(this.most, this.left + more);
        this.at += more * this.every;
        if (this.left <= 0) return false;
        this.left -= 1;
        return true;
    }
}

export class Talk {
    #keys;
    #ids;
    #polite;
    #share;
    #send;
    #signalingUp;
    #on;
    #makePeer;
    #profile;
    #peer = null;
    #connection = 0;
    #announced = null;
    #generation = '';
    #candidates = new CandidateCount();
    #descriptions = new Budget(DESCRIPTIONS);
    #heard = new Budget(CONTROL_MESSAGES);
    #iceServers;
    // Our offer that is unanswered: its generation, and when it was made.
    #offered = null;
    #proved = false;
    // There is a room that stays: whether its owner may have to let us in, and whether we said who we are.
    #door;
    #knocked = false;
    #stands = false;
    // Connections whose keys the browser refused, one after the other.
    #refused = 0;
    #interruption = null;
    #timers = new Map();
    #work = Promise.resolve();
    #outbox = Promise.resolve();
    #greeted = false;
    #unsent = [];
    // The server says so, and has not been contradicted.
    #left = false;
    // They sit on the server too, under the name that we know.
    #here = true;
    #over = false;

    // `ids`: { me, them, callId }. `share`: ours, to go with the first offer. `profile()`: what a hello says. `send`: to
    // the signaling server. `on`: proved(), once something of theirs opens; connected(verification), interrupted(bool),
    // view(hello), chat(text), track(event), ended(reason, detail); where there is a `door`, outside(owner) and inside().
    constructor({ keys, ids, polite, share = null, door = false, iceServers, media, profile, send, signalingUp, on, makePeer }) {
        [this.#keys, this.#ids, this.#polite, this.#share] = [keys, ids, polite, share];
        [this.#send, this.#signalingUp, this.#on, this.#profile] = [send, signalingUp, on, profile];
        this.#door = door;
        this.#iceServers = iceServers;
        const make = makePeer ?? ((options) => new Peer(options));
        this.#makePeer = (events) => make({ iceServers: this.#iceServers, media, on: events });
        this.#timer('connecting', CONNECTING, () => this.#end('connect-failed'));
    }

    get them() {
        return this.#ids.them;
    }

    get over() {
        return this.#over;
    }

    // Host: makes the first offer.
    offer() {
        return this.#then(() => this.#offer(false));
    }

    // A sealed message of theirs. Rejects with DoesNotOpen for what is not theirs; everything else is dealt with.
    async handle(message) {
        await this.#then(async () => {
            try {
                await this.#open(message);
            } catch (error) {
                if (error instanceof DoesNotOpen) throw error;
                if (error instanceof Unusable) this.#end('unusable', error.message);
                else this.#end('unusable', `a description that this browser refuses (${error?.message ?? error})`);
            }
        });
    }

    // Another camera or microphone, or none.
    async mediaChanged() {
        await this.#then(() => this.#peer?.refresh());
        this.sayHello();
    }

    sayHello() {
        this.#peer?.say({ type: 'hello', ...this.#profile() });
    }

    // The line as it is sent; null where there is nothing to send, or nobody to send it to.
    chat(text) {
        const line = cleanChat(text);
        if (!line || !this.#stands || this.#unsent.length >= MOST_UNSENT) return null;
        if (this.#greeted) this.#peer.say({ type: 'chat', text: line });
        else this.#unsent.push(line);
        return line;
    }

    // The server's credentials for TURN end; these are newer. They serve from the next time that ICE begins anew.
    serversChanged(iceServers) {
        this.#iceServers = iceServers;
        this.#peer?.useServers(iceServers);
    }

    // We have another name on the server; whoever is there is a stranger until something of theirs opens.
    seated(me) {
        this.#ids.me = me;
        this.#here = false;
        // What was on its way did not arrive.
        this.#offered = null;
    }

    // Shows somebody in the room that we are there, if they can open it: a candidate that is none.
    greet(name) {
        this.#say('ice-candidate', { candidate: null }, name);
    }

    // The server says that they left the room. It may lie, so the call ends only when nothing gets through either.
    theyLeft() {
        [this.#left, this.#here] = [true, false];
        if (!this.#stands) this.#end('they-left');
        else if (this.#interruption) this.#end('they-left');
    }

    signalingBack() {
        if (this.#interruption) this.#mend();
    }

    // The network is another one, or back.
    networkChanged() {
        if (this.#interruption) this.#interruption.tries = 0;
        else if (this.#stands) this.restartIce().catch(() => {});
    }

    // Begins ICE anew, though nothing is wrong.
    restartIce() {
        return this.#then(() => this.#offer(true));
    }

    stats() {
        return this.#peer?.stats();
    }

    // `again`: we may be back in a moment.
    hangUp(again = false) {
        this.#peer?.say({ type: 'bye', again: again || undefined });
        this.close(true);
    }

    close(farewell = false) {
        this.#over = true;
        for (const timer of this.#timers.values()) clearTimeout(timer);
        this.#peer?.close(farewell);
        this.#peer = null;
    }

    #then(step) {
        const done = this.#work.then(() => (this.#over ? undefined : step()));
        this.#work = done.catch(() => {});
        return done;
    }

    #timer(name, ms, action) {
        clearTimeout(this.#timers.get(name));
        if (ms !== null) this.#timers.set(name, setTimeout(() => !this.#over && action(), ms));
    }

    #end(reason, detail = '') {
        if (this.#over) return;
        // Whatever came of it: there was a way, and what it led to were no keys that belong here.
        if (!this.#stands && this.#refused && ['connect-failed', 'they-left'].includes(reason)) reason = 'other-keys';
        if (!['they-left', 'away'].includes(reason)) this.#peer?.say({ type: 'bye' });
        this.close(true);
        this.#on.ended(reason, detail);
    }

    #newPeer() {
        this.#peer?.close();
        const of = this.#connection;
        // Events of a connection that was given up change nothing.
        const when = (f) => (...values) => !this.#over && of === this.#connection && f(...values);
        [this.#offered, this.#greeted, this.#announced] = [null, false, null];
        this.#timer('closed', null);
        this.#peer = this.#makePeer({
            candidate: when((candidate, generation) => this.#say('ice-candidate', { candidate, generation })),
            connected: when(() => this.#connected()),
            ice: when((state) => this.#ice(state)),
            failed: when((through) => this.#failed(through)),
            opened: when(() => this.sayHello()),
            control: when((text) => this.#control(text)),
            channelClosed: when(() => this.#channelClosed()),
            track: when((event) => this.#on.track(event)),
        });
    }

    async #offer(restart) {
        if (!this.#peer) this.#newPeer();
        const sdp = await this.#peer.offer({ restart });
        this.#offered = { generation: generationOf(sdp), at: performance.now() };
        this.#say('offer', { sdp });
        this.#peer.described();
    }

    async #open(message) {
        const { from, to, callId, type } = message;
        if (to !== this.#ids.me || callId !== this.#ids.callId) throw new DoesNotOpen('of another call');
        const plain = await this.#keys.opener.open(type, message);
        this.#recognise(from);
        if (!this.#proved) this.#on.proved();
        this.#proved = true;
        let body;
        try {
            body = JSON.parse(plain);
        } catch {
            throw new Unusable('what is no JSON');
        }
        if (this.#door && type === 'offer' && (body?.hold || body?.refused)) return this.#atDoor(body);
        const connection = body?.connection ?? 0;
        if (type === 'ice-candidate') return this.#candidate(body, connection);
        if (!this.#descriptions.take()) throw new Unusable('too many descriptions');
        const facts = checkDescription(body?.sdp);
        if (type === 'answer') return this.#answered(body, connection, facts);
        if (type === 'offer') return this.#offeredByThem(body, connection, facts);
    }

    // The owner of a room that stays lets each caller in; until then neither side tells the other an address.
    #atDoor({ hold, refused }) {
        if (refused) return this.#end(REFUSED[refused] ?? 'declined');
        if (this.#knocked) return;
        this.#knocked = true;
        this.#timer('connecting', null);
        this.#say('answer', { knock: { name: this.#profile().name, guest: true } });
        this.#on.outside(cleanName(typeof hold.name === 'string' ? hold.name : ''));
    }

    #letIn() {
        this.#door = false;
        if (!this.#knocked) return;
        this.#timer('connecting', CONNECTING, () => this.#end('connect-failed'));
        this.#on.inside();
    }

    // They sealed something under this name: it is theirs.
    #recognise(name) {
        const news = !this.#here || name !== this.#ids.them;
        [this.#ids.them, this.#here, this.#left] = [name, true, false];
        if (news && this.#interruption) this.#mend();
    }

    async #candidate(body, connection) {
        const candidate = checkCandidate(body?.candidate);
        const { generation = this.#generation } = body ?? {};
        if (!candidate || connection !== this.#connection || generation !== this.#generation || !this.#peer) return;
        if (this.#candidates.take(generation)) await this.#peer.addCandidate(candidate);
    }

    async #answered(body, connection, facts) {
        const of = body.answers ?? this.#offered?.generation;
        if (connection !== this.#connection || !this.#offered || of !== this.#offered.generation) return;
        this.#remember(facts);
        this.#offered = null;
        await this.#peer.accept(body.sdp);
    }

    async #offeredByThem(body, connection, facts) {
        if (!Number.isInteger(connection) || connection < this.#connection) return;
        if (this.#door) this.#letIn();
        if (connection >= MOST_CONNECTIONS) throw new Unusable('too many descriptions');
        if (connection > this.#connection || !this.#peer) {
            const anew = connection > this.#connection;
            this.#connection = connection;
            this.#newPeer();
            if (anew) this.#connectsAnew();
        } else if (this.#offered && !this.#polite && !this.#offerIsOld()) {
            // Both offered: ours stands, and they answer it.
            return;
        }
        this.#remember(facts);
        this.#offered = null;
        const sdp = await this.#peer.answer(body.sdp);
        this.#say('answer', { sdp, answers: facts.generation || undefined });
        this.#peer.described();
    }

    // Whose keys stay the same as long as the connection does.
    #remember({ fingerprint, generation }) {
        if (this.#stands && this.#announced && !sameBytes(this.#announced, fingerprint)) {
            throw new Unusable('other keys in the middle of the call');
        }
        [this.#announced, this.#generation] = [fingerprint, generation];
    }

    #connectsAnew() {
        this.#stands = false;
        this.#interruption = null;
        this.#timer('mend', null);
        this.#timer('over', null);
        this.#timer('connecting', CONNECTING, () => this.#end('connect-failed'));
    }

    #offerIsOld() {
        return performance.now() - this.#offered.at > ON_ITS_WAY;
    }

    // Seals in the order in which things are said; the counter is the order.
    #say(type, body, to = this.#ids.them) {
        const [{ me: from, callId }, share] = [this.#ids, this.#share];
        this.#share = null;
        const plain = JSON.stringify({ ...body, connection: this.#connection || undefined });
        this.#outbox = this.#outbox.then(async () => {
            const envelope = await this.#keys.sealer.seal(type, { from, to, callId }, plain);
            if (!this.#over) this.#send({ type, ...envelope, ...(share && { pake: share }) });
        });
    }

    async #connected() {
        const peer = this.#peer;
        const used = await peer.usedFingerprint();
        if (this.#over || peer !== this.#peer) return;
        const [mine, theirs] = [peer.fingerprint, this.#announced];
        if (!mine || !theirs || (used && !sameBytes(used, theirs))) return this.#end('intercepted');
        const verification = await this.#keys.transcript.verificationNumber(mine, theirs);
        if (this.#over || peer !== this.#peer) return;
        this.#stands = true;
        this.#timer('connecting', null);
        this.#on.connected(verification);
        this.sayHello();
    }

    #ice(state) {
        if (!this.#stands) return;
        if (state === 'connected' || state === 'completed') this.#mended();
        if (state === 'disconnected' || state === 'failed') this.#interrupted();
    }

    #failed(through) {
        if (this.#stands) return this.#interrupted();
        // The other side may build the connection anew; the limit ends it.
        if (!through) return;
        // The browser holds DTLS to the description's fingerprint (RFC 8122, section 6.2), and does not say more.
        this.#refused += 1;
        if (this.#refused > 1) this.#end('other-keys');
        else this.#timer('closed', NEW_OFFER, () => this.#end('other-keys'));
    }

    #interrupted() {
        if (this.#interruption) return;
        if (this.#left) return this.#end('they-left');
        this.#interruption = { tries: 0 };
        this.#on.interrupted(true);
        this.#timer('over', OVER, () => this.#end('lost'));
        this.#mend();
    }

    // One attempt at it; the next one is due after a while.
    #mend() {
        const { tries } = this.#interruption;
        this.#interruption.tries += 1;
        const wait = Math.min(FIRST_WAIT * 2 ** Math.min(tries, 8), LONGEST_WAIT);
        this.#timer('mend', wait, () => this.#interruption && this.#mend());
        if (!this.#here || !this.#signalingUp() || (this.#offered && !this.#offerIsOld())) return;
        this.#then(() => this.#interruption && this.#offer(true)).catch(() => {});
    }

    #mended() {
        if (!this.#interruption) return;
        this.#interruption = null;
        this.#timer('mend', null);
        this.#timer('over', null);
        this.#on.interrupted(false);
    }

    // Nothing holds a sender back here, as the app does: what comes too fast is passed over, before it is read.
    #control(text) {
        if (!this.#heard.take()) return;
        const message = readControl(text);
        if (message?.type === 'hello') {
            const first = !this.#greeted;
            this.#greeted = true;
            this.#on.view(message);
            // A first hello of ours may have come before their end was open. Whoever is heard has an open end.
            if (first) {
                this.sayHello();
                for (const line of this.#unsent.splice(0)) this.#peer.say({ type: 'chat', text: line });
            }
        } else if (message?.type === 'chat') {
            if (message.text) this.#on.chat(message.text);
        } else if (message?.type === 'bye') {
            this.#end(message.again && this.#stands ? 'away' : 'they-left');
        } else if (message?.type === 'ping') {
            this.#peer.say({ type: 'pong', id: message.id });
        }
    }

    #channelClosed() {
        if (this.#greeted) this.#end('they-left');
        else this.#timer('closed', NEW_OFFER, () => this.#end('they-left'));
    }
}
