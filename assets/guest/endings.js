// Why a call ended or did not come about, and what to do next: a heading and a sentence.

const ENDINGS = {
    'hung-up': ['You left the call', ''],
    'they-left': ['The other side left', 'If that was a mistake, call again: both sides can use the same words.'],
    lost: ['The connection broke', 'Nothing came through for half a minute. Look at your network, then call again.'],
    'connect-failed': [
        'No connection came about',
        'You found each other, but your networks let nothing through. Another network may help.',
    ],
    'no-server': ['The server cannot be reached', 'Look at your network, then try again.'],
    refused: ['The server has no place', ''],
    'room-full': [
        'This room is full',
        'Two people are in it already. Ask for new words, or wait until one of them has left and try again.',
    ],
    'wrong-code': [
        'These words are not theirs',
        'Somebody waits there, under other words. Compare all four words with the other side’s.',
    ],
    dismissed: ['You were turned away', 'The other side closed the room to you. Ask for new words.'],
    guessing: [
        'This code is used up',
        'Somebody failed to get in three times, so these words are no longer safe. Ask for new ones.',
    ],
    intercepted: [
        'Somebody sits between you',
        'The connection leads to other keys than those the other side sealed, so it was ended at once. Do not trust ' +
            'this network or this server.',
    ],
    meddled: ['The server contradicts itself', 'It says things that cannot all be true. Use another one.'],
    version: ['This page is too old or too new', 'The server speaks another version. Load the page again.'],
    unusable: ['The other side’s app does not fit', 'It sent '],
    internal: ['Something failed inside this page', 'Load it again. '],
};

// Heading, sentence and what the button says that begins anew, for a reason; `detail` is what is known beside it.
export function ending(reason, detail = '') {
    const [heading, sentence] = ENDINGS[reason] ?? ENDINGS.internal;
    const more = ['unusable', 'internal', 'refused'].includes(reason) && detail ? `${detail}.` : '';
    const again = ['hung-up', 'they-left', 'lost'].includes(reason) ? 'Call again' : 'Try again';
    return { heading, sentence: `${sentence}${more}`, again };
}
