// Snapshots of a connection's statistics, as W3C webrtc-stats names them.

import { now, report } from './parameters.js';

// What is kept of each kind.
const KEPT = {
    'inbound-rtp': [
        'kind', 'bytesReceived', 'headerBytesReceived', 'packetsReceived', 'packetsLost', 'framesDecoded',
        'framesDropped', 'keyFramesDecoded', 'freezeCount', 'totalFreezesDuration', 'jitterBufferDelay',
        'jitterBufferEmittedCount', 'jitterBufferTargetDelay', 'concealedSamples', 'silentConcealedSamples',
        'concealmentEvents', 'totalSamplesReceived', 'insertedSamplesForDeceleration', 'removedSamplesForAcceleration',
        'frameWidth', 'frameHeight', 'framesPerSecond', 'nackCount', 'pliCount', 'totalDecodeTime',
        'decoderImplementation', 'qpSum', 'fecPacketsReceived', 'retransmittedPacketsReceived',
    ],
    'outbound-rtp': [
        'kind', 'bytesSent', 'headerBytesSent', 'retransmittedBytesSent', 'framesEncoded', 'keyFramesEncoded',
        'frameWidth', 'frameHeight', 'framesPerSecond', 'targetBitrate', 'totalEncodeTime', 'encoderImplementation',
        'qualityLimitationReason', 'qpSum', 'totalPacketSendDelay', 'packetsSent',
    ],
    'candidate-pair': ['nominated', 'state', 'currentRoundTripTime', 'availableOutgoingBitrate'],
    'media-source': ['kind', 'framesPerSecond', 'frames'],
    'remote-inbound-rtp': ['kind', 'roundTripTime', 'fractionLost'],
    codec: ['mimeType', 'sdpFmtpLine'],
};

// Adds a snapshot to the report.
export async function snap(connection) {
    const snapshot = { t: now() };
    (await connection.getStats()).forEach(entry => {
        const fields = KEPT[entry.type];
        if (!fields || (entry.type === 'candidate-pair' && !entry.nominated)) {
            return;
        }
        const kept = Object.fromEntries(fields.filter(f => entry[f] !== undefined).map(f => [f, entry[f]]));
        if (entry.type === 'codec') {
            if (/video/.test(entry.mimeType)) {
                report.codecs = { ...report.codecs, [entry.id]: kept };
            }
            return;
        }
        if (entry.codecId) {
            kept.codecId = entry.codecId;
        }
        snapshot[entry.type + (entry.kind ? `.${entry.kind}` : '')] = kept;
    });
    report.stats.push(snapshot);
}
