// The room code: four words that people read out to each other, or six of a room that stays, or the link that holds them.

import { hex, sha256, utf8 } from './bytes.js';
import { WORDS } from './words.js';

const ONCE = 4;
const LASTING = 6;
// Letters that suffice to name a word: the list was chosen so.
const ENOUGH = 4;

// Why a text is no room code; its message says what to do.
export class CodeError extends Error {}

export class RoomCode {
    constructor(words) {
        this.words = words;
        this.text = words.join('-');
        // Of a room that stays, whose owner lets each caller in.
        this.lasting = words.length === LASTING;
        this.password = words.slice(2).join('-');
    }

    // Reads a code as people type it: any case, words apart by anything that is neither letter nor digit, each whole or
    // by its first four letters or more; or a link that ends in one. Throws CodeError.
    static async parse(text) {
        const typed = text.slice(text.indexOf('#') + 1, 1000).toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
        const found = typed.slice(0, 64).map((word, i) => {
            const at = find(word);
            if (at < 0) throw new CodeError(unknown(word, i));
            return at;
        });
        if (found.length !== ONCE && found.length !== LASTING) {
            throw new CodeError(`A code has four words, or six; this has ${found.length}.`);
        }
        const bits = found.reduce((all, index) => (all << 11n) | BigInt(index), 0n);
        if ((await checksum(bits >> 4n, Math.ceil((found.length * 11 - 4) / 8))) !== (bits & 15n)) {
            throw new CodeError('One of these words is wrong: compare them with the other side’s.');
        }
        return new RoomCode(found.map((index) => WORDS[index]));
    }

    // The room's public name, made from the first two words; no secret.
    async roomId() {
        return hex((await sha256(utf8(`visavis/1 room\0${this.words[0]}-${this.words[1]}`))).subarray(0, 16));
    }
}

// The code that a link's part after `#` holds, as text. Browsers and people may leave anything there: what is no proper
// encoding is taken as it stands.
export function codeOfHash(hash) {
    const raw = hash.replace(/^#/, '');
    try {
        return decodeURIComponent(raw);
    } catch {
        return raw;
    }
}

// What is wrong with the code that a link brought along, for a person; empty where nothing is.
export async function troubleOfLink(text) {
    try {
        await RoomCode.parse(text);
        return '';
    } catch (error) {
        if (!(error instanceof CodeError)) throw error;
        return `The link that you opened holds no valid code. ${error.message} Or ask for the link again.`;
    }
}

// The first 4 bits of the SHA-256 of the bytes that a code stands for: 5 of them, or 8.
async function checksum(bits, length) {
    const bytes = Uint8Array.from({ length }, (_, i) => Number((bits >> BigInt(8 * (length - 1 - i))) & 255n));
    return BigInt((await sha256(bytes))[0] >> 4);
}

// The place of the word that is named: itself, or the one that starts so where that is four letters or more.
function find(typed) {
    const exact = WORDS.indexOf(typed);
    if (exact >= 0 || typed.length < ENOUGH) return exact;
    return WORDS.findIndex((word) => word.startsWith(typed));
}

function unknown(word, i) {
    const near = WORDS.filter((known) => oneLetterApart(word, known));
    const start = word.length >= ENOUGH ? WORDS.find((known) => known.startsWith(word.slice(0, ENOUGH))) : undefined;
    const likely = near.length === 1 ? near[0] : near.length === 0 ? start : undefined;
    const shown = word.length > 20 ? `${word.slice(0, 19)}…` : word;
    const meant = likely ? `did you mean “${likely}”?` : 'compare it with the other side’s.';
    return `Word ${i + 1}, “${shown}”, is not one that codes use: ${meant}`;
}

// Whether one letter replaced, added, left out, or swapped with its neighbour turns one word into the other.
function oneLetterApart(a, b) {
    const [short, long] = a.length <= b.length ? [a, b] : [b, a];
    let same = 0;
    while (same < short.length && short[same] === long[same]) same++;
    const [x, y] = [short.slice(same), long.slice(same)];
    if (long.length === short.length + 1) return x === y.slice(1);
    if (long.length !== short.length || !x) return false;
    return x.slice(1) === y.slice(1) || (x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2));
}
