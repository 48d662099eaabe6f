// Chromium, driven over the DevTools protocol by a pipe: no package is needed for it. To be imported by the drivers beside.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, openSync } from 'node:fs';
import { join } from 'node:path';

// Nobody waits longer than this for anything.
export const PATIENCE = 30_000;
const LOOK_EVERY = 50;

const FLAGS = [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio',
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    '--remote-debugging-pipe',
];

// Waits until `look` gives something; throws after PATIENCE.
export async function until(what, look, patience = PATIENCE) {
    const limit = performance.now() + patience;
    for (;;) {
        const found = await look();
        if (found) return found;
        if (performance.now() > limit) throw new Error(`waited in vain for ${what}`);
        await new Promise((done) => setTimeout(done, LOOK_EVERY));
    }
}

export class Browser {
    #child;
    #profile;
    #next = 0;
    #asked = new Map();
    #sessions = new Map();

    // `flags` beside the usual ones; `without`: features; `log`: a file; `assets`: a folder from which the page's files are
    // taken instead of the server's, for working on them.
    constructor({ program = process.env.chromium ?? 'chromium', flags = [], without = [], log, tmp, assets = null }) {
        this.assets = assets;
        // What does not come over the network does not count as being of this machine.
        const off = [...without, ...(assets ? ['LocalNetworkAccessChecks'] : [])];
        this.#profile = mkdtempSync(join(tmp, 'profile-'));
        const out = openSync(log, 'a');
        const features = off.length ? [`--disable-features=${off.join()}`] : [];
        const options = [...FLAGS, ...flags, ...features, `--user-data-dir=${this.#profile}`, 'about:blank'];
        const env = { ...process.env, HOME: this.#profile, XDG_CONFIG_HOME: this.#profile, XDG_CACHE_HOME: this.#profile };
        this.#child = spawn(program, options, { stdio: ['ignore', out, out, 'pipe', 'pipe'], env, detached: true });
        this.ended = new Promise((done) => this.#child.on('exit', done));
        let rest = Buffer.alloc(0);
        this.#child.stdio[4].on('data', (data) => {
            rest = Buffer.concat([rest, data]);
            for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
                this.#heard(JSON.parse(rest.subarray(0, end).toString()));
                rest = rest.subarray(end + 1);
            }
        });
        this.#child.stdio[3].on('error', () => {});
    }

    send(method, params = {}, sessionId = undefined) {
        const id = ++this.#next;
        this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
        return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject, method }));
    }

    #heard({ id, result, error, method, params, sessionId }) {
        const asked = this.#asked.get(id);
        this.#asked.delete(id);
        if (asked && error) asked.reject(new Error(`${asked.method}: ${error.message}`));
        else if (asked) asked.resolve(result);
        else this.#sessions.get(sessionId)?.heard(method, params);
    }

    // A tab with storage of its own. `allowed`: it may use camera and microphone; `before`: a script that runs first in it.
    async tab({ allowed = true, width = 1100, height = 680, dark = false, mobile = false, before = '' } = {}) {
        const { browserContextId } = await this.send('Target.createBrowserContext');
        const permissions = allowed ? ['audioCapture', 'videoCapture'] : [];
        await this.send('Browser.grantPermissions', { permissions, browserContextId });
        const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
        const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
        const tab = new Tab(this, sessionId, targetId);
        this.#sessions.set(sessionId, tab);
        await tab.send('Page.enable');
        await tab.send('Runtime.enable');
        await tab.send('Log.enable');
        await tab.send('Network.enable');
        await tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: mobile ? 2 : 1, mobile });
        const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
        await tab.send('Emulation.setEmulatedMedia', { features });
        await tab.send('Page.addScriptToEvaluateOnNewDocument', { source: before });
        if (this.assets) {
            const patterns = [{ urlPattern: '*/guest/*' }, { urlPattern: '*/', resourceType: 'Document' }];
            await tab.send('Fetch.enable', { patterns });
        }
        return tab;
    }

    async close() {
        this.send('Browser.close').catch(() => {});
        const timer = setTimeout(() => process.kill(-this.#child.pid, 'SIGKILL'), 5000);
        await this.ended;
        clearTimeout(timer);
        rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
}

export class Tab {
    #browser;
    #session;
    #target;
    // What the page said of errors, its policy's refusals included.
    troubles = [];
    // What went over WebSockets, in short.
    said = [];

    constructor(browser, session, target) {
        [this.#browser, this.#session, this.#target] = [browser, session, target];
    }

    send(method, params) {
        return this.#browser.send(method, params, this.#session);
    }

    heard(method, params) {
        if (method === 'Runtime.exceptionThrown') {
            const { exception, text } = params.exceptionDetails;
            this.troubles.push(exception?.description ?? text);
        } else if (method === 'Log.entryAdded' && params.entry.level === 'error') {
            this.troubles.push(`${params.entry.text} ${params.entry.url ?? ''}`);
        } else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') {
            this.troubles.push(params.args.map((a) => a.description ?? a.value).join(' '));
        } else if (/^Network.webSocketFrame(Sent|Received)$/.test(method)) {
            const text = params.response.payloadData;
            this.said.push(`${method.endsWith('Sent') ? '>' : '<'} ${text.slice(0, 90)}`);
        } else if (method === 'Network.webSocketClosed') {
            this.said.push('closed');
        } else if (method === 'Fetch.requestPaused') {
            this.#fromDisk(params);
        }
    }

    #fromDisk({ requestId, request }) {
        const { pathname } = new URL(request.url);
        const name = pathname === '/' ? 'index.html' : pathname.split('/').pop();
        const file = name === 'icon.svg' ? '../visavis.svg' : name;
        const type = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' }[name.split('.').pop()];
        const body = readFileSync(join(this.#browser.assets, file)).toString('base64');
        const responseHeaders = [{ name: 'Content-Type', value: type }, { name: 'Cache-Control', value: 'no-cache' }];
        this.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body }).catch(() => {});
    }

    async open(url) {
        await this.send('Page.navigate', { url });
        await until(`${url} to load`, () => this.run('document.readyState === "complete"').catch(() => false));
    }

    // What an expression gives, as JSON would carry it. As if a person had just touched the page.
    async run(expression) {
        const asked = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
        const { result, exceptionDetails } = await this.send('Runtime.evaluate', asked);
        if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
    }

    until(what, expression, patience) {
        return until(what, () => this.run(expression).catch(() => null), patience);
    }

    text(selector) {
        return this.run(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`);
    }

    // Presses what is found so, with a mouse.
    async press(selector) {
        const found = `(() => { const e = document.querySelector(${JSON.stringify(selector)}), r = e?.getBoundingClientRect();
            return r && r.width && !e.disabled && [r.x + r.width / 2, r.y + r.height / 2]; })()`;
        const [x, y] = await this.until(`${selector} to be there`, found);
        for (const type of ['mousePressed', 'mouseReleased']) {
            await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
        }
    }

    async type(selector, text) {
        await this.run(`document.querySelector(${JSON.stringify(selector)}).select()`);
        await this.send('Input.insertText', { text });
    }

    async key(key, code = key) {
        const windowsVirtualKeyCode = { Tab: 9, Enter: 13, Escape: 27, ' ': 32 }[key];
        const text = { Enter: '\r', ' ': ' ' }[key];
        for (const type of ['keyDown', 'keyUp']) {
            const written = type === 'keyDown' ? text : undefined;
            await this.send('Input.dispatchKeyEvent', { type, key, code, windowsVirtualKeyCode, text: written });
        }
    }

    async picture() {
        const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
        return Buffer.from(data, 'base64');
    }

    reload() {
        return this.send('Page.reload');
    }

    close() {
        return this.#browser.send('Target.closeTarget', { targetId: this.#target });
    }
}
