// What the two sides tell each other over the `control` data channel: JSON, one message a text frame.

// The channel is agreed on beforehand, so that opening it takes no round trip.
export const CONTROL_STREAM = 0;
const MAX_MESSAGE = 16 * 1024;
const MAX_NAME = 64;
const MAX_CHAT = 2000;

// Without control and direction-changing characters, which could forge what stands beside them; cut to `limit`.
export function clean(text, limit) {
    const plain = String(text).replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '');
    return Array.from(plain).slice(0, limit).join('').trim();
}

export const cleanName = (name) => clean(name, MAX_NAME);
export const cleanChat = (text) => clean(text, MAX_CHAT);

// A message that this page understands, its texts cleaned; null for anything else: newer apps say more.
export function readControl(text) {
    if (typeof text !== 'string' || text.length > MAX_MESSAGE) return null;
    let message;
    try {
        message = JSON.parse(text);
    } catch {
        return null;
    }
    switch (message?.type) {
        case 'hello': {
            const { name, muted, videoOn, hasCamera = true, soundOnly = false } = message;
            const flags = [muted, videoOn, hasCamera, soundOnly].every((flag) => typeof flag === 'boolean');
            if (!flags || typeof name !== 'string') return null;
            return { type: 'hello', name: cleanName(name), muted, videoOn, hasCamera, soundOnly };
        }
        case 'chat':
            return typeof message.text === 'string' ? { type: 'chat', text: cleanChat(message.text) } : null;
        case 'bye':
            return { type: 'bye', again: message.again === true };
        case 'ping':
            return Number.isSafeInteger(message.id) ? { type: 'ping', id: message.id } : null;
        default:
            return null;
    }
}
