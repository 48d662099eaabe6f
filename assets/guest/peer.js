// One RTCPeerConnection with its tracks and its control channel. What is said with its descriptions and candidates, and
// to whom, is the talk's business.

import { CONTROL_STREAM } from './control.js';
import { sha256 } from './bytes.js';
import { fingerprintOf, generationOf } from './sdp.js';

// Time for the last control message to leave before the connection closes; there is no flush that could be awaited.
const FAREWELL = 100;
const BUNDLE = 'max-bundle';

export class Peer {
    #pc;
    #channel;
    #on;
    #media;
    // What we send belongs to one stream, so that the other side plays sound and picture together.
    #stream = new MediaStream();
    #held = [];
    #describing = false;
    #connected = false;

    // `on`: candidate(init, generation), connected(), ice(state), failed(through), opened(), control(text),
    // channelClosed(), track(event). `through`: ICE found a way, and it is DTLS that failed on it.
    constructor({ iceServers, media, on }) {
        [this.#media, this.#on] = [media, on];
        const pc = new RTCPeerConnection({ iceServers, bundlePolicy: BUNDLE });
        this.#pc = pc;
        pc.onicecandidate = ({ candidate }) => {
            if (!candidate?.candidate) return;
            if (this.#describing) this.#held.push(candidate);
            else this.#tell(candidate);
        };
        pc.oniceconnectionstatechange = () => on.ice(pc.iceConnectionState);
        pc.onconnectionstatechange = () => {
            if (pc.connectionState === 'connected') this.#stands();
            const through = ['connected', 'completed'].includes(pc.iceConnectionState);
            if (pc.connectionState === 'failed') on.failed(through);
        };
        pc.ontrack = (event) => on.track(event);
        this.#channel = pc.createDataChannel('control', { negotiated: true, id: CONTROL_STREAM, ordered: true });
        this.#channel.onopen = () => {
            this.#stands();
            on.opened();
        };
        this.#channel.onmessage = ({ data }) => on.control(data);
        this.#channel.onclose = () => on.channelClosed();
    }

    get fingerprint() {
        return fingerprintOf(this.#pc.localDescription?.sdp ?? '');
    }

    // SHA-256 of the certificate that DTLS really used; null in browsers that do not say. They hold DTLS to the
    // description's fingerprint themselves (RFC 8122); this looks again.
    async usedFingerprint() {
        const [certificate] = this.#pc.sctp?.transport?.getRemoteCertificates?.() ?? [];
        return certificate ? sha256(new Uint8Array(certificate)) : null;
    }

    // Makes and applies an offer; candidates wait for `described`.
    async offer({ restart = false } = {}) {
        if (this.#pc.getTransceivers().length === 0) {
            for (const kind of ['audio', 'video']) {
                this.#pc.addTransceiver(kind, { direction: 'sendrecv', streams: [this.#stream] });
            }
            await this.#prepare();
        }
        return this.#describe(await this.#pc.createOffer({ iceRestart: restart }));
    }

    // Applies an offer, whereby one of ours that is unanswered is rolled back, and makes the answer.
    async answer(sdp) {
        await this.#pc.setRemoteDescription({ type: 'offer', sdp });
        await this.#prepare();
        return this.#describe(await this.#pc.createAnswer());
    }

    async accept(answer) {
        await this.#pc.setRemoteDescription({ type: 'answer', sdp: answer });
    }

    // What was made last is on its way: candidates may follow.
    described() {
        this.#describing = false;
        for (const candidate of this.#held.splice(0)) this.#tell(candidate);
    }

    // Other STUN and TURN servers, or other credentials, from when ICE begins anew.
    useServers(iceServers) {
        try {
            this.#pc.setConfiguration({ iceServers, bundlePolicy: BUNDLE });
        } catch {
            // Closed, or one that this browser does not take: those of before stay.
        }
    }

    async addCandidate(candidate) {
        try {
            await this.#pc.addIceCandidate(candidate);
        } catch {
            // Of a generation that is over, or in a form that this browser does not know.
        }
    }

    // Sends what there is of camera and microphone now.
    async refresh() {
        for (const transceiver of this.#pc.getTransceivers()) {
            const track = this.#media[transceiver.receiver.track.kind];
            if (transceiver.sender.track !== track) await transceiver.sender.replaceTrack(track);
        }
    }

    get open() {
        return this.#channel.readyState === 'open';
    }

    say(message) {
        if (this.open) this.#channel.send(JSON.stringify(message));
    }

    stats() {
        return this.#pc.getStats();
    }

    // Closes; `farewell`: after what was said last has left.
    close(farewell = false) {
        const pc = this.#pc;
        for (const name of ['icecandidate', 'iceconnectionstatechange', 'connectionstatechange', 'track']) {
            pc[`on${name}`] = null;
        }
        this.#channel.onopen = this.#channel.onmessage = this.#channel.onclose = null;
        if (!farewell) return pc.close();
        for (const sender of pc.getSenders()) sender.replaceTrack(null).catch(() => {});
        setTimeout(() => pc.close(), FAREWELL);
    }

    async #prepare() {
        for (const transceiver of this.#pc.getTransceivers()) {
            if (transceiver.currentDirection === 'stopped') continue;
            transceiver.direction = 'sendrecv';
            transceiver.sender.setStreams?.(this.#stream);
            if (transceiver.receiver.track.kind === 'video') preferH264(transceiver);
        }
        await this.refresh();
    }

    async #describe(description) {
        this.#describing = true;
        await this.#pc.setLocalDescription(description);
        return description.sdp;
    }

    #tell(candidate) {
        const generation = candidate.usernameFragment ?? generationOf(this.#pc.localDescription?.sdp ?? '');
        this.#on.candidate(candidate.toJSON(), generation);
    }

    #stands() {
        if (this.#connected) return;
        this.#connected = true;
        this.#on.connected();
    }
}

// H.264 in packetization mode 1 (RFC 6184), constrained baseline first, before all else: it is what the app speaks.
export function rankCodecs(codecs) {
    const rank = ({ mimeType, sdpFmtpLine = '' }) => {
        if (mimeType.toLowerCase() !== 'video/h264') return 4;
        const baseline = /profile-level-id=42e0/i.test(sdpFmtpLine);
        return (/packetization-mode=1/.test(sdpFmtpLine) ? 0 : 2) + (baseline ? 0 : 1);
    };
    return [...codecs].sort((a, b) => rank(a) - rank(b));
}

function preferH264(transceiver) {
    const codecs = RTCRtpReceiver.getCapabilities?.('video')?.codecs;
    if (!codecs || !transceiver.setCodecPreferences) return;
    try {
        transceiver.setCodecPreferences(rankCodecs(codecs));
    } catch {
        // A wish only: what both know is found without it, too.
    }
}
