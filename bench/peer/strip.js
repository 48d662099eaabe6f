// The moment of capture, written across the top of a picture: 24 bits of Unix milliseconds and their CRC-8.

const PERIOD = 2 ** 24;
export const BLOCKS = 32;

// CRC-8, polynomial 0x07, starting with 0xff, over three bytes, high one first.
function crc8(value) {
    let crc = 0xff;
    for (const byte of [(value >> 16) & 255, (value >> 8) & 255, value & 255]) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) {
            crc = crc & 128 ? ((crc << 1) ^ 7) & 255 : crc << 1;
        }
    }
    return crc;
}

// Whether each block is white, as of this time.
export function blocksAt(time) {
    const ms = Math.floor(time) % PERIOD;
    const value = ms * 256 + crc8(ms);
    return block => Math.floor(value / 2 ** (BLOCKS - 1 - block)) & 1;
}

// The milliseconds written there, from the brightness of each block; null where the CRC does not fit.
export function read(brightness) {
    const bits = (from, to) => {
        let value = 0;
        for (let block = from; block < to; block++) {
            value = value * 2 + (brightness(block) > 128 ? 1 : 0);
        }
        return value;
    };
    const ms = bits(0, 24);
    return crc8(ms) === bits(24, BLOCKS) ? ms : null;
}

// The Unix time that is meant, shortly before `at` (or up to a second after it).
export function resolve(ms, at) {
    const age = (((Math.floor(at) % PERIOD) - ms + PERIOD + 1000) % PERIOD) - 1000;
    return at - age - (at % 1);
}
