// Why a call ended or did not come about, and what to do next: a heading and a sentence.

const ENDINGS = {
    'hung-up': ['You left the call', ''],
    'they-left': ['The other side left', ''],
    lost: ['The connection broke', 'Nothing came through for half a minute. Look at your network, then call again.'],
    'connect-failed': [
        'No connection came about',
        'You found each other, but your networks let nothing through. Another network may help.',
    ],
    'no-server': ['The server cannot be reached', 'Look at your network, then try again.'],
    refused: ['The server has no place', ''],
    'room-full': [
        'This room is full',
        'Somebody else is already there. Ask for new words, or wait until they have left and try again.',
    ],
    'wrong-code': [
        'These words are not theirs',
        'Somebody waits there, under other words. Compare all of them with the other side’s.',
    ],
    dismissed: ['You were turned away', 'The other side closed the room to you. Ask for new words.'],
    declined: ['They declined', 'The other side was asked, and does not want to talk now.'],
    'not-answered': ['Nobody answered', 'The other side may be away from their computer. Try again later.'],
    'not-asked': [
        'Nobody is asked for a moment',
        'Somebody, perhaps you, called just now and was not let in. Wait a few seconds, then try again.',
    ],
    'not-open': [
        'This room is not open',
        'Its owner is not waiting in it. Tell them that you are here, then try again.',
    ],
    guarded: [
        'This room answers nobody for a moment',
        'Somebody tried wrong words at it. Try again in a minute.',
    ],
    guessing: [
        'This code is used up',
        'Somebody failed to get in three times, so these words are no longer safe. Ask for new ones.',
    ],
    intercepted: [
        'Somebody sits between you',
        'The connection leads to other keys than those the other side sealed, so it was ended at once. Do not trust ' +
            'this network or this server, and ask for new words.',
    ],
    'other-keys': [
        'Somebody may sit between you',
        'There is a way to the other side, but this browser refused the encryption at its end, as it does where the ' +
            'keys are not those that the other side sealed. Nothing of the call was sent. Do not trust this network ' +
            'or this server, and ask for new words.',
    ],
    meddled: ['The server contradicts itself', 'It says things that cannot all be true. Use another one.'],
    version: ['This page is too old or too new', 'The server speaks another version. Load the page again.'],
    unusable: ['The other side’s app does not fit', 'It sent '],
    internal: ['Something failed inside this page', 'Load it again. '],
};

// A call that somebody ended, and whose words are used up with it.
const OVER = ['hung-up', 'they-left'];
// Whoever sat between knows the words.
const KNOWN = ['intercepted', 'other-keys'];
const USED_UP = 'These words were good for one call. For another one, ask for new words.';

// Heading, sentence and what the button says that begins anew with the same words (empty: they are used up), for a
// reason; `detail` is what is known beside it, `met`: there was a call, `lasting`: in a room that stays.
export function ending(reason, detail = '', met = false, lasting = false) {
    const [heading, sentence] = ENDINGS[reason] ?? ENDINGS.internal;
    const more = ['unusable', 'internal', 'refused'].includes(reason) && detail ? `${detail}.` : '';
    if (KNOWN.includes(reason)) return { heading, sentence, again: '' };
    if (met && !lasting && OVER.includes(reason)) return { heading, sentence: USED_UP, again: '' };
    const again = [...OVER, 'lost'].includes(reason) ? 'Call again' : 'Try again';
    return { heading, sentence: `${sentence}${more}`, again };
}
