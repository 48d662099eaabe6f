// Sealed messages: AES-256-GCM under one key per direction, a strictly increasing counter as nonce. What is sealed is
// bound to its room, sender, recipient, call and type; moved, replayed, reflected or touched, it does not open.

import { base64url, concat, fromBase64url, fromUtf8, sha256, utf8 } from './bytes.js';
import { toBytes, toInteger } from './p256.js';

// It was sealed under another code, or for somebody else, or was changed or played back on its way.
export class DoesNotOpen extends Error {}

// What a pair of peers talks under, for as long as their call lasts.
export class Keys {
    constructor(sealer, opener, transcript) {
        this.sealer = sealer;
        this.opener = opener;
        this.transcript = transcript;
    }

    // From SHA-256(TT); `side` is ours.
    static async derive(hash, side, roomId) {
        const ways = { A: 'visavis/1 A->B', B: 'visavis/1 B->A' };
        const secret = await crypto.subtle.importKey('raw', hash, 'HKDF', false, ['deriveKey']);
        const key = (way, use) => {
            const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: utf8(way) };
            return crypto.subtle.deriveKey(parameters, secret, { name: 'AES-GCM', length: 256 }, false, [use]);
        };
        const [out, back] = await Promise.all([
            key(ways[side], 'encrypt'),
            key(ways[side === 'A' ? 'B' : 'A'], 'decrypt'),
        ]);
        return new Keys(new Sealer(out, roomId), new Opener(back, roomId), new Transcript(hash, side));
    }
}

// Seals what we send. One per direction and pair of peers, so that no counter is used twice.
export class Sealer {
    #key;
    #last = 0;

    constructor(key, roomId) {
        this.#key = key;
        this.roomId = roomId;
    }

    // The envelope around a text.
    async seal(type, { from, to, callId }, plain) {
        const n = ++this.#last;
        const additionalData = associatedData(this.roomId, from, to, callId, type);
        const parameters = { name: 'AES-GCM', iv: nonce(n), additionalData };
        const body = await crypto.subtle.encrypt(parameters, this.#key, utf8(plain));
        return { roomId: this.roomId, from, to, callId, n, sealed: base64url(new Uint8Array(body)) };
    }
}

// Opens what we receive, and remembers the highest counter seen.
export class Opener {
    #key;
    #last = 0;

    constructor(key, roomId) {
        this.#key = key;
        this.roomId = roomId;
    }

    // The text in an envelope; throws DoesNotOpen, and nothing has changed then. Not to be called again before it is done.
    async open(type, { roomId, from, to, callId, n, sealed }) {
        const counts = Number.isSafeInteger(n) && n > this.#last;
        // A `|` in an id would let one set of names pass for another.
        const plain = [from, to, callId].every((id) => typeof id === 'string' && !id.includes('|'));
        const body = fromBase64url(sealed);
        if (!counts || !plain || roomId !== this.roomId || !body) throw new DoesNotOpen('not for us');
        const additionalData = associatedData(roomId, from, to, callId, type);
        let opened;
        try {
            opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce(n), additionalData }, this.#key, body);
        } catch {
            throw new DoesNotOpen('sealed under another code, or changed on its way');
        }
        this.#last = n;
        return fromUtf8(new Uint8Array(opened));
    }
}

// What was agreed on, for the number that people compare.
export class Transcript {
    #hash;
    #side;

    constructor(hash, side) {
        this.#hash = hash;
        this.#side = side;
    }

    // 25 digits in groups of five, from the fingerprints (raw SHA-256 of the DTLS certificates) of ours and theirs.
    async verificationNumber(ours, theirs) {
        const [a, b] = this.#side === 'A' ? [ours, theirs] : [theirs, ours];
        const digest = await sha256(concat(utf8('visavis/1 verify'), this.#hash, a, b));
        const digits = (toInteger(digest.subarray(0, 11)) % 10n ** 25n).toString().padStart(25, '0');
        return digits.match(/.{5}/g).join(' ');
    }
}

// A counter as 96-bit big-endian nonce.
const nonce = (counter) => toBytes(BigInt(counter), 12);

const associatedData = (...parts) => utf8(['visavis/1', ...parts].join('|'));
