// What a browser has and older Node.js lacks. To be imported before the modules under test.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';

globalThis.crypto ??= webcrypto;

// The vectors that the Rust tests read too.
const file = new URL('../../../crates/signaling/tests/vectors.json', import.meta.url);
export const vectors = JSON.parse(readFileSync(file, 'utf8'));
