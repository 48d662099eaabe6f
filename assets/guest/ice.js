// Which STUN and TURN servers of a signaling server's list are used: a few, named as the W3C form wants them. The list is
// a stranger's.

// New credentials are fetched after half of the time that they have, not sooner than this and not later: a server may
// hand out ever shorter ones, and its clock and ours may differ by hours.
const SOONEST = 30_000;
const LATEST = 6 * 3600_000;

export function usableServers(servers) {
    if (!Array.isArray(servers)) return [];
    const text = (value) => (typeof value === 'string' && value.length <= 512 ? value : undefined);
    const usable = (url) => typeof url === 'string' && /^(stun|turns?):[\w.:[\]-]{1,400}(\?transport=(udp|tcp))?$/.test(url);
    const kept = servers.slice(0, 4).map((server) => {
        const urls = Array.isArray(server?.urls) ? server.urls.filter(usable).slice(0, 4) : [];
        const [username, credential] = [text(server?.username), text(server?.credential)];
        // Browsers refuse a TURN server without a name and a password, and with it the whole list.
        const named = username !== undefined && credential !== undefined;
        const allowed = named ? urls : urls.filter((url) => url.startsWith('stun:'));
        return { urls: allowed, ...(named && { username, credential }) };
    });
    return kept.filter(({ urls }) => urls.length > 0);
}

// In how many ms the TURN credentials of these servers are to be fetched anew; null where they have no end. By convention
// (coturn's `use-auth-secret`) such a user name begins with the Unix time of its end, and a colon.
export function renewIn(servers, now = Date.now()) {
    const ends = usableServers(servers).map(({ username }) => /^(\d{1,15}):/.exec(username ?? '')?.[1]).filter(Boolean);
    if (ends.length === 0) return null;
    const left = Math.min(...ends) * 1000 - now;
    // Over before it began: the clocks differ, and nothing is known.
    return left <= 0 ? LATEST : Math.min(Math.max(left / 2, SOONEST), LATEST);
}
