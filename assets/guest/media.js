// Camera and microphone: asked for, switched, given back; and what to say where there is none.

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

// Why this browser gives no camera or microphone to this page at all; null where it may.
export function obstacle() {
    if (!globalThis.isSecureContext) {
        return (
            'This page was opened over plain http, and browsers give camera and microphone only to pages that come ' +
            `over https. Open https://${location.host}/ instead, or ask for a link that begins with https.`
        );
    }
    if (!navigator.mediaDevices?.getUserMedia || !globalThis.RTCPeerConnection) {
        return 'This browser cannot make calls. A current Firefox, Chrome, Edge or Safari can.';
    }
    return null;
}

// What to say about a device that could not be had.
export function trouble(error, what) {
    switch (error?.name) {
        case 'NotAllowedError':
        case 'SecurityError':
            return (
                `This page may not use your ${what}. Allow it in the browser’s address bar (the icon beside the ` +
                'address), then try again.'
            );
        case 'NotFoundError':
        case 'OverconstrainedError':
            return `No ${what} was found. Plug one in and try again, or go on without it.`;
        case 'NotReadableError':
        case 'AbortError':
            return `The ${what} cannot be used; another program may be using it. Close that and try again.`;
        default:
            return `The ${what} cannot be used (${error?.name ?? 'unknown error'}).`;
    }
}

// Our tracks. `on.changed()` whenever one of them, or what is said about it, changes.
export class Media {
    #on;
    #wantsVideo = true;

    constructor(on) {
        this.#on = on;
        this.audio = null;
        this.video = null;
        this.muted = false;
        // Words for a person, or null.
        this.audioTrouble = null;
        this.videoTrouble = null;
    }

    get hasCamera() {
        return this.video !== null || (!this.#wantsVideo && this.videoTrouble === null);
    }

    get videoOn() {
        return this.video !== null;
    }

    // Asks for both at once, so that the person is asked once; for each alone where that fails.
    async open() {
        try {
            this.#take(await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE, video: CAMERA }));
        } catch (error) {
            if (error?.name === 'NotAllowedError') {
                [this.audioTrouble, this.videoTrouble] = [trouble(error, 'microphone'), trouble(error, 'camera')];
            } else {
                await this.#openAudio();
                await this.#openVideo();
            }
        }
        this.#on.changed();
    }

    async #openAudio() {
        try {
            this.#take(await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE }));
        } catch (error) {
            this.audioTrouble = trouble(error, 'microphone');
        }
    }

    async #openVideo() {
        try {
            this.#take(await navigator.mediaDevices.getUserMedia({ video: CAMERA }));
        } catch (error) {
            this.videoTrouble = trouble(error, 'camera');
        }
    }

    // Tries again for what is missing.
    async retry() {
        if (!this.audio) await this.#openAudio();
        if (!this.video && this.#wantsVideo) await this.#openVideo();
        this.#on.changed();
    }

    setMuted(muted) {
        this.muted = muted;
        if (this.audio) this.audio.enabled = !muted;
        this.#on.changed();
    }

    // Off means that the camera is given back, and its light goes out.
    async setVideo(on) {
        this.#wantsVideo = on;
        if (!on) {
            this.video?.stop();
            this.video = null;
            this.videoTrouble = null;
        } else if (!this.video) {
            await this.#openVideo();
            // Switched off again while the browser was asking.
            if (!this.#wantsVideo) return this.setVideo(false);
        }
        this.#on.changed();
    }

    close() {
        this.audio?.stop();
        this.video?.stop();
        [this.audio, this.video] = [null, null];
    }

    #take(stream) {
        for (const track of stream.getTracks()) {
            const { kind } = track;
            this[kind]?.stop();
            this[kind] = track;
            this[`${kind}Trouble`] = null;
            if (kind === 'audio') {
                track.enabled = !this.muted;
                track.contentHint = 'speech';
            }
            track.onended = () => {
                if (this[kind] !== track) return;
                this[kind] = null;
                const what = kind === 'audio' ? 'microphone' : 'camera';
                this[`${kind}Trouble`] = `The ${what} is gone. Plug it in and try again, or go on without it.`;
                this.#on.changed();
            };
        }
    }
}
