// Links on which peers are compared, as options of linkemu. `examples/netsim` knows the same by the same names.

const both = spec => ['--both', spec];

// secs: how long a call is measured; sig: ms between a peer and the signaling server, which sits in the middle.
export const SCENARIOS = {
    clean: { secs: 40, emu: [], sig: 0 },
    rtt100: { secs: 40, emu: both('delay=50'), sig: 25 },
    loss2: { secs: 40, emu: both('delay=25,loss=0.02'), sig: 12.5 },
    burst10: { secs: 40, emu: both('delay=25,ge=0.10/5'), sig: 12.5 },
    cap1m: { secs: 40, emu: both('delay=25,rate=1M,queue=300'), sig: 12.5 },
    step: {
        secs: 60,
        emu: [...both('delay=25,rate=3M,queue=500'), '--at', '15:both:rate=500k', '--at', '35:both:rate=3M'],
        sig: 12.5,
    },
    jitter30: { secs: 40, emu: both('delay=30,jitter=30'), sig: 15 },
};
