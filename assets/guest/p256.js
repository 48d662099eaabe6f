// The curve P-256 (FIPS 186-5, SP 800-186), for the key agreement: points, their sums and multiples, their bytes.
//
// Written with complete addition formulas (Renes, Costello, Batina, "Complete addition formulas for prime order
// elliptic curves", 2015, algorithm 4), so there is one way through for every pair of points, and a multiple takes the same 256
// steps for every scalar. JavaScript's integers themselves take no constant time; each scalar here serves for one call.

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
// The order of the group; its cofactor is 1, so a point on the curve that is not at infinity is in the right group.
export const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
// Bytes of an uncompressed point (SEC 1, 2.3.3).
export const POINT_BYTES = 65;

const field = (x) => {
    const r = x % P;
    return r < 0n ? r + P : r;
};

// x³ − 3x + b
const curve = (x) => field(x * x * x - 3n * x + B);

const power = (base, exponent) => {
    let result = 1n;
    for (let bit = 255n; bit >= 0n; bit--) {
        result = field(result * result);
        if ((exponent >> bit) & 1n) result = field(result * base);
    }
    return result;
};

// Fermat: the exponent is public, so its bits may be branched on.
const inverse = (x) => power(x, P - 2n);

// A point in projective coordinates (X : Y : Z); at infinity Z is 0.
export class Point {
    constructor(x, y, z) {
        this.x = x;
        this.y = y;
        this.z = z;
    }

    static INFINITY = new Point(0n, 1n, 0n);
    static GENERATOR = new Point(
        0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
        0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
        1n,
    );

    // A constant in compressed form (SEC 1, 2.3.4), as hex.
    static fromCompressedHex(hex) {
        const x = BigInt(`0x${hex.slice(2)}`);
        const y = power(curve(x), (P + 1n) >> 2n);
        return new Point(x, (y & 1n) === (BigInt(`0x${hex.slice(0, 2)}`) & 1n) ? y : P - y, 1n);
    }

    // Reads an uncompressed point; null for anything else, points off the curve included.
    static fromBytes(bytes) {
        if (bytes.length !== POINT_BYTES || bytes[0] !== 4) return null;
        const [x, y] = [toInteger(bytes.subarray(1, 33)), toInteger(bytes.subarray(33))];
        if (x >= P || y >= P || field(y * y) !== curve(x)) return null;
        return new Point(x, y, 1n);
    }

    // As an uncompressed point; null at infinity, which has none.
    toBytes() {
        if (this.isInfinity()) return null;
        const z = inverse(this.z);
        const bytes = new Uint8Array(POINT_BYTES);
        bytes[0] = 4;
        bytes.set(toBytes(field(this.x * z), 32), 1);
        bytes.set(toBytes(field(this.y * z), 32), 33);
        return bytes;
    }

    isInfinity() {
        return this.z === 0n;
    }

    minus() {
        return new Point(this.x, field(-this.y), this.z);
    }

    // Algorithm 4 of the paper, for a = −3; the same for every pair of points, equal ones and infinity included.
    plus(other) {
        const { x: x1, y: y1, z: z1 } = this;
        const { x: x2, y: y2, z: z2 } = other;
        const xx = field(x1 * x2);
        const yy = field(y1 * y2);
        const zz = field(z1 * z2);
        const xy = field((x1 + y1) * (x2 + y2) - xx - yy);
        const yz = field((y1 + z1) * (y2 + z2) - yy - zz);
        const xz = field((x1 + z1) * (x2 + z2) - xx - zz);
        const rest = 3n * (xz - B * zz);
        const more = field(yy + rest);
        const less = field(yy - rest);
        const bxz = field(3n * (B * xz - 3n * zz - xx));
        const side = field(3n * xx - 3n * zz);
        return new Point(
            field(xy * more - yz * bxz),
            field(less * more + side * bxz),
            field(yz * less + xy * side),
        );
    }

    // scalar · this: a doubling and an addition for each of 256 bits, whichever of the two results is kept.
    times(scalar) {
        let result = Point.INFINITY;
        for (let bit = 255n; bit >= 0n; bit--) {
            const doubled = result.plus(result);
            const both = [doubled, doubled.plus(this)];
            result = both[Number((scalar >> bit) & 1n)];
        }
        return result;
    }
}

// A big-endian integer of any length.
export function toInteger(bytes) {
    let hex = '0x0';
    for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
    return BigInt(hex);
}

// As so many big-endian bytes.
export function toBytes(integer, length) {
    const hex = integer.toString(16).padStart(2 * length, '0');
    return Uint8Array.from({ length }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

// A big-endian integer modulo the group's order.
export const toScalar = (bytes) => toInteger(bytes) % ORDER;

// A scalar from the browser's randomness; 48 bytes make the bias of the reduction negligible.
export const randomScalar = () => toScalar(crypto.getRandomValues(new Uint8Array(48)));
