// The camera: a textured background that sways (`cam`) or pans far (`pan`), before it a disc that moves differently,
// and the strip on top. The project's synthetic camera draws exactly the same.

import { FPS, HEIGHT, note, now, PAN, SOURCE, WIDTH } from './parameters.js';
import { BLOCKS, blocksAt } from './strip.js';

const [TEXTURE_WIDTH, TEXTURE_HEIGHT] = [2048, 1024];
const STRIP = WIDTH / BLOCKS;
// Size of the disc's square and radius of the disc; where in the texture it is cut out.
const [DISC, RADIUS] = [320, 158];
const [DISC_X, DISC_Y] = [900, 300];
// Size of a cell and strength of each octave of the texture.
const OCTAVES = PAN ? [[64, 60], [16, 35], [4, 18], [2, 8]] : [[64, 60], [16, 30], [4, 10], [2, 3]];

function hash(x, y, seed) {
    let h = (Math.imul(x, 374761393) + Math.imul(y, 668265263) + Math.imul(seed, 2246822519)) | 0;
    h = Math.imul(h ^ (h >>> 13), 1274126177);
    return ((h ^ (h >>> 16)) >>> 0) / 4294967295;
}

// Adds value noise, bilinear between the corners of cells; wraps around.
function addOctave(out, cell, strength, seed) {
    const [columns, rows] = [TEXTURE_WIDTH / cell, TEXTURE_HEIGHT / cell];
    for (let y = 0; y < TEXTURE_HEIGHT; y++) {
        const row = (y / cell) | 0;
        const below = (row + 1) % rows;
        const down = y / cell - row;
        for (let column = 0; column < columns; column++) {
            const next = (column + 1) % columns;
            const left = hash(column, row, seed) * (1 - down) + hash(column, below, seed) * down;
            const right = hash(next, row, seed) * (1 - down) + hash(next, below, seed) * down;
            for (let k = 0; k < cell; k++) {
                const value = left + ((right - left) * k) / cell - 0.5;
                out[y * TEXTURE_WIDTH + column * cell + k] += strength * 2 * value;
            }
        }
    }
}

const light = new Float32Array(TEXTURE_WIDTH * TEXTURE_HEIGHT).fill(128);
const tint = new Float32Array(TEXTURE_WIDTH * TEXTURE_HEIGHT);
OCTAVES.forEach(([cell, strength], i) => addOctave(light, cell, strength, i + 1));
addOctave(tint, 128, PAN ? 50 : 30, 9);

const even = x => Math.round(x / 2) * 2;

// Where the texture begins and where the disc is, at this time.
function placesAt(time) {
    const seconds = (time / 1000) % 10000;
    const swing = period => Math.sin((2 * Math.PI * seconds) / period);
    const [swayX, swayY, discX, discY] = PAN ? [160, 100, WIDTH / 4, HEIGHT / 6] : [6, 4, 80, 30];
    return {
        x: even(200 + swayX * swing(7)),
        y: even(150 + swayY * swing(5)),
        discX: even(WIDTH / 2 - DISC / 2 + discX * swing(3)),
        discY: even(HEIGHT / 2 - DISC / 2 + discY * swing(2.3)),
    };
}

// The texture in the three planes of I420, in the range of video.
function texturePlanes() {
    const half = TEXTURE_WIDTH / 2;
    const y = new Uint8Array(TEXTURE_WIDTH * TEXTURE_HEIGHT);
    const u = new Uint8Array(y.length / 4);
    const v = new Uint8Array(y.length / 4);
    for (let i = 0; i < y.length; i++) {
        y[i] = 16 + (Math.min(255, Math.max(0, light[i])) * 219) / 255;
    }
    for (let row = 0; row < TEXTURE_HEIGHT / 2; row++) {
        for (let column = 0; column < half; column++) {
            const colour = tint[2 * row * TEXTURE_WIDTH + 2 * column] * 0.5;
            u[row * half + column] = 128 - colour;
            v[row * half + column] = 128 + colour;
        }
    }
    return { y, u, v, half };
}

// Pictures handed to the sender as a camera would: one copy, no conversion of colours.
function cameraLike() {
    const texture = texturePlanes();
    const buffer = new Uint8Array((WIDTH * HEIGHT * 3) / 2);
    const [planeU, planeV, half] = [WIDTH * HEIGHT, (WIDTH * HEIGHT * 5) / 4, WIDTH / 2];
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    const copy = (to, plane, from, length) => buffer.set(plane.subarray(from, from + length), to);

    function background({ x, y }) {
        for (let row = STRIP; row < HEIGHT; row++) {
            copy(row * WIDTH, texture.y, (row + y) * TEXTURE_WIDTH + x, WIDTH);
        }
        for (let row = STRIP / 2; row < HEIGHT / 2; row++) {
            const from = (row + y / 2) * texture.half + x / 2;
            copy(planeU + row * half, texture.u, from, half);
            copy(planeV + row * half, texture.v, from, half);
        }
    }

    function disc({ discX, discY }) {
        for (let row = 0; row < DISC; row += 2) {
            const y = row + discY;
            const reach = Math.sqrt(Math.max(0, RADIUS * RADIUS - (row - DISC / 2) ** 2)) & ~1;
            if (y < STRIP || y >= HEIGHT || !reach) {
                continue;
            }
            const x = discX + DISC / 2 - reach;
            const from = DISC_X + DISC / 2 - reach;
            copy(y * WIDTH + x, texture.y, (row + DISC_Y) * TEXTURE_WIDTH + from, 2 * reach);
            copy((y + 1) * WIDTH + x, texture.y, (row + DISC_Y + 1) * TEXTURE_WIDTH + from, 2 * reach);
            const chroma = ((row + DISC_Y) / 2) * texture.half + from / 2;
            copy(planeU + (y / 2) * half + x / 2, texture.u, chroma, reach);
            copy(planeV + (y / 2) * half + x / 2, texture.v, chroma, reach);
        }
    }

    function strip(white) {
        for (let block = 0; block < BLOCKS; block++) {
            for (let y = 0; y < STRIP; y++) {
                buffer.fill(white(block) ? 235 : 16, y * WIDTH + block * STRIP, y * WIDTH + (block + 1) * STRIP);
            }
        }
        buffer.fill(128, planeU, planeU + (STRIP / 2) * half);
        buffer.fill(128, planeV, planeV + (STRIP / 2) * half);
    }

    function draw() {
        const time = now();
        const places = placesAt(time);
        background(places);
        disc(places);
        strip(blocksAt(time));
        const timestamp = Math.round(performance.now() * 1000);
        const layout = { format: 'I420', codedWidth: WIDTH, codedHeight: HEIGHT, timestamp };
        writer.write(new VideoFrame(buffer, layout)).catch(note);
    }
    return { track, draw };
}

function newCanvas(width, height) {
    return Object.assign(document.createElement('canvas'), { width, height });
}

// The same drawn on a canvas that is captured.
function canvasCapture() {
    const texture = newCanvas(TEXTURE_WIDTH, TEXTURE_HEIGHT);
    const textureContext = texture.getContext('2d');
    const pixels = textureContext.createImageData(TEXTURE_WIDTH, TEXTURE_HEIGHT);
    for (let i = 0; i < light.length; i++) {
        pixels.data.set([light[i] + tint[i], light[i], light[i] - tint[i], 255], 4 * i);
    }
    textureContext.putImageData(pixels, 0, 0);

    const disc = newCanvas(DISC, DISC);
    const discContext = disc.getContext('2d');
    discContext.arc(DISC / 2, DISC / 2, RADIUS, 0, 7);
    discContext.clip();
    discContext.drawImage(texture, -DISC_X, -DISC_Y);

    const canvas = newCanvas(WIDTH, HEIGHT);
    const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    const [track] = canvas.captureStream(FPS).getVideoTracks();

    function draw() {
        const time = now();
        const { x, y, discX, discY } = placesAt(time);
        const white = blocksAt(time);
        context.drawImage(texture, -x, -y);
        context.drawImage(disc, discX, discY);
        context.fillStyle = '#000';
        context.fillRect(0, 0, WIDTH, STRIP);
        context.fillStyle = '#fff';
        for (let block = 0; block < BLOCKS; block++) {
            if (white(block)) {
                context.fillRect(block * STRIP, 0, STRIP, STRIP);
            }
        }
    }
    return { track, draw };
}

// Starts drawing, FPS times a second; the track, and how many pictures were drawn so far.
export function startCamera() {
    const { track, draw } = SOURCE === 'i420' ? cameraLike() : canvasCapture();
    const begun = performance.now();
    let drawn = 0;
    (function tick() {
        draw();
        drawn++;
        const next = Math.floor(((performance.now() - begun) * FPS) / 1000) + 1;
        setTimeout(tick, Math.max(0, begun + (next * 1000) / FPS - performance.now()));
    })();
    return { track, drawn: () => drawn };
}
