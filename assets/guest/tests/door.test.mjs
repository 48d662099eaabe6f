// Rooms that stay: what a guest says and hears at their door. The owner is an app, so one is played here.
import './setup.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomCode } from '../code.js';
import { ending } from '../endings.js';
import { PakeSecret, answer } from '../pake.js';
import { WORDS } from '../words.js';
import { Guest, world } from './world.mjs';

// Attempts are counted by code, so each test takes its own.
const codes = (async () => {
    const found = [];
    for (const last of WORDS) {
        const code = await RoomCode.parse(`velvet canyon orbit zero garden ${last}`).catch(() => null);
        if (code) found.push(code.text);
    }
    return found;
})();
let next = 0;
const fresh = async () => (await codes)[next++];

// An owner who tells newcomers to hold, as the app does; `heard` are their answers, opened.
class Owner {
    heard = [];
    #waiting = [];

    static async of({ relay }, text) {
        const owner = new Owner();
        const code = await RoomCode.parse(text);
        owner.secret = await PakeSecret.derive(code);
        owner.roomId = owner.secret.roomId;
        await new Promise((opened) => {
            owner.client = relay.connect({ message: (message) => owner.#message(message, opened) });
            owner.client.send({ type: 'open', roomId: owner.roomId });
        });
        return owner;
    }

    async #message(message, opened) {
        if (message.type === 'opened') {
            this.me = message.peerId;
            opened();
        } else if (message.type === 'peer-joined') {
            const { share, keys } = await answer(this.secret, message.pake);
            [this.keys, this.ids] = [keys, { from: this.me, to: message.peerId, callId: 'c0ffee' }];
            await this.say({ hold: { name: this.name ?? 'Ann' } }, share);
        } else if (message.type === 'answer') {
            this.heard.push(JSON.parse(await this.keys.opener.open('answer', message)));
            for (const look of this.#waiting.splice(0)) look();
        }
    }

    async say(body, share) {
        const sealed = await this.keys.sealer.seal('offer', this.ids, JSON.stringify(body));
        this.last = { type: 'offer', roomId: this.roomId, ...this.ids, ...sealed, ...(share && { pake: share }) };
        this.client.send(this.last);
    }

    async hears(count) {
        while (this.heard.length < count) await new Promise((done) => this.#waiting.push(done));
        return this.heard[count - 1];
    }
}

test('a guest knocks by name, tells nothing else, and comes in when they are let in', async () => {
    const w = world();
    const [text, sent] = [await fresh(), []];
    w.relay.meddle = (message) => (sent.push(message), [message]);
    const owner = await Owner.of(w, text);
    const guest = await Guest.of(w, text, 'Ada');
    assert.deepEqual(await owner.hears(1), { knock: { name: 'Ada', guest: true } });
    await guest.until('stage', 'outside');
    assert.deepEqual(guest.find('stage', 'outside'), ['stage', 'outside', 'Ann']);
    // No connection was made, so no address was found or told.
    assert.equal(w.connections.made.length, 0);
    assert.deepEqual(sent.filter(({ from }) => from !== owner.me).map(({ type }) => type), ['answer']);
    const host = w.connections.make({ media: {}, on: new Proxy({}, { get: () => () => {} }) });
    await owner.say({ sdp: await host.offer({ restart: false }) });
    const { sdp } = await owner.hears(2);
    await host.accept(sdp);
    await guest.until('connected');
    const stages = guest.events.filter(([kind]) => kind === 'stage').map(([, stage]) => stage);
    assert.deepEqual(stages.slice(-3), ['outside', 'connecting', 'connected']);
    guest.call.hangUp();
});

test('a refusal is told as what it is', async () => {
    for (const [refused, reason] of [
        ['declined', 'declined'], ['unanswered', 'not-answered'], ['busy', 'room-full'], ['quiet', 'not-asked'],
        ['a newer word', 'declined'],
    ]) {
        const w = world();
        const text = await fresh();
        const owner = await Owner.of(w, text);
        const guest = await Guest.of(w, text, 'Ada');
        await owner.hears(1);
        await owner.say({ refused });
        assert.equal((await guest.until('ended'))[1], reason);
        assert.equal(w.connections.made.length, 0);
    }
});

test('a server can neither let in nor refuse in the owner’s name, nor ring twice', async () => {
    const w = world();
    const text = await fresh();
    const owner = await Owner.of(w, text);
    const guest = await Guest.of(w, text, 'Ada');
    await owner.hears(1);
    const hold = owner.last;
    const { client } = owner;
    client.send(hold);
    client.send({ ...hold, n: 2 });
    client.send({ ...hold, sealed: 'AAAA', n: 3 });
    // A second hold that is really theirs changes nothing either; what comes after it is heard.
    await owner.say({ hold: { name: 'Eve' } });
    await owner.say({ refused: 'declined' });
    assert.equal((await guest.until('ended'))[1], 'declined');
    assert.equal(owner.heard.length, 1);
    assert.equal(guest.events.filter(([, stage]) => stage === 'outside').length, 1);
});

test('an owner who leaves, or whose room is closed, ends the waiting', async () => {
    for (const leave of [(owner) => owner.client.close(), (owner) => owner.client.send({ type: 'dismiss', peerId: owner.ids.to })]) {
        const w = world();
        const text = await fresh();
        const owner = await Owner.of(w, text);
        const guest = await Guest.of(w, text, 'Ada');
        await guest.until('stage', 'outside');
        leave(owner);
        assert.equal((await guest.until('ended'))[1], 'they-left');
    }
});

test('a name at the door is cleaned and bounded, and what is none is nobody’s', async () => {
    for (const [name, shown] of [[`An\u202en\n${'x'.repeat(5000)}`, `Ann${'x'.repeat(61)}`], [7, ''], [{ a: 1 }, '']]) {
        const w = world();
        const text = await fresh();
        const owner = await Owner.of(w, text);
        owner.name = name;
        const guest = await Guest.of(w, text, 'Ada');
        assert.deepEqual(await guest.until('stage', 'outside'), ['stage', 'outside', shown]);
        guest.call.hangUp();
    }
});

test('a room that stays is its owner’s to open', async () => {
    const guest = await Guest.of(world(), await fresh(), 'Ada');
    assert.equal((await guest.until('ended'))[1], 'not-open');
});

test('who is turned away before a word hears that the room answers nobody for a moment', async () => {
    const w = world();
    const code = await RoomCode.parse(await fresh());
    const { roomId } = await PakeSecret.derive(code);
    const guarded = w.relay.connect({
        message: ({ type, peerId }) => type === 'peer-joined' && guarded.send({ type: 'dismiss', peerId }),
    });
    guarded.send({ type: 'open', roomId });
    const guest = await Guest.of(w, code.text, 'Ada');
    assert.equal((await guest.until('ended'))[1], 'guarded');
});

test('under four words nobody is told to hold', async () => {
    const w = world();
    const text = 'velvet-canyon-orbit-zero';
    const owner = await Owner.of(w, text);
    const guest = await Guest.of(w, text, 'Ada');
    assert.equal((await guest.until('ended'))[1], 'unusable');
    assert.deepEqual(owner.heard, []);
});

test('a wrong word is told as such, and knocks at nobody’s door', async () => {
    const w = world();
    const owner = await Owner.of(w, await fresh());
    const guest = await Guest.of(w, await fresh(), 'Ada');
    assert.equal((await guest.until('ended'))[1], 'wrong-code');
    assert.deepEqual(owner.heard, []);
});

test('the words of a room that stays are good for the next call too', () => {
    for (const reason of ['hung-up', 'they-left']) {
        assert.equal(ending(reason, '', true, true).again, 'Call again');
        assert.equal(ending(reason, '', true, false).again, '');
    }
    for (const reason of ['declined', 'not-answered', 'not-open', 'guarded']) {
        const { heading, sentence } = ending(reason, '', false, true);
        assert.ok(heading && sentence && heading !== ending('internal').heading, reason);
    }
});
