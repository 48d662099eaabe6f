// What is looked at in descriptions and candidates of the other side before the browser gets to see them, and what of our
// own is told with them. Whoever knows the code may seal anything, so all of it is bounded.

const LONGEST = 32 * 1024;
const MOST_SECTIONS = 6;
const MOST_CANDIDATES = 64;
const LONGEST_CANDIDATE = 512;
const LONGEST_TAG = 256;

// What opened is nothing that an app of ours sends; its message goes after "the other side’s app sent ".
export class Unusable extends Error {}

// The fingerprint and the ICE generation of a description that may be used; throws Unusable.
export function checkDescription(sdp) {
    if (typeof sdp !== 'string') throw new Unusable('a description that is none');
    if (sdp.length > LONGEST) throw new Unusable('a description that is too long');
    const lines = sdp.split(/\r?\n/);
    const count = (start) => lines.filter((line) => line.startsWith(start)).length;
    if (count('m=') > MOST_SECTIONS) throw new Unusable('a description with too many media sections');
    if (count('a=candidate:') > MOST_CANDIDATES) throw new Unusable('too many network addresses');
    const fingerprint = fingerprintOf(sdp);
    if (!fingerprint) throw new Unusable('a description without a key fingerprint');
    return { fingerprint, generation: generationOf(sdp) };
}

// The SHA-256 fingerprint that a description announces (RFC 8122); null where it has none, or several that differ.
export function fingerprintOf(sdp) {
    const found = sdp.match(/^a=fingerprint:sha-256 .*$/gim) ?? [];
    const digits = new Set(found.map((line) => line.slice(line.indexOf(' ') + 1).trim().toUpperCase()));
    const [first] = digits;
    if (digits.size !== 1 || !/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/.test(first)) return null;
    return Uint8Array.from(first.split(':'), (pair) => parseInt(pair, 16));
}

// The ICE generation that a description names (RFC 8839, section 5.4); empty where it names none.
export const generationOf = (sdp) => (sdp.match(/^a=ice-ufrag:.*$/gm) ?? []).at(-1)?.slice(12).trim() ?? '';

// A candidate as RTCIceCandidateInit, made anew from what is known of one; null where it is none.
export function checkCandidate(sent) {
    if (typeof sent?.candidate !== 'string' || sent.candidate.length > LONGEST_CANDIDATE) return null;
    if (!/^[\x20-\x7e]*$/.test(sent.candidate)) return null;
    const kept = { candidate: sent.candidate };
    for (const name of ['sdpMid', 'usernameFragment']) {
        const tag = sent[name] ?? null;
        if (tag !== null && (typeof tag !== 'string' || tag.length > LONGEST_TAG)) return null;
        if (tag !== null) kept[name] = tag;
    }
    const index = sent.sdpMLineIndex ?? null;
    if (index !== null && (!Number.isInteger(index) || index < 0 || index >= MOST_SECTIONS)) return null;
    if (index !== null) kept.sdpMLineIndex = index;
    return kept;
}

// Candidates of one ICE generation, counted.
export class CandidateCount {
    #generation = null;
    #count = 0;

    // Whether one more is taken.
    take(generation) {
        if (generation !== this.#generation) [this.#generation, this.#count] = [generation, 0];
        this.#count += 1;
        return this.#count <= MOST_CANDIDATES;
    }
}
