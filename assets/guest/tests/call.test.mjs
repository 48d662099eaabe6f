// Calls between two guests, with a server between them that may be nobody's friend: node --test assets/guest/tests
import './setup.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATTEMPTS } from '../call.js';
import { RoomCode } from '../code.js';
import { Newcomer, PakeSecret } from '../pake.js';
import { WORDS } from '../words.js';
import { Guest, world } from './world.mjs';

// Codes that find the same room and have other passwords. Attempts are counted by code, so each test takes its own.
const codes = (async () => {
    const found = [];
    for (const third of WORDS) {
        for (const fourth of WORDS.slice(0, 40)) {
            const code = await RoomCode.parse(`velvet canyon ${third} ${fourth}`).catch(() => null);
            if (code) found.push(code.text);
            if (found.length > 60) return found;
        }
    }
})();
let next = 0;
const fresh = async () => (await codes)[next++];

async function meet(w, code) {
    const one = await Guest.of(w, code, 'One');
    await one.until('stage', 'waiting');
    const two = await Guest.of(w, code, 'Two');
    return { one, two };
}

async function inCall(w, code) {
    const { one, two } = await meet(w, code);
    await Promise.all([one, two].flatMap((guest) => [guest.until('view'), guest.until('connected')]));
    return { one, two };
}

test('two who know the words meet, see the same number and each other’s name', async () => {
    const { one, two } = await inCall(world(), await fresh());
    const [[, a], [, b]] = [one.find('connected'), two.find('connected')];
    assert.equal(a, b);
    assert.match(a, /^(\d{5} ){4}\d{5}$/);
    assert.deepEqual([one.find('view')[1].name, two.find('view')[1].name], ['Two', 'One']);
    one.call.hangUp();
    assert.deepEqual(await two.until('ended'), ['ended', 'they-left', '']);
});

test('who loads the page again is waited for, and has to prove the words', async () => {
    for (const goes of [0, 1]) {
        const w = world();
        const code = await fresh();
        const { one, two } = await inCall(w, code);
        const [gone, stays] = goes ? [two, one] : [one, two];
        const before = stays.find('connected')[1];
        stays.events.length = 0;
        gone.call.hangUp(true);
        await stays.until('stage', 'away');
        const thief = await Guest.of(w, await fresh(), 'Thief');
        assert.equal((await thief.until('ended'))[1], 'wrong-code');
        const back = await Guest.of(w, code, 'Back');
        const [, number] = await stays.until('connected');
        assert.equal((await back.until('connected'))[1], number);
        assert.notEqual(number, before);
        [back, stays].forEach(({ call }) => call.hangUp());
    }
});

test('candidates of both reach the other side’s connection', async () => {
    const w = world();
    const { one, two } = await inCall(w, await fresh());
    const taken = () => w.connections.made.map(({ taken }) => taken.length).join();
    while (taken() !== '1,1') await new Promise(setImmediate);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('chat reaches the other side, cleaned', async () => {
    const { one, two } = await inCall(world(), await fresh());
    assert.equal(one.call.talk.chat(' Hi\u202e there '), 'Hi there');
    assert.equal(one.call.talk.chat('   '), null);
    assert.deepEqual(await two.until('chat'), ['chat', 'Hi there']);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('a flood over the control channel is heard at the app’s pace, and the rest of it is dropped', async () => {
    const now = performance.now;
    let time = now.call(performance);
    performance.now = () => time;
    try {
        const w = world();
        const { one, two } = await inCall(w, await fresh());
        time += 10_000;
        const [ours] = w.connections.made;
        const flood = (message) => {
            one.events.length = 0;
            for (let i = 0; i < 5000; i++) ours.on.control(JSON.stringify(message));
            return one.events.length;
        };
        assert.equal(flood({ type: 'chat', text: 'x' }), 600);
        time += 1000;
        assert.equal(flood({ type: 'hello', name: 'x', muted: false, videoOn: true }), 100);
        assert.equal(flood({ type: 'chat', text: 'x' }), 0);
        // Who is quiet again is heard again.
        time += 1000;
        two.call.talk.chat('still there?');
        assert.deepEqual(await one.until('chat'), ['chat', 'still there?']);
        [one, two].forEach(({ call }) => call.hangUp());
    } finally {
        performance.now = now;
    }
});

const turn = (username) => [{ urls: ['turn:turn.example'], username, credential: 'c' }];

test('who waits long, and who goes on long, uses the TURN credentials that came last', async () => {
    const w = world();
    const code = await fresh();
    const one = await Guest.of(w, code, 'One');
    await one.until('stage', 'waiting');
    const [server] = w.relay.clients;
    const resumed = (peers, username) =>
        server.on.message({ type: 'resumed', peerId: server.seat.peerId, resume: 'token', peers, iceServers: turn(username) });
    resumed([], '1700000000:a');
    resumed([], '1700086400:b');
    const two = await Guest.of(w, code, 'Two');
    await Promise.all([one, two].map((guest) => guest.until('connected')));
    const ours = w.connections.made.find(({ iceServers }) => iceServers.length > 0);
    assert.deepEqual(ours?.iceServers, turn('1700086400:b'));
    resumed([{ peerId: one.call.talk.them }], '1700172800:c');
    while (ours.iceServers[0].username !== '1700172800:c') await new Promise(setImmediate);
    assert.equal(one.find('ended'), undefined);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('chat that is written before the other side was heard arrives all the same', async () => {
    const w = world();
    w.connections.held = [];
    const { one, two } = await meet(w, await fresh());
    await Promise.all([one, two].map((guest) => guest.until('connected')));
    assert.equal(one.call.talk.chat('early'), 'early');
    w.connections.release();
    assert.deepEqual(await two.until('chat'), ['chat', 'early']);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('who has other words is told so, and who waits goes on waiting until three have failed', async () => {
    const w = world();
    const code = await fresh();
    const host = await Guest.of(w, code, 'Host');
    await host.until('stage', 'waiting');
    for (let i = 0; i < ATTEMPTS; i++) {
        assert.equal(host.find('ended'), undefined);
        const thief = await Guest.of(w, await fresh(), 'Thief');
        assert.deepEqual((await thief.until('ended')).slice(0, 2), ['ended', 'wrong-code']);
        assert.equal(thief.find('connected'), undefined);
    }
    assert.deepEqual((await host.until('ended')).slice(0, 2), ['ended', 'guessing']);
    // The count does not begin anew because the room does.
    const again = await Guest.of(w, code, 'Host');
    await again.until('stage', 'waiting');
    const late = await Guest.of(w, await fresh(), 'Late');
    assert.deepEqual((await again.until('ended')).slice(0, 2), ['ended', 'guessing']);
    // Who is left there before a word waits for somebody, as who finds nobody does.
    await late.until('stage', 'waiting');
    late.call.hangUp();
    // Nobody's offer was made for the one who came too late.
    assert.equal(w.connections.made.length, ATTEMPTS);
});

test('who comes while the other side is about to leave waits for it to come again', async () => {
    const [w, code] = [world(), await fresh()];
    const secret = await PakeSecret.derive(await RoomCode.parse(code));
    const leaving = w.relay.connect({ message: (message) => message.type === 'peer-joined' && leaving.send({ type: 'leave-room' }) });
    leaving.send({ type: 'open', roomId: secret.roomId });
    const guest = await Guest.of(w, code, 'Guest');
    await guest.until('stage', 'waiting');
    const friend = await Guest.of(w, code, 'Friend');
    await Promise.all([guest, friend].map((side) => side.until('connected')));
    [guest, friend].forEach(({ call }) => call.hangUp());
});

test('who answers with something that does not open is turned out', async () => {
    const w = world();
    const host = await Guest.of(w, await fresh(), 'Host');
    await host.until('stage', 'waiting');
    const secret = await PakeSecret.derive(await RoomCode.parse(await fresh()));
    let seat = null;
    const turnedOut = new Promise((done) => {
        const thief = w.relay.connect({
            message: (message) => {
                seat ??= message.peerId;
                const { roomId, from: to, callId } = message;
                const answer = { type: 'answer', roomId, from: seat, to, callId, n: 1, sealed: 'A'.repeat(40) };
                if (message.type === 'offer') thief.send(answer);
                if (message.code === 'dismissed') done();
            },
        });
        thief.send({ type: 'join', roomId: secret.roomId, pake: new Newcomer(secret).share });
    });
    await turnedOut;
    assert.equal(host.find('ended'), undefined);
    host.call.hangUp();
});

test('who takes the offer and leaves has used an attempt up, and who proves the words has not', async () => {
    const [w, code] = [world(), await fresh()];
    const host = await Guest.of(w, code, 'Host');
    await host.until('stage', 'waiting');
    // Both sides of this code count in one place here: a failed attempt, and one each that is under way.
    await (await Guest.of(w, await fresh(), 'Thief')).until('ended');
    const friend = await Guest.of(w, code, 'Friend');
    await friend.until('connected');
    [host, friend].forEach(({ call }) => call.hangUp());
    const again = await inCall(w, code);
    [again.one, again.two].forEach(({ call }) => call.hangUp());
});

test('a third one finds the room full', async () => {
    const [w, code] = [world(), await fresh()];
    const { one, two } = await inCall(w, code);
    const third = await Guest.of(w, code, 'Third');
    assert.deepEqual((await third.until('ended')).slice(0, 2), ['ended', 'room-full']);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('other keys in DTLS than the sealed ones end the call', async () => {
    const w = world();
    const make = w.connections.make;
    w.connections.make = (options) => {
        const peer = make(options);
        peer.used = () => new Uint8Array(32).fill(7);
        return peer;
    };
    const { one, two } = await meet(w, await fresh());
    const ends = await Promise.all([one, two].map((guest) => guest.until('ended')));
    assert.ok(ends.some(([, reason]) => reason === 'intercepted'), JSON.stringify(ends));
    assert.ok(![one, two].some((guest) => guest.find('connected')));
});

test('keys that the browser itself refuses are named as such, and no bad network', async () => {
    const w = world();
    const make = w.connections.make;
    w.connections.make = (options) => Object.assign(make(options), { refuses: w.connections.made.length === 2 });
    const { one, two } = await meet(w, await fresh());
    assert.equal((await two.until('ended'))[1], 'other-keys');
    assert.equal(two.find('connected'), undefined);
    one.call.hangUp();
});

test('a way that ICE did not find is a bad network', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const w = world();
    const make = w.connections.make;
    w.connections.make = (options) => {
        const peer = make(options);
        peer.stands = () => peer.on.failed(false);
        return peer;
    };
    const { one, two } = await meet(w, await fresh());
    await two.until('stage', 'connecting');
    t.mock.timers.tick(20_000);
    assert.equal((await two.until('ended'))[1], 'connect-failed');
    one.call.hangUp();
});

test('what a server changes, doubles or plays back changes nothing', async () => {
    const w = world();
    const seen = [];
    w.relay.meddle = (message) => {
        seen.push(message);
        const bent = { ...message, sealed: `${message.sealed.slice(0, -2)}AA`, n: message.n + 100 };
        // A first answer that does not open would be a wrong code; what comes after it is not.
        const first = seen.filter(({ type }) => type === message.type).length === 1;
        return first && message.type !== 'ice-candidate' ? [message] : [bent, ...seen.filter(({ to }) => to === message.to), message, message];
    };
    const { one, two } = await inCall(w, await fresh());
    assert.equal(one.find('connected')[1], two.find('connected')[1]);
    const [a] = w.connections.made;
    a.on.ice('disconnected');
    await one.until('interrupted', false);
    assert.ok(one.call.talk.chat('still the two of us'));
    await two.until('chat', 'still the two of us');
    [one, two].forEach(({ call }) => call.hangUp());
});

test('a server that says that the other side left cannot end a call through which packets get', async () => {
    const w = world();
    const { one, two } = await inCall(w, await fresh());
    one.call.talk.theyLeft();
    assert.equal(one.find('ended'), undefined);
    assert.ok(one.call.talk.chat('still here'));
    await two.until('chat', 'still here');
    [one, two].forEach(({ call }) => call.hangUp());
});

test('a path that breaks is mended by an offer that begins ICE anew', async () => {
    const w = world();
    const { one, two } = await inCall(w, await fresh());
    const [a, b] = w.connections.made;
    a.on.ice('disconnected');
    await one.until('interrupted', true);
    await one.until('interrupted', false);
    assert.equal(a.restarts, 1);
    assert.equal(a.generation !== undefined && a.other, b);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('where both offer at once one offer stands', async () => {
    const w = world();
    const { one, two } = await inCall(w, await fresh());
    const [a, b] = w.connections.made;
    const answers = [];
    w.relay.meddle = (message) => ((message.type === 'answer' && answers.push(message.from)), [message]);
    const by = async (count) => {
        while (answers.length < count) await new Promise(setImmediate);
        return answers;
    };
    a.on.ice('disconnected');
    b.on.ice('disconnected');
    const [newcomer] = await by(1);
    await Promise.all([one, two].map((guest) => guest.until('interrupted', false)));
    // The next one is answered after whatever came before it was dealt with.
    b.on.ice('disconnected');
    const [, host] = await by(2);
    assert.notEqual(host, newcomer);
    await Promise.all([one, two].map(({ call }) => call.talk.mediaChanged()));
    assert.deepEqual([w.connections.made.length, answers.length], [2, 2]);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('after a server has forgotten both they find each other again and can mend a path', async () => {
    const w = world();
    const { one, two } = await inCall(w, await fresh());
    const before = w.relay.clients.map(({ seat }) => seat.peerId);
    w.relay.forget();
    while (w.relay.clients.some(({ seat }) => !seat)) await new Promise(setImmediate);
    const names = w.relay.clients.map(({ seat }) => seat.peerId);
    assert.ok(!names.some((name) => before.includes(name)));
    while (one.call.talk.them !== names[1] || two.call.talk.them !== names[0]) await new Promise(setImmediate);
    const [a] = w.connections.made;
    a.on.ice('disconnected');
    await one.until('interrupted', false);
    assert.equal(a.restarts, 1);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('somebody else who comes into the room of a call is not taken for the other side', async () => {
    const w = world();
    const { one, two } = await inCall(w, await fresh());
    const [{ on, seat }, { seat: theirs }] = w.relay.clients;
    on.message({ type: 'peer-joined', peerId: 'stranger', pake: 'x' });
    const { roomId, peerId: to } = seat;
    on.message({ type: 'ice-candidate', roomId, from: 'stranger', to, callId: 'call', n: 99, sealed: 'A'.repeat(40) });
    // What comes after it is dealt with after it.
    w.connections.made[1].on.ice('disconnected');
    await two.until('interrupted', false);
    assert.equal(one.call.talk.them, theirs.peerId);
    [one, two].forEach(({ call }) => call.hangUp());
});

test('a server that says there is somebody and there is nobody in turns is not followed for ever', async () => {
    const w = world();
    const connect = w.relay.connect;
    w.relay.connect = (on) => {
        const client = connect(on);
        client.send = ({ type }) => {
            const code = { join: 'nobody-here', open: 'room-taken' }[type];
            if (code) queueMicrotask(() => on.message({ type: 'error', code }));
        };
        return client;
    };
    const guest = await Guest.of(w, await fresh(), 'Guest');
    assert.deepEqual((await guest.until('ended')).slice(0, 2), ['ended', 'meddled']);
});

test('any message of a server is read or passed over', async () => {
    const w = world();
    const guest = await Guest.of(w, await fresh(), 'Guest');
    await guest.until('stage', 'waiting');
    const odd = [null, undefined, 7, '', [], {}, 'x'.repeat(1000), { peerId: 1 }];
    const types = ['opened', 'joined', 'resumed', 'peer-joined', 'peer-left', 'offer', 'answer', 'ice-candidate', 'error', 'weather'];
    for (const type of types) {
        for (const value of odd) {
            const fields = ['peerId', 'pake', 'peers', 'iceServers', 'from', 'to', 'callId', 'n', 'sealed', 'code', 'reason'];
            w.relay.clients[0].on.message({ type, ...Object.fromEntries(fields.map((field) => [field, value])) });
        }
    }
    w.relay.clients[0].on.message({ type: 'error', code: 'version' });
    assert.deepEqual((await guest.until('ended')).slice(0, 2), ['ended', 'version']);
});
