// Which STUN and TURN servers of a signaling server's list are used: a few, named as the W3C form wants them. The list is
// a stranger's.

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
