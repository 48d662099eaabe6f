// How two peers turn the last two words of a code into keys, through a server that learns nothing (SPAKE2, RFC 9382,
// suite P256-SHA256-HKDF-SHA256-HMAC-SHA256). The bytes: docs/formats.md.
//
// The newcomer is A, who was there is B. A wrong password goes unnoticed here: the two then hold different keys, and
// the first sealed message does not open.

import { base64url, concat, fromBase64url, sha256, utf8 } from './bytes.js';
import { Point, randomScalar, toBytes, toScalar } from './p256.js';
import { Keys } from './seal.js';

// RFC 9382, section 4.
const M = Point.fromCompressedHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = Point.fromCompressedHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');
// Each of the few guesses that are possible at all costs that much.
const ROUNDS = 100_000;

// The other side's share is no point of the curve: its program is broken, or somebody plays tricks.
export class BadShare extends Error {}

// The password's scalar w and the blinding points made from it.
export class Blinding {
    constructor(w) {
        this.w = w;
        this.points = { A: M.times(w), B: N.times(w) };
    }

    // pA = x·G + w·M, or pB = y·G + w·N.
    share(side, scalar) {
        return Point.GENERATOR.times(scalar).plus(this.points[side]).toBytes() ?? new Uint8Array(65);
    }

    // K from the other side's share; throws BadShare for one that is no point, or gives the point at infinity.
    shared(side, scalar, theirs) {
        const point = theirs && Point.fromBytes(theirs);
        const k = point?.plus(this.points[side === 'A' ? 'B' : 'A'].minus()).times(scalar).toBytes();
        if (!k) throw new BadShare('the other side’s key share is malformed');
        return k;
    }

    // TT of RFC 9382, section 3.3.
    transcript(names, shares, k) {
        const parts = [...names, ...shares, k, toBytes(this.w, 32)];
        return concat(...parts.flatMap((part) => [toBytes(BigInt(part.length), 8).reverse(), part]));
    }
}

// What both sides make of a code before they meet.
export class PakeSecret {
    constructor(roomId, blinding) {
        this.roomId = roomId;
        this.blinding = blinding;
    }

    // Takes some tenths of a second: do it while the person looks at themselves.
    static async derive(code) {
        const roomId = await code.roomId();
        return new PakeSecret(roomId, new Blinding(await passwordScalar(code.password, roomId)));
    }

    async agree(side, scalar, ours, theirs) {
        const k = this.blinding.shared(side, scalar, theirs);
        const names = ['A', 'B'].map((name) => utf8(`visavis/1 ${name} ${this.roomId}`));
        const shares = side === 'A' ? [ours, theirs] : [theirs, ours];
        const hash = await sha256(this.blinding.transcript(names, shares, k));
        return Keys.derive(hash, side, this.roomId);
    }
}

// w = PBKDF2-HMAC-SHA-256(password, "visavis/1 pake " ‖ room id, 100 000 rounds, 40 bytes) modulo the group's order.
export async function passwordScalar(password, roomId) {
    const key = await crypto.subtle.importKey('raw', utf8(password), 'PBKDF2', false, ['deriveBits']);
    const salt = utf8(`visavis/1 pake ${roomId}`);
    const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: ROUNDS };
    return toScalar(new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 320)));
}

// Side A, whose share travels with `join`. One newcomer takes one answer.
export class Newcomer {
    #secret;
    #scalar;
    #share;

    constructor(secret, scalar = randomScalar()) {
        this.#secret = secret;
        this.#scalar = scalar;
        this.#share = secret.blinding.share('A', scalar);
        this.share = base64url(this.#share);
    }

    // Takes the answer that came with the first sealed offer; throws BadShare.
    async finish(theirs) {
        const scalar = this.#scalar;
        this.#scalar = null;
        if (scalar === null) throw new BadShare('this share was used before');
        return this.#secret.agree('A', scalar, this.#share, fromBase64url(theirs));
    }
}

// Side B: answers a newcomer's share. Each answer lets the newcomer try one password: count it first. Throws BadShare.
export async function answer(secret, theirs, scalar = randomScalar()) {
    const share = secret.blinding.share('B', scalar);
    const keys = await secret.agree('B', scalar, share, fromBase64url(theirs));
    return { share: base64url(share), keys };
}
