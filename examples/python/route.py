"""What a signed route says, and whether to believe it: docs/route.md without any I/O."""
import base64, hashlib, json
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

def by_id(keys):  # A key's id is its RFC 7638 thumbprint.
    digests = (hashlib.sha256(b'{"crv":"Ed25519","kty":"OKP","x":"%s"}' % key.encode()).digest() for key in keys)
    return {base64.urlsafe_b64encode(digest).decode().rstrip("="): key for digest, key in zip(digests, keys)}

def key_id(token):
    return json.loads(unbase64(token.partition(".")[0])).get("kid")

def verify(token, typ, keys):
    """The payload of a compact JWS; KeyError: its key is not trusted."""
    content, _, signature = token.rpartition(".")
    header, _, payload = content.partition(".")
    head = json.loads(unbase64(header)) if len(token) <= 8192 else {}
    if head.get("alg") != "EdDSA" or head.get("typ") != typ:
        raise ValueError(f"not a {typ}")
    key = Ed25519PublicKey.from_public_bytes(unbase64(keys[head["kid"]]))
    key.verify(unbase64(signature), content.encode())
    return json.loads(unbase64(payload))

def hash64(*parts):
    return int.from_bytes(hashlib.sha256(b"\0".join(str(part).encode() for part in parts)).digest()[:8], "big")

def known(waves):
    """Those that are of this version; what a newer one made is passed over."""
    rest, members = {"name", "offset_ms", "window_ms"}, ({"prefixes"}, {"percent"})
    waves = waves if isinstance(waves, list) else []
    return [wave for wave in waves if isinstance(wave, dict) and rest <= set(wave) and set(wave) - rest in members]

def slot(route, device):
    """Milliseconds from accepting an epoch to connecting: in the first wave that has the device, or after all."""
    waves, whole, taken = known(route["admission"].get("waves", [])), route["admission"]["window_ms"], 0
    end = max((wave["offset_ms"] + wave["window_ms"] for wave in waves), default=0)
    offset, window = (end, whole - end) if end < whole else (0, whole)
    for wave in waves:
        taken += ((1 << 64) - taken) * wave.get("percent", 0) // 100
        if device.startswith(tuple(wave.get("prefixes", []))) or "percent" in wave and hash64(device, "wave") < taken:
            offset, window = wave["offset_ms"], wave["window_ms"]
            break
    return offset + (window * hash64(device, route["epoch"]) >> 64)

def order(route):
    """What makes one route newer than another."""
    return (route["epoch"], route["routing_version"]) if route else (-1, -1)
