// From the code to the verification number: node --test assets/guest/tests
import { vectors } from './setup.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64url, fromBase64url, fromHex, hex, sha256, utf8 } from '../bytes.js';
import { CodeError, RoomCode } from '../code.js';
import { ORDER, Point, toBytes, toInteger, toScalar } from '../p256.js';
import { BadShare, Blinding, Newcomer, PakeSecret, answer, passwordScalar } from '../pake.js';
import { DoesNotOpen, Keys } from '../seal.js';
import { WORDS } from '../words.js';

const scalar = (text) => toScalar(fromHex(text));
const mac = async (key, data) => {
    const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return new Uint8Array(await crypto.subtle.sign('HMAC', imported, data));
};

test('the vectors of RFC 9382 hold', async () => {
    assert.equal(vectors.rfc9382.length, 4);
    for (const v of vectors.rfc9382) {
        const blinding = new Blinding(scalar(v.w));
        const [x, y] = [scalar(v.x), scalar(v.y)];
        const [a, b] = [blinding.share('A', x), blinding.share('B', y)];
        assert.deepEqual([hex(a), hex(b)], [v.shareA, v.shareB]);
        const k = blinding.shared('A', x, b);
        assert.equal(hex(k), v.k);
        assert.deepEqual(blinding.shared('B', y, a), k);
        const tt = blinding.transcript([utf8(v.a), utf8(v.b)], [a, b], k);
        const hash = await sha256(tt);
        assert.deepEqual([hex(hash.subarray(0, 16)), hex(hash.subarray(16))], [v.ke, v.ka]);
        // The product confirms by sealed messages instead; this shows that TT as a whole is right.
        const ka = await crypto.subtle.importKey('raw', hash.subarray(16), 'HKDF', false, ['deriveBits']);
        const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: utf8('ConfirmationKeys') };
        const keys = new Uint8Array(await crypto.subtle.deriveBits(parameters, ka, 256));
        assert.equal(hex(await mac(keys.subarray(0, 16), tt)), v.confirmA);
        assert.equal(hex(await mac(keys.subarray(16), tt)), v.confirmB);
    }
});

test('the project’s vectors hold', async () => {
    assert.equal(vectors.visavis.length, 4);
    for (const v of vectors.visavis) {
        const code = await RoomCode.parse(v.code);
        assert.deepEqual([await code.roomId(), code.password], [v.roomId, v.password]);
        const w = await passwordScalar(v.password, v.roomId);
        assert.equal(hex(toBytes(w, 32)), v.w);
        const secret = await PakeSecret.derive(code);
        const newcomer = new Newcomer(secret, scalar(v.x));
        assert.equal(newcomer.share, v.shareA);
        const host = await answer(secret, newcomer.share, scalar(v.y));
        assert.equal(host.share, v.shareB);
        const [a, b] = [await newcomer.finish(host.share), host.keys];
        for (const s of v.sealed) {
            const [from, to] = s.direction === 'A->B' ? [a, b] : [b, a];
            const envelope = await from.sealer.seal(s.type, { from: s.from, to: s.to, callId: s.callId }, s.plain);
            assert.deepEqual([envelope.n, envelope.sealed], [s.n, s.body]);
            assert.equal(await to.opener.open(s.type, envelope), s.plain);
        }
        const [ours, theirs] = [fromHex(v.fingerprintA), fromHex(v.fingerprintB)];
        assert.equal(await a.transcript.verificationNumber(ours, theirs), v.verification);
        assert.equal(await b.transcript.verificationNumber(theirs, ours), v.verification);
    }
});

test('the keys of both directions are those of the vectors', async () => {
    for (const v of vectors.visavis) {
        for (const [info, expected] of [['visavis/1 A->B', v.keyAToB], ['visavis/1 B->A', v.keyBToA]]) {
            const hash = await crypto.subtle.importKey('raw', fromHex(v.transcriptHash), 'HKDF', false, ['deriveBits']);
            const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: utf8(info) };
            assert.equal(hex(new Uint8Array(await crypto.subtle.deriveBits(parameters, hash, 256))), expected);
        }
    }
});

test('sums of points that are equal, opposite or at infinity come out right', () => {
    const g = Point.GENERATOR;
    const same = (p, q) => assert.equal(p.toBytes() && hex(p.toBytes()), q.toBytes() && hex(q.toBytes()));
    same(g.plus(g), g.times(2n));
    same(g.plus(Point.INFINITY), g);
    same(Point.INFINITY.plus(Point.INFINITY), Point.INFINITY);
    same(g.plus(g.minus()), Point.INFINITY);
    same(g.times(ORDER), Point.INFINITY);
    same(g.times(ORDER - 1n), g.minus());
    same(g.times(0n), Point.INFINITY);
    same(g.times(5n).plus(g.times(7n)), g.times(12n));
});

test('integers are reduced modulo the order of the group', () => {
    const order = toBytes(ORDER, 32);
    assert.equal(toScalar(order), 0n);
    assert.equal(toScalar(Uint8Array.of(...order, 1, 0)), 256n);
    assert.equal(toInteger(new Uint8Array(0)), 0n);
});

test('shares that are no points are refused on both sides', async () => {
    const secret = await PakeSecret.derive(await RoomCode.parse('velvet-canyon-orbit-zero'));
    const good = new Newcomer(secret).share;
    const bytes = fromBase64url(good);
    const changed = (f) => base64url(f(Uint8Array.from(bytes)) ?? bytes);
    const bad = [
        '', 'AA', '!!', undefined, 7, `${good}=`, 'A'.repeat(87), 'A'.repeat(100_000),
        changed((b) => ((b[64] ^= 1), b)),
        changed((b) => ((b[0] = 6), b)),
        changed((b) => b.subarray(0, 64)),
        // Coordinates are below the prime, so that each point has one form.
        changed((b) => (b.fill(255, 1, 33), b)),
        base64url(secret.blinding.points.A.toBytes()),
    ];
    for (const share of bad) await assert.rejects(answer(secret, share), BadShare, String(share).slice(0, 20));
    // w·N alone would make K the point at infinity, whoever knows the password.
    const infinite = base64url(secret.blinding.points.B.toBytes());
    for (const share of [...bad.slice(0, -1), infinite]) {
        await assert.rejects(new Newcomer(secret).finish(share), BadShare, String(share).slice(0, 20));
    }
});

test('a coordinate beyond the prime is refused, though the point it stands for exists', () => {
    const prime = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
    const bytes = (x, y) => Uint8Array.of(4, ...toBytes(x, 32), ...toBytes(y, 32));
    let x = 0n;
    const point = () => Point.fromCompressedHex(`02${x.toString(16).padStart(64, '0')}`);
    while (!Point.fromBytes(bytes(x, point().y))) x += 1n;
    assert.equal(Point.fromBytes(bytes(x + prime, point().y)), null);
});

test('a newcomer’s share takes one answer', async () => {
    const secret = await PakeSecret.derive(await RoomCode.parse('velvet-canyon-orbit-zero'));
    const newcomer = new Newcomer(secret);
    const { share } = await answer(secret, newcomer.share);
    await newcomer.finish(share);
    await assert.rejects(newcomer.finish(share), BadShare);
});

const pair = async (seed = 1) => {
    const hash = new Uint8Array(32).fill(seed);
    return { a: await Keys.derive(hash, 'A', 'room'), b: await Keys.derive(hash, 'B', 'room') };
};
const names = { from: 'a', to: 'b', callId: 'call' };

test('what is sealed opens once and in order', async () => {
    const { a, b } = await pair();
    const sent = [];
    for (const text of ['1', '2', '3']) sent.push(await a.sealer.seal('offer', names, text));
    assert.equal(await b.opener.open('offer', sent[0]), '1');
    await assert.rejects(b.opener.open('offer', sent[0]), DoesNotOpen);
    assert.equal(await b.opener.open('offer', sent[2]), '3', 'gaps are allowed');
    await assert.rejects(b.opener.open('offer', sent[1]), DoesNotOpen, 'going back is not');
});

test('what is moved, reflected, touched or of another code does not open and leaves no trace', async () => {
    const { a, b } = await pair();
    const good = await a.sealer.seal('offer', names, 'hello');
    const flipped = fromBase64url(good.sealed);
    flipped[3] ^= 1;
    for (const change of [
        { from: 'c' }, { to: 'a', from: 'b' }, { callId: 'other' }, { roomId: 'other' }, { n: 2 }, { n: 0 }, { n: -1 },
        { n: 1.5 }, { n: '1' }, { n: 2 ** 60 }, { sealed: '' }, { sealed: `${good.sealed}=` }, { sealed: null },
        { sealed: base64url(flipped) }, { from: 'a|b' }, { from: 7 }, { to: undefined },
    ]) {
        await assert.rejects(b.opener.open('offer', { ...good, ...change }), DoesNotOpen, JSON.stringify(change));
    }
    await assert.rejects(b.opener.open('answer', good), DoesNotOpen);
    await assert.rejects(a.opener.open('offer', good), DoesNotOpen);
    await assert.rejects((await pair(2)).b.opener.open('offer', good), DoesNotOpen);
    assert.equal(await b.opener.open('offer', good), 'hello');
});

test('ids that could pass for others are refused', async () => {
    const { a, b } = await pair();
    const sealed = await a.sealer.seal('offer', { from: 'a|b', to: 'c', callId: 'call' }, 'hello');
    await assert.rejects(b.opener.open('offer', { ...sealed, from: 'a', to: 'b|c' }), DoesNotOpen);
});

test('a code is read as people type it, and from a link', async () => {
    for (const text of [
        'Velvet, Canyon, Orbit, Zero', '  velv cany\torbi zero\n', 'VELVET–CANYON–ORBIT–ZERO.',
        'https://call.example/#velvet-canyon-orbit-zero', '#velvet-canyon-orbit-zero',
    ]) {
        assert.equal((await RoomCode.parse(text)).text, 'velvet-canyon-orbit-zero', text);
    }
});

test('six words are a room that stays, which the first two find and the others prove', async () => {
    for (const text of ['Velvet, Canyon, Orbit, Zero, Garden, Knock', 'https://call.example/#velv-cany-orbi-zero-gard-knoc']) {
        const code = await RoomCode.parse(text);
        assert.deepEqual([code.text, code.lasting], ['velvet-canyon-orbit-zero-garden-knock', true]);
        assert.equal(code.password, 'orbit-zero-garden-knock');
        assert.equal(await code.roomId(), await (await RoomCode.parse('velvet-canyon-orbit-zero')).roomId());
    }
    assert.equal((await RoomCode.parse('velvet canyon orbit zero')).lasting, false);
});

test('what is no code is refused with a word about what is wrong', async () => {
    for (const [text, says] of [
        ['', /four words, or six; this has 0/], ['velvet canyon orbit', /has 3/], ['zoo '.repeat(1000), /four words/],
        ['zoo '.repeat(5), /has 5/], ['zoo '.repeat(7), /has 7/],
        ['velvet canyon orbit zero garden zero', /One of these words is wrong/],
        ['velvet canyon orbyt zero', /Word 3, “orbyt”.*“orbit”/], ['velvet canyon xyzzy zero', /Word 3.*compare/],
        ['zero orbit canyon velvet', /One of these words is wrong/], ['evlvet canyon orbit zero', /“velvet”/],
        ['vellvet canyon orbit zero', /“velvet”/], ['https://meet.example/abc', /./],
    ]) {
        await assert.rejects(RoomCode.parse(text), (error) => error instanceof CodeError && says.test(error.message));
    }
});

test('the list has 2048 words in order, each named by its first four letters', () => {
    assert.equal(WORDS.length, 2048);
    assert.deepEqual(WORDS, [...WORDS].sort());
    assert.equal(new Set(WORDS.map((word) => word.slice(0, 4))).size, 2048);
});

test('base64url has one form for each value', () => {
    for (const bytes of [[], [0], [255, 254], [1, 2, 3], [251, 255, 191]]) {
        const text = base64url(Uint8Array.from(bytes));
        assert.deepEqual(Array.from(fromBase64url(text)), bytes);
    }
    for (const text of ['A', 'AB', 'AA==', 'A A', '+/', null, 5]) assert.equal(fromBase64url(text), null, String(text));
});
