// CPU and memory of process trees, from /proc.

import fs from 'node:fs';
import path from 'node:path';
import { r3, read } from './tools.mjs';

// USER_HZ (proc(5)) and the size of a page.
const HZ = 100;
const PAGE = 4096;

// Every process: parent, session, CPU seconds, resident bytes.
export function processes() {
    const all = new Map();
    for (const name of fs.readdirSync('/proc')) {
        const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : '';
        if (!stat) {
            continue;
        }
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        all.set(Number(name), {
            ppid: Number(fields[1]),
            sid: Number(fields[3]),
            cpu: (Number(fields[11]) + Number(fields[12])) / HZ,
            rss: Number(fields[21]) * PAGE,
        });
    }
    return all;
}

// The descendants of a process, and those of its session.
export function tree(all, root) {
    const found = new Set([root]);
    let size;
    do {
        size = found.size;
        for (const [pid, { ppid, sid }] of all) {
            if (found.has(ppid) || sid === root) {
                found.add(pid);
            }
        }
    } while (found.size !== size);
    return [...found].filter(pid => all.has(pid));
}

// Ends these trees: whatever we started, nothing else.
export function killTrees(accounts) {
    const all = processes();
    for (const pid of accounts.filter(Boolean).flatMap(account => tree(all, account.root))) {
        try {
            process.kill(pid, 'SIGKILL');
        } catch {
            // It has ended meanwhile.
        }
    }
}

// CPU seconds that the machine has spent on anything.
export function busySeconds() {
    const [user, nice, system, , , irq, softirq] = read('/proc/stat').split('\n')[0].split(/\s+/).slice(1).map(Number);
    return (user + nice + system + irq + softirq) / HZ;
}

export const loadAverage = () => read('/proc/loadavg').split(' ').slice(0, 3).map(Number);

const types = new Map();

// Chromium's type of a process, or else the name of its program.
function typeOf(pid) {
    if (!types.has(pid)) {
        const command = read(`/proc/${pid}/cmdline`);
        const type = /--utility-sub-type=(\w+)/.exec(command) || /--type=([a-z-]+)/.exec(command);
        types.set(pid, type ? type[1] : path.basename(command.split('\0')[0]) || 'x');
    }
    return types.get(pid);
}

function proportionalBytes(pid) {
    const line = /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`));
    return line ? Number(line[1]) * 1024 : 0;
}

// One process tree over time. Processes that have ended still count.
export class Account {
    constructor(root) {
        this.root = root;
        this.last = new Map();
        this.base = new Map();
        this.rss = 0;
        this.pss = 0;
        this.count = 0;
    }

    // withMemory: also the proportional set size, which takes long to read.
    sample(all, withMemory) {
        const pids = tree(all, this.root);
        let rss = 0;
        let pss = 0;
        for (const pid of pids) {
            const { cpu, rss: resident } = all.get(pid);
            this.last.set(pid, cpu);
            typeOf(pid);
            rss += resident;
            pss += withMemory ? proportionalBytes(pid) : 0;
        }
        this.rss = Math.max(this.rss, rss);
        this.pss = Math.max(this.pss, pss);
        this.count = pids.length;
    }

    // What was used so far does not count.
    start() {
        this.base = new Map(this.last);
    }

    used(pid) {
        return this.last.get(pid) - (this.base.get(pid) || 0);
    }

    get cpu() {
        return [...this.last.keys()].reduce((total, pid) => total + this.used(pid), 0);
    }

    // Cores by type of process.
    split(seconds) {
        const cores = {};
        for (const pid of this.last.keys()) {
            cores[typeOf(pid)] = (cores[typeOf(pid)] || 0) + this.used(pid) / seconds;
        }
        const worthTelling = Object.entries(cores).filter(([, used]) => used >= 0.001);
        return Object.fromEntries(worthTelling.map(([type, used]) => [type, r3(used)]));
    }
}
