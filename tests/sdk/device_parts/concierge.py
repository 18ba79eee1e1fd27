"""A concierge as devices see it, and the keys of a fleet."""

import base64
import hashlib
import http.server
import json
import threading

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    """Signs as Hubshift does."""

    def __init__(self, seed):
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.x = b64(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        jwk = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % self.x
        self.id = b64(hashlib.sha256(jwk.encode()).digest())

    def sign(self, typ, payload):
        header = {"alg": "EdDSA", "kid": self.id, "typ": typ}
        content = ".".join(b64(json.dumps(part).encode()) for part in (header, payload))
        return content + "." + b64(self.key.sign(content.encode()))

    def keys(self, issued_at, *keys):
        """The key set document with these keys, signed by this one."""
        jwks = [{"kty": "OKP", "crv": "Ed25519", "kid": key.id, "x": key.x} for key in keys]
        signed = self.sign("hubshift-keys+jws", {"keys": jwks, "issued_at": issued_at})
        return {"keys": jwks, "signed": signed}


def route(key, epoch, hub, host, window_ms=0, waves=(), issued_at=1, version=1):
    """A signed route of the fleet `acme`."""
    claims = {
        "v": 1,
        "fleet": "acme",
        "epoch": epoch,
        "routing_version": version,
        "endpoints": [{"hub": hub, "host": host, "region": "here"}],
        "admission": {"window_ms": window_ms, "started_at": 0, "waves": list(waves)},
        "on_unreachable": "ask",
        "issued_at": issued_at,
        "not_after": issued_at + 1,
    }
    return key.sign("hubshift-route+jws", claims)


class Concierge:
    """Serves a route and a key set; `refusal` is status and Retry-After."""

    def __init__(self, tls, route, keys):
        self.route, self.keys, self.refusal = route, keys, None
        self.asked, self.presented = [], []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"https://localhost:{self.server.server_address[1]}"


def handler(concierge):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/.well-known/hubshift/keys":
                return self.say(200, concierge.keys)
            concierge.asked.append(self.path)
            if concierge.refusal:
                status, after = concierge.refusal
                return self.say(status, {"reason": "OVERLOADED"}, ("Retry-After", after))
            tag = '"%s"' % concierge.route[-16:]
            if self.headers["If-None-Match"] == tag:
                return self.say(304, None)
            answer = {"route": concierge.route, "poll_after_ms": 200}
            self.say(200, answer, ("ETag", tag))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            concierge.presented.append(json.loads(body)["route"])
            self.say(200, {"epoch": 0})

        def say(self, status, body, *headers):
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(data)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    return Handler
