// A browser as a peer: joins when the relay says so, calls, reports. The relay's protocol is in ../README.md.

import { CODEC, note, now, PEER, RELAY, report, ROOM } from './parameters.js';
import { startCamera } from './picture.js';
import { watch } from './receiver.js';
import { startMicrophone } from './sound.js';
import { snap } from './statistics.js';

const camera = startCamera();
const microphone = startMicrophone();
const connection = new RTCPeerConnection({ iceServers: [] });
watch(connection);

const control = new WebSocket(RELAY);
const tell = (event, rest) => control.send(JSON.stringify({ event, ...rest }));
control.onopen = () => setTimeout(() => tell('hello', { peer: PEER }), 500);
control.onmessage = message => {
    const { event } = JSON.parse(message.data);
    if (event === 'go') {
        join();
    } else if (event === 'stop') {
        stop();
    }
};

let signaling;
let timer;
const send = message => signaling.send(JSON.stringify(message));

connection.oniceconnectionstatechange = () => {
    const state = connection.iceConnectionState;
    if ((state === 'connected' || state === 'completed') && !report.t.ice) {
        report.t.ice = now();
        tell('status', { data: { connected: true } });
        timer = setInterval(() => snap(connection), 1000);
    } else if (state === 'failed') {
        tell('status', { data: { failed: true } });
    }
};
connection.onconnectionstatechange = () => {
    if (connection.connectionState === 'connected') {
        report.t.dtls ??= now();
    }
};

// The codec asked for comes first; of H.264 the profile and mode that everybody has.
function preferCodec() {
    const video = connection.getTransceivers().find(t => t.receiver.track.kind === 'video');
    const all = RTCRtpSender.getCapabilities('video').codecs;
    const wanted = codec => codec.mimeType.toUpperCase() === `VIDEO/${CODEC}`;
    const rank = ({ sdpFmtpLine: line }) => (/packetization-mode=1/.test(line) ? 0 : 2) + (/42e01f/.test(line) ? 0 : 1);
    const first = all.filter(wanted).sort((a, b) => rank(a) - rank(b));
    if (!first.length) {
        note(`codec not offered: ${CODEC}`);
        return;
    }
    video.setCodecPreferences([...first, ...all.filter(codec => !wanted(codec))]);
}

function addTracks() {
    const stream = new MediaStream([camera.track, microphone.track]);
    stream.getTracks().forEach(track => connection.addTrack(track, stream));
    preferCodec();
}

async function describe(event) {
    await connection.setLocalDescription();
    send({ event, sdp: connection.localDescription.sdp });
}

async function take(message) {
    switch (message.event) {
        case 'peer-joined':
            report.t.peer_joined = now();
            addTracks();
            return describe('offer');
        case 'offer':
            await connection.setRemoteDescription({ type: 'offer', sdp: message.sdp });
            addTracks();
            return describe('answer');
        case 'answer':
            return connection.setRemoteDescription({ type: 'answer', sdp: message.sdp });
        case 'ice-candidate':
            return connection.addIceCandidate(message.candidate);
        case 'leave-room':
            report.t.remote_left = now();
    }
}

function join() {
    report.t.join = now();
    signaling = new WebSocket(RELAY);
    connection.onicecandidate = ({ candidate }) =>
        candidate && send({ event: 'ice-candidate', candidate: candidate.toJSON() });
    signaling.onopen = () => send({ event: 'join-room', room: ROOM, peer: PEER });
    // One after the other.
    let queue = Promise.resolve();
    signaling.onmessage = message => {
        queue = queue.then(() => take(JSON.parse(message.data))).catch(note);
    };
}

async function stop() {
    clearInterval(timer);
    await snap(connection);
    report.drawn = camera.drawn();
    report.t.stop = now();
    report.clock_check_ms = now() - Date.now();
    report.audio_ctx = microphone.state();
    tell('result', { data: report });
    send({ event: 'leave-room' });
    connection.close();
}
