#!/usr/bin/env python3
"""Makes the project's own vectors in vectors.json anew, with nothing of the Rust code in it.

Needs the package `cryptography` for AES-GCM; the curve is written out here. Run it in this folder: it checks the RFC's
vectors that stand in the file, then replaces the list `visavis`.
"""
import base64, hashlib, hmac, json, pathlib
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    slope = (3 * p[0] ** 2 - 3) * pow(2 * p[1], -1, P) if p == q else (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def mul(k, p):
    out = None
    while k:
        out, p, k = add(out, p) if k & 1 else out, add(p, p), k >> 1
    return out


def point(compressed):
    x = int(compressed[2:], 16)
    y = pow(x**3 - 3 * x + B, (P + 1) // 4, P)
    return x, y if y % 2 == int(compressed[:2], 16) % 2 else P - y


def minus(p):
    return p[0], P - p[1]


def raw(p):
    return b"\4" + p[0].to_bytes(32, "big") + p[1].to_bytes(32, "big")


M = point("02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f")
N = point("03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49")


def agree(a, b, w, x, y):
    """Both shares, K and TT of RFC 9382."""
    share_a, share_b = add(mul(x, G), mul(w, M)), add(mul(y, G), mul(w, N))
    k = mul(x, add(share_b, minus(mul(w, N))))
    assert k == mul(y, add(share_a, minus(mul(w, M))))
    parts = [a, b, raw(share_a), raw(share_b), raw(k), w.to_bytes(32, "big")]
    return raw(share_a), raw(share_b), raw(k), b"".join(len(p).to_bytes(8, "little") + p for p in parts)


def mac(key, data):
    return hmac.new(key, data, "sha256").digest()


def hkdf(secret, info):
    return mac(mac(bytes(32), secret), info + b"\1")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def check_rfc(v):
    scalars = [int(v[name], 16) for name in "wxy"]
    share_a, share_b, k, tt = agree(v["a"].encode(), v["b"].encode(), *scalars)
    digest = hashlib.sha256(tt).digest()
    keys = hkdf(digest[16:], b"ConfirmationKeys")
    ours = [share_a, share_b, k, digest[:16], digest[16:], mac(keys[:16], tt), mac(keys[16:], tt)]
    assert [o.hex() for o in ours] == [v[n] for n in ["shareA", "shareB", "k", "ke", "ka", "confirmA", "confirmB"]]


def ours(code, seed, messages):
    words = code.split("-")
    room = hashlib.sha256(b"visavis/1 room\0" + "-".join(words[:2]).encode()).hexdigest()[:32]
    password = "-".join(words[2:])
    stretched = hashlib.pbkdf2_hmac("sha256", password.encode(), b"visavis/1 pake " + room.encode(), 100_000, 40)
    x, y = (hashlib.sha256(f"visavis vectors {seed} {name}".encode()).digest() for name in "xy")
    names = [f"visavis/1 {side} {room}".encode() for side in "AB"]
    w, x_scalar, y_scalar = (int.from_bytes(n, "big") % ORDER for n in (stretched, x, y))
    share_a, share_b, _, tt = agree(*names, w, x_scalar, y_scalar)
    digest = hashlib.sha256(tt).digest()
    keys = {way: hkdf(digest, b"visavis/1 " + way.encode()) for way in ("A->B", "B->A")}
    sealed, counters = [], {"A->B": 0, "B->A": 0}
    for way, kind, plain in messages:
        counters[way] += 1
        n, sender, recipient, call = counters[way], *(("1f", "2e") if way == "A->B" else ("2e", "1f")), "00c0ffee"
        aad = "|".join(["visavis/1", room, sender, recipient, call, kind]).encode()
        body = b64(AESGCM(keys[way]).encrypt(n.to_bytes(12, "big"), plain.encode(), aad))
        sealed.append({"direction": way, "n": n, "from": sender, "to": recipient, "callId": call, "type": kind,
                       "plain": plain, "body": body})
    prints = [hashlib.sha256(f"visavis vectors {seed} certificate {side}".encode()).digest() for side in "AB"]
    number = int.from_bytes(hashlib.sha256(b"visavis/1 verify" + digest + prints[0] + prints[1]).digest()[:11], "big")
    digits = f"{number % 10**25:025}"
    return {"code": code, "roomId": room, "password": password, "w": f"{w:064x}", "x": x.hex(), "y": y.hex(),
            "shareA": b64(share_a), "shareB": b64(share_b), "transcriptHash": digest.hex(),
            "keyAToB": keys["A->B"].hex(), "keyBToA": keys["B->A"].hex(), "sealed": sealed,
            "fingerprintA": prints[0].hex(), "fingerprintB": prints[1].hex(),
            "verification": " ".join(digits[i:i + 5] for i in range(0, 25, 5))}


file = pathlib.Path(__file__).with_name("vectors.json")
vectors = json.loads(file.read_text())
for vector in vectors["rfc9382"]:
    check_rfc(vector)
vectors["visavis"] = [
    ours("velvet-canyon-orbit-zero", 1, [("B->A", "offer", '{"sdp":"v=0"}'), ("A->B", "answer", '{"sdp":"v=0\\r\\n"}')]),
    ours("abandon-abandon-abandon-absurd", 2, [("B->A", "offer", "{}"), ("B->A", "ice-candidate", '{"candidate":""}')]),
    ours(vectors["visavis"][2]["code"], 3, [("A->B", "ice-candidate", '{"name":"Zoë 🙂"}'), ("A->B", "offer", "")]),
    ours("velvet-canyon-orbit-zero-garden-knock", 4,
         [("B->A", "offer", '{"hold":{"name":"Bob"}}'), ("A->B", "answer", '{"knock":{"name":"Ada","guest":true}}'),
          ("B->A", "offer", '{"refused":"declined"}')]),
]
file.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
