// What is read of the other side and of the server, and what is remembered: node --test assets/guest/tests
import './setup.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOfHash, troubleOfLink } from '../code.js';
import { cleanChat, cleanName, readControl } from '../control.js';
import { ending } from '../endings.js';
import { renewIn, usableServers } from '../ice.js';
import { rankCodecs } from '../peer.js';
import { CandidateCount, Unusable, checkCandidate, checkDescription, fingerprintOf, generationOf } from '../sdp.js';
import { Signaling, Standing } from '../signaling.js';

const fingerprint = (byte) => `a=fingerprint:sha-256 ${Array(32).fill(byte).join(':')}\r\n`;

test('a fingerprint is read, may be repeated, and may not be missing, short or contradicted', () => {
    assert.deepEqual(fingerprintOf(`v=0\r\n${fingerprint('AB')}m=audio\r\n${fingerprint('ab')}`), new Uint8Array(32).fill(0xab));
    for (const bad of ['v=0', 'a=fingerprint:sha-256 AA:BB\r\n', `${fingerprint('01')}${fingerprint('02')}`]) {
        assert.equal(fingerprintOf(bad), null);
        assert.throws(() => checkDescription(bad), Unusable);
    }
});

test('the generation of a description is that of its last section', () => {
    assert.equal(generationOf('a=ice-ufrag:one\r\nm=audio\r\na=ice-ufrag:two\r\n'), 'two');
    assert.equal(generationOf('v=0'), '');
    assert.equal(checkDescription(`${fingerprint('01')}a=ice-ufrag:abcd\r\n`).generation, 'abcd');
});

test('descriptions larger than any app sends are refused', () => {
    const one = fingerprint('01');
    const candidate = 'a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n';
    checkDescription(one + 'm=video 9\r\n'.repeat(6) + candidate.repeat(64));
    for (const bad of ['m=video 9\r\n'.repeat(7), candidate.repeat(65), 'x'.repeat(40_000)]) {
        assert.throws(() => checkDescription(one + bad), Unusable);
    }
    for (const bad of [null, 7, {}, undefined]) assert.throws(() => checkDescription(bad), Unusable);
});

test('a candidate keeps what is known of it and loses the rest', () => {
    const line = 'candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host';
    const sent = { candidate: line, sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null, url: 'x' };
    assert.deepEqual(checkCandidate(sent), { candidate: line, sdpMid: '0', sdpMLineIndex: 0 });
    for (const bad of [
        null, 'candidate', {}, { candidate: 7 }, { candidate: 'x'.repeat(513) }, { candidate: 'é' },
        { candidate: line, sdpMid: 7 }, { candidate: line, sdpMLineIndex: 6 }, { candidate: line, sdpMLineIndex: -1 },
        { candidate: line, sdpMLineIndex: 0.5 }, { candidate: line, usernameFragment: [] },
    ]) {
        assert.equal(checkCandidate(bad), null, JSON.stringify(bad));
    }
});

test('candidates are counted for each generation', () => {
    const count = new CandidateCount();
    const taken = (generation) => Array.from({ length: 70 }, () => count.take(generation)).filter(Boolean).length;
    assert.deepEqual([taken('a'), taken('b')], [64, 64]);
});

test('names and chat lose what could forge what stands beside them', () => {
    assert.equal(cleanName(`A\u202enn\n${'x'.repeat(200)}`).length, 64);
    assert.equal(cleanName(' A\u202en\u0007n '), 'Ann');
    assert.equal(Array.from(cleanChat('🙂'.repeat(3000))).length, 2000);
});

test('control messages are read or refused', () => {
    const hello = { type: 'hello', name: 'Ann', muted: true, videoOn: false };
    assert.deepEqual(readControl(JSON.stringify(hello)), { ...hello, hasCamera: true, soundOnly: false });
    for (const bad of [
        '', '{', '[]', 'null', '{"type":"wave"}', '{"type":"hello"}', '{"type":"hello","name":1,"muted":true,"videoOn":true}',
        '{"type":"hello","name":"a","muted":1,"videoOn":true}', '{"type":"chat"}', '{"type":"ping","id":"1"}',
        `{"type":"chat","text":"${'x'.repeat(20_000)}"}`,
    ]) {
        assert.equal(readControl(bad), null, bad.slice(0, 60));
    }
    assert.equal(readControl(new ArrayBuffer(8)), null);
});

test('H.264 in mode 1 comes first, constrained baseline before others, and nothing is lost', () => {
    const h264 = (mode, profile) => ({ mimeType: 'video/H264', sdpFmtpLine: `packetization-mode=${mode};profile-level-id=${profile}` });
    const codecs = [{ mimeType: 'video/VP8' }, h264(0, '42e01f'), h264(1, '4d001f'), { mimeType: 'video/rtx' }, h264(1, '42e01f')];
    const ranked = rankCodecs(codecs);
    assert.deepEqual(ranked, [codecs[4], codecs[2], codecs[1], codecs[0], codecs[3]]);
});

test('of a server’s list of ICE servers only what browsers take is kept', () => {
    const turn = { urls: ['turn:turn.example?transport=udp', 'turns:[2001:db8::1]:443?transport=tcp'], username: 'u', credential: 'c' };
    assert.deepEqual(usableServers([turn]), [turn]);
    assert.deepEqual(usableServers([{ urls: ['turn:turn.example', 'stun:stun.example:3478'] }]), [{ urls: ['stun:stun.example:3478'] }]);
    for (const bad of [null, 'x', [null], [7], [{}], [{ urls: 'stun:x' }], [{ urls: ['http://x', 'stun:a b', 7] }]]) {
        assert.deepEqual(usableServers(bad), [], JSON.stringify(bad));
    }
    assert.equal(usableServers(Array(50).fill({ urls: ['stun:stun.example'] })).length, 4);
});

const turn = (username) => ({ urls: ['turn:turn.example'], username, credential: 'c' });

test('TURN credentials are fetched anew after half of their time, within bounds', () => {
    const now = 1_700_000_000_000;
    const seconds = (...names) => renewIn(names.map(turn), now) / 1000;
    assert.equal(seconds('1700003600:ab'), 1800);
    assert.equal(seconds('1700003600:ab', 'ann', '1700001800:cd'), 900);
    assert.deepEqual([seconds('1700000001:ab'), seconds('1700086400:ab')], [30, 6 * 3600]);
    // The clocks differ: nothing is known.
    assert.equal(seconds('1600000000:ab'), 6 * 3600);
    for (const endless of ['ann', '1700003600', ':', 'x:1700003600', `${'9'.repeat(30)}:a`]) {
        assert.equal(renewIn([turn(endless)], now), null, endless);
    }
    for (const none of [undefined, null, 7, [], [{ urls: ['stun:stun.example'] }]]) assert.equal(renewIn(none, now), null);
});

test('before TURN credentials end the seat is taken over on another connection', () => {
    const [sockets, timers] = [[], []];
    const { WebSocket, setTimeout } = globalThis;
    globalThis.WebSocket = class {
        said = [];
        constructor() {
            sockets.push(this);
        }
        send(text) {
            this.said.push(JSON.parse(text));
        }
        close() {
            this.closed = true;
        }
    };
    globalThis.setTimeout = (action, ms) => timers.push([action, ms]);
    try {
        const heard = [];
        const signaling = new Signaling('', { message: ({ type }) => heard.push(type), up() {}, down() {} });
        const hears = (socket, message) => socket.onmessage({ data: JSON.stringify(message) });
        sockets[0].onopen();
        signaling.send({ type: 'open', roomId: 'room' });
        const iceServers = [turn(`${Math.floor(Date.now() / 1000) + 3600}:a`)];
        hears(sockets[0], { type: 'opened', peerId: 'a', resume: 'token', iceServers });
        const [[renew, wait]] = timers;
        assert.ok(wait > 1_400_000 && wait <= 1_800_000, `after ${wait} ms`);
        renew();
        sockets[1].onopen();
        assert.deepEqual(sockets[1].said, [{ type: 'resume', version: 1, roomId: 'room', resume: 'token', received: 0 }]);
        assert.ok(!sockets[0].closed, 'closed before the seat was taken over, it would give it up');
        hears(sockets[1], { type: 'resumed', peerId: 'a', resume: 'token', peers: [], iceServers });
        assert.ok(sockets[0].closed);
        assert.deepEqual(heard, ['opened', 'resumed']);
        signaling.close();
    } finally {
        Object.assign(globalThis, { WebSocket, setTimeout });
    }
});

test('the words of a link are read however it was spoilt, and what is no code is said to be none', async () => {
    assert.equal(codeOfHash('#velvet-canyon%20orbit-zero'), 'velvet-canyon orbit-zero');
    for (const hash of ['#velvet-canyon-orbit-zero%', '#velvet%-canyon-orbit-zero', '#velvet-canyon-orbit-zero%E0%A4']) {
        assert.equal(codeOfHash(hash), hash.slice(1));
    }
    assert.equal(codeOfHash(''), '');
    assert.equal(await troubleOfLink(codeOfHash('#velvet-canyon-orbit-zero%')), '');
    for (const hash of ['#%', '#%E0%A4%A', '#velvet-canyon', '#velvet-canyon-orbit-zero%E0%A4']) {
        assert.match(await troubleOfLink(codeOfHash(hash)), /^The link that you opened holds no valid code\. .*ask for the link again/);
    }
});

test('every end has words, and unknown ones too', () => {
    for (const reason of ['they-left', 'lost', 'wrong-code', 'room-full', 'not-asked', 'moon']) {
        const { heading, sentence, again } = ending(reason, 'x');
        assert.ok(heading && again && (sentence || reason === 'they-left'), reason);
    }
});

test('the words of a call that somebody ended or sat in are not offered again, those of one that broke are', () => {
    assert.equal(ending('they-left', '', true).again, '');
    assert.match(ending('hung-up', '', true).sentence, /new words/);
    for (const reason of ['intercepted', 'other-keys']) {
        const { heading, sentence, again } = ending(reason);
        assert.match(heading, /sits? between you/);
        assert.match(sentence, /new words/);
        assert.equal(again, '', 'whoever sat there knows them');
    }
    assert.equal(ending('lost', '', true).again, 'Call again');
    assert.equal(ending('they-left', '', false).again, 'Call again');
});

const seated = () => {
    const standing = new Standing();
    standing.sending({ type: 'open', roomId: 'room' });
    standing.received({ type: 'opened', resume: 'token' });
    return standing;
};

test('an unanswered request is repeated and a refused one is not', () => {
    const standing = new Standing();
    assert.equal(standing.greeting(), null);
    const open = { type: 'open', roomId: 'room' };
    standing.sending(open);
    assert.equal(standing.greeting(), open);
    standing.received({ type: 'error', code: 'room-taken' });
    assert.equal(standing.greeting(), null);
});

test('a seat is resumed with what was received', () => {
    const standing = seated();
    standing.received({ type: 'peer-joined' });
    standing.received({ type: 'answer' });
    assert.deepEqual(standing.greeting(), { type: 'resume', version: 1, roomId: 'room', resume: 'token', received: 2 });
    standing.received({ type: 'resumed', resume: 'token', missed: 3 });
    assert.equal(standing.greeting().received, 5);
});

test('what did not arrive is sent again and counted on', () => {
    const standing = seated();
    const sent = [1, 2, 3, 4].map((n) => ({ type: 'offer', n, sealed: 'x' }));
    sent.forEach((message) => standing.sending(message));
    assert.deepEqual(standing.received({ type: 'resumed', received: 2 }), sent.slice(2));
    const fifth = { type: 'offer', n: 5, sealed: 'x' };
    standing.sending(fifth);
    assert.deepEqual(standing.received({ type: 'resumed', received: 3 }), [sent[3], fifth]);
    assert.deepEqual(standing.received({ type: 'resumed', received: 5 }), []);
});

test('not more than so much is kept to be sent again', () => {
    const standing = seated();
    for (let n = 0; n < 1000; n++) standing.sending({ type: 'offer', n, sealed: 'x' });
    const again = standing.received({ type: 'resumed', received: 10 });
    assert.deepEqual([again.length, again[0].n], [64, 936]);
    for (let n = 0; n < 10; n++) standing.sending({ type: 'offer', n, sealed: 'x'.repeat(60_000) });
    assert.ok(standing.received({ type: 'resumed', received: 0 }).length <= 4);
});

test('leaving, dismissal and a lost seat end it', () => {
    for (const code of ['seat-gone', 'dismissed']) {
        const standing = seated();
        standing.received({ type: 'error', code });
        assert.equal(standing.greeting(), null);
    }
    const standing = seated();
    standing.received({ type: 'error', code: 'no-such-peer' });
    assert.ok(standing.greeting());
    standing.sending({ type: 'leave-room' });
    assert.equal(standing.greeting(), null);
});
