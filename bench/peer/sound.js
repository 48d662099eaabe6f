// The microphone: a sawtooth through three formants, its loudness in the rhythm of syllables. The project's synthetic
// speech is the same.

const PITCH_HZ = 120;
const SYLLABLES_HZ = 4;
// Frequency and quality.
const FORMANTS = [[700, 8], [1220, 10], [2600, 12]];

function oscillator(context, frequency, type) {
    const node = context.createOscillator();
    node.frequency.value = frequency;
    node.type = type;
    return node;
}

function gain(context, value) {
    const node = context.createGain();
    node.gain.value = value;
    return node;
}

// The track, and the state of the audio system.
export function startMicrophone() {
    const context = new AudioContext({ sampleRate: 48000 });
    const destination = context.createMediaStreamDestination();
    destination.channelCount = 1;
    const voice = oscillator(context, PITCH_HZ, 'sawtooth');
    const loudness = gain(context, 0.25);
    const syllables = oscillator(context, SYLLABLES_HZ, 'sine');
    syllables.connect(gain(context, 0.25)).connect(loudness.gain);
    for (const [frequency, quality] of FORMANTS) {
        const filter = context.createBiquadFilter();
        filter.type = 'bandpass';
        filter.frequency.value = frequency;
        filter.Q.value = quality;
        voice.connect(filter).connect(loudness);
    }
    loudness.connect(destination);
    voice.start();
    syllables.start();
    return { track: destination.stream.getAudioTracks()[0], state: () => context.state };
}
