// Shows what comes and reads the strip of each picture.

import { note, PROBE, report } from './parameters.js';
import { BLOCKS, read, resolve } from './strip.js';

const picture = document.getElementById('picture');

// [capture, handed to the compositor, expected on display, last packet received, width, height, shown so far]
function store(ms, metadata, at) {
    report.rvfc_calls++;
    report.presented = metadata.presentedFrames;
    report.t.first_frame ??= at;
    if (ms == null) {
        report.bad_strips++;
        return;
    }
    const unix = time => Number((performance.timeOrigin + time).toFixed(1));
    const { presentationTime, expectedDisplayTime, receiveTime, width, height, presentedFrames } = metadata;
    const received = receiveTime ? unix(receiveTime) : null;
    const times = [resolve(ms, at), unix(presentationTime), unix(expectedDisplayTime), received];
    report.frames.push([...times, width, height, presentedFrames]);
}

let buffer = new Uint8Array(0);

// Reads the strip from the decoded picture itself.
async function readFromFrame() {
    let frame;
    try {
        frame = new VideoFrame(picture);
    } catch {
        // The first one may be gone already.
        return null;
    }
    const height = Math.max(2, (frame.codedWidth / 64) & ~1);
    const rect = { x: 0, y: 0, width: frame.codedWidth & ~1, height };
    const size = frame.allocationSize({ rect });
    if (buffer.length < size) {
        buffer = new Uint8Array(size);
    }
    const [{ stride }] = await frame.copyTo(buffer, { rect });
    const block = frame.codedWidth / BLOCKS;
    const row = ((height * 0.75) | 0) * stride;
    frame.close();
    return read(i => buffer[row + (((i + 0.5) * block) | 0)]);
}

const small = Object.assign(document.createElement('canvas'), { width: 4 * BLOCKS, height: 2 });
const smallContext = small.getContext('2d', { willReadFrequently: true });
smallContext.imageSmoothingEnabled = false;

// Reads the strip from the picture as it is drawn: four pixels of two rows for each block.
function readFromCanvas(width) {
    const block = width / BLOCKS;
    smallContext.drawImage(picture, 0, block * 0.25, width, block * 0.5, 0, 0, small.width, small.height);
    const { data } = smallContext.getImageData(0, 0, small.width, small.height);
    const [row, pixel] = [4 * small.width, 4];
    const green = (i, y, x) => data[y * row + (4 * i + x) * pixel + 1];
    return read(i => (green(i, 0, 1) + green(i, 0, 2) + green(i, 1, 1) + green(i, 1, 2)) / 4);
}

async function shown(_, metadata) {
    picture.requestVideoFrameCallback(shown);
    const at = performance.timeOrigin + metadata.presentationTime;
    switch (PROBE) {
        case 'none':
            return store(null, metadata, at);
        case 'vf':
            return store(await readFromFrame(), metadata, at);
        default:
            return store(readFromCanvas(metadata.width), metadata, at);
    }
}

// Shows what this connection receives.
export function watch(connection) {
    picture.requestVideoFrameCallback(shown);
    picture.onloadedmetadata = () => picture.play().catch(note);
    connection.ontrack = event => {
        picture.srcObject = event.streams[0];
    };
}
