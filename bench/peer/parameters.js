// What the page's address asks for, the clock, and the report that is filled as the call goes on (see ../README.md).

const asked = Object.fromEntries(new URLSearchParams(location.search));

export const PEER = asked.peer;
export const ROOM = asked.room;
export const WIDTH = Number(asked.w) || 1280;
export const HEIGHT = Number(asked.h) || 720;
export const FPS = Number(asked.fps) || 30;
// i420: pictures are handed over as a camera would; canvas: captured from a canvas.
export const SOURCE = asked.src || 'i420';
// How the strip of received pictures is read: vf (VideoFrame), canvas or none.
export const PROBE = asked.probe || 'vf';
export const CODEC = (asked.codec || 'VP8').toUpperCase();
// Content that is hard to encode.
export const PAN = asked.content === 'pan';
export const RELAY = `ws://${location.host}/ws`;

// Unix time in milliseconds, with fractions.
export const now = () => performance.timeOrigin + performance.now();

const codecNames = RTCRtpSender.getCapabilities('video').codecs.map(
    ({ mimeType, sdpFmtpLine }) => mimeType + (sdpFmtpLine && /264/.test(mimeType) ? ` ${sdpFmtpLine}` : ''),
);

export const report = {
    peer: PEER,
    impl: `chromium ${(navigator.userAgent.match(/Chrome\/([\d.]+)/) || [])[1]}`,
    src: SOURCE,
    probe: PROBE,
    frames: [],
    bad_strips: 0,
    rvfc_calls: 0,
    stats: [],
    errors: [],
    t: {},
    send_codecs: [...new Set(codecNames)],
};

export const note = error => report.errors.push(String(error));

addEventListener('error', event => note(event.message));
addEventListener('unhandledrejection', event => note(event.reason));
