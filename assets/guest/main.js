// The page: what is on it, and what its buttons do. What a call is, call.js says.

import { Call } from './call.js';
import { CodeError, RoomCode, codeOfHash, troubleOfLink } from './code.js';
import { cleanName } from './control.js';
import { ending } from './endings.js';
import { Media, obstacle } from './media.js';

const NAME = 'visavis-name';
// Lines of chat that are kept.
const MOST_LINES = 500;

const $ = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);

const media = new Media({ changed: () => mediaChanged() });
let call = null;
let code = null;
let remote = null;
let since = null;
let stage = 'home';
let owner = '';

// ---- what is shown

function show(id) {
    for (const view of ['lobby', 'call', 'ended']) $(view).hidden = view !== id;
    document.title = id === 'call' ? 'In a call – Visavis' : 'Visavis';
}

// For those who do not see the page.
const announce = (words) => ($('said').textContent = words);

function attach(video, tracks) {
    const wanted = tracks.filter(Boolean);
    const shown = video.srcObject?.getTracks() ?? [];
    if (shown.length === wanted.length && wanted.every((track) => shown.includes(track))) return;
    video.srcObject = wanted.length ? new MediaStream(wanted) : null;
}

// The label says what a press does, so there is no pressed state beside it.
function button(selector, pressed, icon, label) {
    for (const element of all(selector)) {
        element.toggleAttribute('data-active', pressed);
        element.querySelector('use').setAttribute('href', `guest/icons.svg#${icon}`);
        element.querySelector('span').textContent = label;
    }
}

function mediaChanged() {
    attach($('preview'), [media.video]);
    attach($('self'), [media.video]);
    $('self').hidden = !media.video;
    $('no-preview').hidden = media.video !== null;
    button('.toggle-mute', media.muted, media.muted ? 'microphone-off' : 'microphone', media.muted ? 'Unmute' : 'Mute');
    const off = !media.videoOn;
    button('.toggle-video', off, off ? 'camera-off' : 'camera', off ? 'Camera on' : 'Camera off');
    const { words } = media;
    $('device-trouble').textContent = obstacle() ?? words;
    $('retry').hidden = !words;
    $('call-trouble').textContent = words;
    $('call-trouble').hidden = !words;
    // A sender that takes no track any more belongs to a connection that is over.
    call?.talk?.mediaChanged().catch(() => {});
}

function showRemote() {
    const words = {
        joining: 'Looking for the other side…',
        waiting: 'Nobody is there yet. The call begins as soon as the other side comes.',
        connecting: 'Connecting…',
        outside: `Waiting ${owner ? `for ${owner} to let you in` : 'to be let in'}…`,
        away: 'The other side left, perhaps for a moment. The call goes on if they are back soon.',
    }[stage];
    const { name = '', muted = false, videoOn = true, hasCamera = true, soundOnly = false } = remote ?? {};
    $('remote-name').textContent = name;
    $('remote-muted').hidden = !muted;
    const who = name || 'The other side';
    let without = null;
    if (stage === 'connected' && remote) {
        if (!hasCamera) without = `${who} has no camera`;
        else if (!videoOn) without = `${who} has the camera off`;
        else if (soundOnly) without = `${who}’s network is too slow for a picture`;
    }
    $('remote-words').textContent = words ?? without ?? '';
    $('remote').style.visibility = words || without ? 'hidden' : 'visible';
}

function addLine(text, mine) {
    const line = document.createElement('li');
    line.className = mine ? 'mine' : '';
    line.textContent = text;
    const who = document.createElement('span');
    who.className = 'unseen';
    who.textContent = mine ? 'You: ' : `${remote?.name || 'The other side'}: `;
    line.prepend(who);
    $('lines').append(line);
    while ($('lines').children.length > MOST_LINES) $('lines').firstChild.remove();
    line.scrollIntoView({ block: 'nearest' });
    if (!mine && $('chat').hidden) $('show-chat').classList.add('unread');
}

function toggle(panel, control, open = $(panel).hidden) {
    $(panel).hidden = !open;
    $(control).setAttribute('aria-expanded', String(open));
    if (open) (panel === 'chat' ? $('line') : $(panel).querySelector('.close')).focus();
    else if (!$('call').hidden) $(control).focus();
    if (panel === 'chat' && open) $('show-chat').classList.remove('unread');
}

// ---- a call

// Where the page is hosted apart from the relay, it says where that is.
function relay() {
    const elsewhere = document.querySelector('meta[name="visavis-relay"]').content;
    const url = elsewhere ? new URL(`${elsewhere.replace(/\/+$/, '')}/ws`) : new URL('ws', document.baseURI);
    url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
    url.hash = '';
    return url.href;
}

function profile() {
    const { muted, videoOn, hasCamera } = media;
    const name = cleanName($('name').value);
    const page = location.host;
    return { name, muted: muted || !media.audio, videoOn, hasCamera, soundOnly: false, guest: true, page };
}

function begin() {
    if (call) return;
    [remote, since, stage] = [null, null, 'joining'];
    $('lines').replaceChildren();
    $('verification').textContent = '';
    $('clock').textContent = '';
    $('interrupted').hidden = true;
    $('remote').srcObject = null;
    show('call');
    toggle('chat', 'show-chat', false);
    toggle('proof', 'show-proof', false);
    // So that a reload goes on with the call, and a second visit does not begin one.
    history.replaceState({ inCall: true }, '', `#${code.text}`);
    call = new Call({ code, url: relay(), media, profile, on: events });
    showRemote();
    announce($('remote-words').textContent);
    $('hang-up').focus();
}

const events = {
    stage(name, whose = '') {
        [stage, owner] = [name, whose];
        if (name === 'away') $('verification').textContent = '';
        showRemote();
        announce(name === 'connected' ? 'Connected' : $('remote-words').textContent);
    },
    connected(verification) {
        since ??= performance.now();
        $('verification').textContent = verification;
        showRemote();
        stayAwake();
    },
    interrupted(is) {
        $('interrupted').hidden = !is;
        if (!is) announce('The connection is back');
    },
    view(hello) {
        const before = remote;
        remote = hello;
        showRemote();
        const who = hello.name || 'The other side';
        if (before && before.muted !== hello.muted) announce(`${who} is ${hello.muted ? 'muted' : 'no longer muted'}`);
        if (before && before.videoOn !== hello.videoOn) {
            announce(`${who} turned the camera ${hello.videoOn ? 'on' : 'off'}`);
        }
    },
    chat: (text) => addLine(text, false),
    track({ track }) {
        const video = $('remote');
        const others = (video.srcObject?.getTracks() ?? []).filter(({ kind }) => kind !== track.kind);
        attach(video, [...others, track]);
        video.play().catch((error) => {
            // Sound needs a touch first in some browsers, after a reload.
            if (error.name === 'NotAllowedError') $('hear').hidden = false;
        });
    },
    ended(reason, detail) {
        call = null;
        stage = 'home';
        stayAwake();
        media.close();
        const { heading, sentence, again } = ending(reason, detail, since !== null, code.lasting);
        // Words are used once: those of a call that somebody ended are not offered again.
        if (!again) $('code').value = '';
        history.replaceState(null, '', again ? `#${code.text}` : location.pathname);
        $('again').hidden = !again;
        $('back').className = again ? 'plain' : 'primary';
        $('ended-title').textContent = heading;
        $('ended-words').textContent = sentence;
        $('again').textContent = again;
        $('remote').srcObject = null;
        $('hear').hidden = true;
        show('ended');
        $('ended-title').focus();
    },
};

// A phone's screen stays on during a call, where the browser can do that and the page is seen.
let awake = null;

async function stayAwake() {
    try {
        if (call && !awake && document.visibilityState === 'visible') awake = await navigator.wakeLock?.request('screen');
        if (!call) await awake?.release();
    } catch {
        // A battery that is low, for instance.
    }
    if (!call || awake?.released) awake = null;
}

function hangUp() {
    call?.hangUp();
    if (call) events.ended('hung-up');
}

setInterval(() => {
    if (since === null || !call) return;
    const seconds = Math.floor((performance.now() - since) / 1000);
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    const two = (n) => String(n).padStart(2, '0');
    $('clock').textContent = `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}, 1000);

// ---- what the person does

async function readCode() {
    $('code-trouble').textContent = '';
    try {
        code = await RoomCode.parse($('code').value);
        return true;
    } catch (error) {
        if (!(error instanceof CodeError)) throw error;
        $('code-trouble').textContent = error.message;
        $('code').focus();
        return false;
    }
}

$('join').addEventListener('submit', async (event) => {
    event.preventDefault();
    if (obstacle()) return mediaChanged();
    remember();
    if (await readCode()) begin();
});
$('code').addEventListener('input', () => ($('code-trouble').textContent = ''));
$('retry').addEventListener('click', () => media.retry());
for (const element of all('.toggle-mute')) element.addEventListener('click', () => media.setMuted(!media.muted));
for (const element of all('.toggle-video')) element.addEventListener('click', () => media.setVideo(!media.videoOn));
$('hang-up').addEventListener('click', hangUp);
$('show-chat').addEventListener('click', () => toggle('chat', 'show-chat'));
$('show-proof').addEventListener('click', () => toggle('proof', 'show-proof'));
$('chat').querySelector('.close').addEventListener('click', () => toggle('chat', 'show-chat', false));
$('proof').querySelector('.close').addEventListener('click', () => toggle('proof', 'show-proof', false));
$('hear').addEventListener('click', () => {
    $('hear').hidden = true;
    $('remote').play();
});
$('write').addEventListener('submit', (event) => {
    event.preventDefault();
    const line = call?.talk?.chat($('line').value);
    if (line) {
        addLine(line, true);
        $('line').value = '';
    }
});
$('again').addEventListener('click', async () => {
    show('lobby');
    await media.open();
    begin();
});
$('back').addEventListener('click', () => {
    show('lobby');
    $('code').focus();
    media.open();
});
addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    if (!$('proof').hidden) toggle('proof', 'show-proof', false);
    else if (!$('chat').hidden) toggle('chat', 'show-chat', false);
});
addEventListener('hashchange', () => !call && readLink());
addEventListener('visibilitychange', () => {
    if (awake?.released) awake = null;
    stayAwake();
});
addEventListener('online', () => call?.networkChanged());
// The other side is told, and that we may be back: whether the page is closed or loaded again, nobody says. One that comes
// back from the browser's cache begins anew.
addEventListener('pagehide', () => {
    if (call) call.hangUp(true);
    media.close();
});
addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
});

// Storage may be forbidden; then the name is forgotten.
function remember() {
    try {
        localStorage.setItem(NAME, cleanName($('name').value));
    } catch {}
}

function remembered() {
    try {
        return localStorage.getItem(NAME) ?? '';
    } catch {
        return '';
    }
}

// The words come with the link, and what is wrong with them is said before anybody presses Join.
async function readLink() {
    const text = codeOfHash(location.hash);
    $('code').value = text;
    $('code-trouble').textContent = '';
    if (!text || obstacle()) return;
    const trouble = await troubleOfLink(text);
    if ($('code').value === text) $('code-trouble').textContent = trouble;
}

async function start() {
    for (const element of all('.host')) element.textContent = location.host;
    $('name').value = cleanName(remembered());
    readLink();
    const why = obstacle();
    $('enter').disabled = why !== null;
    mediaChanged();
    if (why) return;
    const reloaded = performance.getEntriesByType('navigation')[0]?.type === 'reload';
    const rejoin = reloaded && history.state?.inCall === true;
    await media.open();
    if (rejoin && (await readCode())) begin();
}

start();
