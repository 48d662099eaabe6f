// Camera and microphone: asked for, switched, given back; and what to say where there is none.

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

// Why this browser gives no camera or microphone to this page at all; null where it may.
export function obstacle() {
    if (!globalThis.isSecureContext) {
        return (
            'This page was opened over plain http, and browsers give camera and microphone only to pages that come ' +
            'over https. Ask for a link that begins with https.'
        );
    }
    if (!navigator.mediaDevices?.getUserMedia || !globalThis.RTCPeerConnection) {
        return 'This browser cannot make calls. A current Firefox, Chrome, Edge or Safari can.';
    }
    return null;
}

// What to say about a device, `what`, that could not be had for this reason (the name of a DOMException, or `Gone`).
export function trouble(reason, what) {
    switch (reason) {
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
        case 'Gone':
            return `The ${what} is gone. Plug it in and try again, or go on without it.`;
        default:
            return `The ${what} cannot be used (${reason}).`;
    }
}

const reasonOf = (error) => error?.name ?? 'unknown error';

// Our tracks. `on.changed()` whenever one of them, or what is said about it, changes.
export class Media {
    #on;
    #wantsVideo = true;

    constructor(on) {
        this.#on = on;
        this.audio = null;
        this.video = null;
        this.muted = false;
        // Why there is none, or null.
        this.audioTrouble = null;
        this.videoTrouble = null;
    }

    // What to say about what is missing; empty where nothing is.
    get words() {
        const [audio, video] = [this.audioTrouble, this.videoTrouble];
        if (audio && audio === video) return trouble(audio, 'camera or microphone');
        return [audio && trouble(audio, 'microphone'), video && trouble(video, 'camera')].filter(Boolean).join(' ');
    }

    get hasCamera() {
        return this.video !== null || (!this.#wantsVideo && this.videoTrouble === null);
    }

    get videoOn() {
        return this.video !== null;
    }

    // Asks for both at once, so that the person is asked once; for each alone where that fails. A camera that was switched
    // off stays off.
    async open() {
        try {
            const video = this.#wantsVideo && CAMERA;
            this.#take(await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE, video }));
        } catch (error) {
            if (error?.name === 'NotAllowedError') {
                [this.audioTrouble, this.videoTrouble] = [error.name, error.name];
            } else {
                await this.#openAudio();
                if (this.#wantsVideo) await this.#openVideo();
            }
        }
        this.#on.changed();
    }

    async #openAudio() {
        try {
            this.#take(await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE }));
        } catch (error) {
            this.audioTrouble = reasonOf(error);
        }
    }

    async #openVideo() {
        try {
            this.#take(await navigator.mediaDevices.getUserMedia({ video: CAMERA }));
        } catch (error) {
            this.videoTrouble = reasonOf(error);
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

    // Gives both back; `open` asks for them again.
    close() {
        this.audio?.stop();
        this.video?.stop();
        [this.audio, this.video] = [null, null];
        this.#on.changed();
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
                this[`${kind}Trouble`] = 'Gone';
                this.#on.changed();
            };
        }
    }
}
