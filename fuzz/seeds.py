#!/usr/bin/env python3
"""Writes the seeds of the corpus: inputs as real clients and real files have them, for a fuzzer to
begin with. Run it after a format has changed; what a fuzzer found beside them stays.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import struct

FUZZ = pathlib.Path(__file__).resolve().parent
TABLE = FUZZ.parent / "services/concierge/src/table/file/v1.table"
ROUTES = FUZZ.parent / "docs/route.md"

# The public key of docs/route.md, which belongs to the seed of 32 ones.
SEED = b"\1" * 32
X = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
POLL = "/hubshift.concierge.v1.EndpointService/GetEndpoint"


def write(target, name, *parts):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(parts))


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def documented_route():
    """The example of docs/route.md: its token, and its claims."""
    token = re.search(r"^eyJ[\w-]+\.[\w-]+\.[\w-]+$", ROUTES.read_text(), re.M).group()
    payload = token.split(".")[1]
    return token, json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


# HTTP/1.1


def request(line, *headers, body=b""):
    head = "\r\n".join([line + " HTTP/1.1", "Host: concierge", *headers, "", ""])
    return head.encode() + body


def http(route):
    fleet = "GET /v1/fleets/acme/endpoint"
    poll = request(fleet + "?device=device-1&epoch=2049&hub=west&error=refused")
    known = request(fleet, 'If-None-Match: W/"4096-7-0-60000", "1-2"')
    body = json.dumps({"route": route}).encode()
    length = f"Content-Length: {len(body)}"
    kind = "Content-Type: application/json"
    present = "POST /v1/fleets/acme/route"
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    seeds = {
        "poll": poll,
        "poll-all": request(fleet),
        "poll-paced": request("GET /v1/fleets/paced/endpoint?device=pump-7&epoch=0"),
        "poll-known": known,
        "poll-any": request(fleet, "If-None-Match: *"),
        "poll-head": request("HEAD /v1/fleets/acme/endpoint?device=device-50"),
        "poll-escaped": request("GET /v1/fleets/%61cme/endpoint?d%65vice=py%3Adev%2B1%23%24'&hub=a+b&&=x&device"),
        "poll-unknown": request("GET /v1/fleets/nobody/endpoint?device=d-1"),
        "poll-invalid": request("GET /v1/fleets/Acme/endpoint?device=%20&epoch=-1&hub=%FF"),
        "poll-post": request("POST /v1/fleets/acme/endpoint", "Content-Length: 2", body=b"{}"),
        "poll-absolute": request("GET http://concierge/v1/fleets/acme/endpoint?device=d"),
        "poll-close": request(fleet, "Connection: close") + poll,
        "poll-old": b"GET /v1/fleets/acme/endpoint HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "pipelined": poll + known + request("HEAD /v1/fleets/acme/endpoint") + poll,
        "present": request(present, kind, length, body=body),
        "present-chunked": request(present, kind, "Transfer-Encoding: chunked", body=chunked),
        "present-expecting": request(present, kind, length, "Expect: 100-continue", body=body),
        "present-cut": request(present, kind, length, body=body[:20]),
        "keys": request("GET /.well-known/hubshift/keys"),
        "health": request("GET /healthz") + request("HEAD /readyz"),
        "elsewhere": request("GET /v1/fleets//endpoint") + request("OPTIONS *") + request("DELETE /"),
        "smuggled": request(present, "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "folded": b"GET / HTTP/1.1\r\nHost: a\r\n b\r\nX:\t\r\n\r\n",
        "no-http": b"\x16\x03\x01\x02\x00\x01\x00",
        "grpc-over-1": request(
            "POST " + POLL, "Content-Type: application/grpc", "TE: trailers", "Content-Length: 5",
            body=bytes(5)),
        "watch-over-1": request(
            "POST /grpc.health.v1.Health/Watch", "Content-Type: application/grpc",
            "Content-Length: 5", body=bytes(5)) + poll,
        "h2-poll": greeting() + headers(1, fields("GET", "/v1/fleets/acme/endpoint?device=d-1&epoch=1"), 5),
        "h2-streams": greeting() + b"".join(
            headers(stream, fields("GET", f"/v1/fleets/acme/endpoint?device=d-{stream}"), 5)
            for stream in (1, 3, 5, 7)),
        "h2-present": greeting() + headers(1, fields("POST", "/v1/fleets/acme/route", ("content-type", "application/json")), 4)
        + frame(0, 1, 1, body),
        "h2-indexed": greeting() + headers(1, b"\x82\x86\x84\x41\x01a", 5) + headers(3, b"\x82\x86\x84\xbe", 5),
        "h2-control": greeting() + frame(6, 0, 0, bytes(8)) + frame(8, 0, 0, struct.pack(">I", 65535))
        + frame(4, 0, 0, struct.pack(">HIHI", 4, 0, 1, 0)) + headers(1, fields("GET", "/healthz"), 5)
        + frame(8, 0, 1, struct.pack(">I", 9)) + frame(3, 0, 1, struct.pack(">I", 8)) + frame(7, 0, 0, bytes(8)),
        "h2-continued": greeting() + headers(1, fields("GET", "/readyz")[:9], 1)
        + frame(9, 4, 1, fields("GET", "/readyz")[9:]),
        "h2-reset-at-once": greeting() + b"".join(
            headers(stream, fields("GET", "/v1/fleets/acme/endpoint"), 5) + frame(3, 0, stream, bytes(4))
            for stream in range(1, 60, 2)),
    }
    for name, seed in seeds.items():
        write("http_front", name, seed)


# HTTP/2 and gRPC


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def greeting():
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)


def fields(method, path, *more):
    """A header block, each field literally and not indexed."""
    usual = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "concierge")]
    text = lambda text: bytes([len(text)]) + text.encode()
    return b"".join(b"\0" + text(name) + text(value) for name, value in [*usual, *more])


def headers(stream, block, flags):
    return frame(1, flags, stream, block)


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number, value):
    """A field of protobuf."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(data, flag=0):
    return struct.pack(">BI", flag, len(data)) + data


def grpc(route):
    plain = field(1, "fleets/acme") + field(2, "device-1")
    full = plain + field(3, 2049) + field(4, "west") + field(5, "refused, übel")
    messages = {
        "message": plain,
        "message-full": full,
        "message-empty": b"",
        "message-paced": field(1, "fleets/paced") + field(2, "pump-7"),
        "message-twice": plain + field(1, "fleets/other"),
        "message-newer": full + field(17, "new") + field(18, 7) + b"\x9d\x01" + bytes(4) + b"\x99\x01" + bytes(8),
        "message-group": b"\x33\x08\x01\x34" + plain,
        "message-largest-epoch": plain + field(3, 2**64 - 1),
        "message-overlong": plain + b"\x18\x80\x80\x80\x00" + b"\x8a\x00\x01a",
        "message-no-text": field(1, b"\xff\xfe") + field(2, b"\xc3"),
        "message-invalid": field(1, "acme") + field(2, "a b") + field(4, "West"),
        "message-cut": full[:-3],
        "message-long": field(1, "fleets/acme") + field(5, "e" * 2000),
    }
    bodies = {
        "body": message(full),
        "body-none": b"",
        "body-head-alone": message(b""),
        "body-two": message(plain) + message(full),
        "body-cut": message(full)[:12],
        "body-compressed": message(plain, 1),
        "body-strange-flag": message(plain, 2),
        "body-too-long": struct.pack(">BI", 0, 16 * 1024 + 1),
    }
    kind = ("content-type", "application/grpc")
    call = lambda path, *more: fields("POST", path, kind, ("te", "trailers"), *more)
    whole = lambda block, data: headers(1, block, 4) + frame(0, 1, 1, message(data))
    behind = {
        "frames": frame(0, 0, 1, message(full)[:7]) + frame(0, 1, 1, message(full)[7:]),
        "frames-padded": frame(0, 9, 1, b"\4" + message(plain) + bytes(4)),
        "frames-trailers": frame(0, 0, 1, message(plain)) + headers(1, b"\0\1a\1b", 5),
        "frames-reset": frame(0, 0, 1, message(plain)[:4]) + frame(3, 0, 1, struct.pack(">I", 8)),
        "frames-never-ended": frame(0, 0, 1, bytes(3)),
        "frames-no-room": frame(4, 0, 0, struct.pack(">HI", 4, 1)) + frame(0, 1, 1, message(plain)),
        "frames-larger-window": frame(8, 0, 1, struct.pack(">I", 2**31 - 1)) + frame(0, 1, 1, message(plain)),
        "frames-going": frame(7, 0, 0, bytes(8)) + frame(0, 1, 1, message(plain)),
        "frames-second-call": headers(3, call(POLL), 4) + frame(0, 1, 3, message(plain)) + frame(0, 1, 1, message(plain)),
        "frames-own-headers": headers(1, call(POLL), 4) + frame(0, 1, 1, message(plain)),
        "frames-unknown": frame(0x42, 0xFF, 1, b"?") + frame(0, 1, 1, message(plain)),
    }
    raw = {
        "raw-present": whole(call("/hubshift.concierge.v1.EndpointService/PresentRoute"),
                             field(1, "fleets/acme") + field(2, route)),
        "raw-health": whole(call("/grpc.health.v1.Health/Check"), b""),
        "raw-watch-health": whole(call("/grpc.health.v1.Health/Watch"), b""),
        "raw-gzip": whole(call(POLL, ("grpc-encoding", "gzip")), plain),
        "raw-timeout": whole(call(POLL, ("grpc-timeout", "1m")), plain),
        "raw-unknown": whole(call("/hubshift.concierge.v1.FleetService/GetFleet"), b""),
        "raw-json": headers(1, fields("POST", POLL, ("content-type", "application/json")), 4) + frame(0, 1, 1, b"{}"),
        "raw-get": headers(1, fields("GET", POLL, kind), 5),
    }
    for first, seeds in enumerate([behind, messages, bodies, raw]):
        for name, seed in seeds.items():
            write("grpc_front", name, bytes([first]), seed)


# The table file


def text(value):
    return varint(len(value.encode())) + value.encode()


def nested(data):
    return struct.pack("<I", len(data)) + data


def instant(seconds=0, nanos=0):
    return struct.pack("<q", seconds) + varint(nanos)


def span(value):
    return varint(value["secs"]) + varint(value["nanos"])


def hub(facts):
    names = ["region", "host", "service_host", "event_endpoint"]
    labels = facts["labels"]
    return b"".join([
        text(facts["hub_id"]), varint(facts["index"]), text(facts["state"]),
        *(text(facts[name]) for name in names),
        varint(len(labels)), *(text(name) + text(value) for name, value in labels.items()),
        varint(facts["admission_per_second"]), span(facts["call_deadline"]), span(facts["read_lag"]),
    ])


def debt():
    return text("merge_required") + text("east") + bytes(16) + varint(2049) + instant(1_800_000_000, 5)


def facts(known, debts=(), waves="", canary=""):
    """What stands in a record behind its route."""
    return b"".join([
        text(known["fleet_id"]), text(known["display_name"]),
        text(known["home_hub"]), text(known["active_hub"]),
        varint(known["epoch"]), varint(known["routing_version"]), text(known["registry_mode"]),
        varint(len(known["hubs"])), *(nested(hub(one)) for one in known["hubs"]),
        varint(known["device_count"]), varint(known["utilisation_percent"]), span(known["poll_after"]),
        text(known["on_unreachable"]), varint(len(debts)), *(nested(one) for one in debts),
        instant(), instant(), instant(1_800_000_000, 123_456_789),
        varint(known["revision"]), varint(known["authority_revision"]), varint(0),
        text(waves), text(canary),
    ])


def keys_id():
    """The id of the set that holds the one key."""
    kid = thumbprint()
    return base64url(hashlib.sha256(struct.pack(">Q", len(kid)) + kid.encode() + X.encode()).digest())


def thumbprint():
    canonical = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % X
    return base64url(hashlib.sha256(canonical.encode()).digest())


def sealed(body):
    mac = lambda key, data: hmac.new(key, data, hashlib.sha256)
    derived = mac(mac(b"hubshift seal", SEED).digest(), b"hubshift table file\1").digest()
    head = b"hubshift-table 2\nsha256 " + hashlib.sha256(body).hexdigest().encode() + b"\n"
    return head + b"seal " + mac(derived, head).hexdigest().encode() + b"\n" + body


def header(fleets, loaded=True):
    said = {"as_of": "2027-01-15T08:00:00.5Z", "fleets": fleets, "is_loaded": loaded, "keys": keys_id()}
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def table():
    whole = TABLE.read_bytes()
    body = whole.split(b"\n", 2)[2]
    fleets = json.loads(body)["fleets"]
    plain = [text(fleet["jws"]) + facts(fleet["facts"]) for fleet in fleets]
    waves = json.dumps([
        {"name": "pumps", "prefixes": ["pump-", "valve-"], "device_count": 20},
        {"name": "tenth", "percent": 10, "device_count": 0},
    ])
    canary = json.dumps({
        "id": "0190c6a0", "hub": "east", "epoch": 2049, "cohort": {"percent": 5},
        "start_time": [2027, 15, 8, 0, 0, 0, 0, 0, 0], "until_time": [2027, 15, 9, 0, 0, 0, 0, 0, 0],
    })
    odd = fleets[0]["facts"] | {
        "display_name": "Wärme & Strom", "registry_mode": "frozen", "on_unreachable": "standby_after(900s)",
    }
    busy = facts(odd, [debt()], waves, canary)
    records = b"".join(nested(record) for record in plain)
    renamed = body.replace(b'"state":"ready"', b'"state":"hibernating"')
    seeds = [
        (0, "v1", whole),
        (0, "v1-cut", whole[:-1]),
        (0, "v2", sealed(header(2) + records)),
        (0, "v2-empty", sealed(header(0, False))),
        (0, "v2-foreign", sealed(header(2) + records).replace(b"seal ", b"seal 0", 1)),
        (0, "v3", b"hubshift-table 3\n"),
        (1, "body", header(2) + records),
        (1, "body-empty", header(0)),
        (1, "body-miscounted", header(3) + records),
        (1, "body-newer", header(1) + nested(plain[0] + b"what a newer binary appends")),
        (2, "record", plain[0]),
        (2, "record-busy", text(fleets[0]["jws"]) + busy),
        (2, "record-no-route", text("a.b.c") + busy),
        (3, "facts", facts(fleets[1]["facts"])),
        (3, "facts-busy", busy),
        (3, "facts-cut", busy[:-40]),
        (4, "json", body),
        (4, "json-newer-name", renamed),
        (4, "json-empty", b'{"as_of":[2027,15,8,0,0,0,0,0,0],"fleets":[]}'),
    ]
    for first, name, seed in seeds:
        write("table_file", name, bytes([first]), seed)


# Signed documents


def lines(*all_of_them):
    dumped = (one if isinstance(one, str) else json.dumps(one, separators=(",", ":")) for one in all_of_them)
    return "\n".join(dumped).encode()


def canary(**other):
    return {
        "id": "0190c6a0-7d3e-7c52-9f11-8f5c9a4b2d10", "hub": "east", "host": "acme-east.azure-devices.net",
        "region": "north-europe", "percent": 100, "window_ms": 62500, "started_at": 1800000000,
        "until": 1800000900,
    } | other


def documents(token, claims):
    waves = [
        {"name": "pumps", "prefixes": ["pump-", "valve-"], "offset_ms": 0, "window_ms": 12500},
        {"name": "tenth", "percent": 10, "offset_ms": 12500, "window_ms": 123750},
    ]
    paced = claims | {"admission": claims["admission"] | {"waves": waves}}
    newer_wave = waves + [{"name": "third", "weather": "fine", "offset_ms": 0, "window_ms": 1}]
    standby = claims | {
        "on_unreachable": "standby_after(900s)",
        "endpoints": claims["endpoints"] + [{"hub": "east", "host": "acme-east.azure-devices.net:8883", "region": "north-europe"}],
    }
    tried = claims | {"routing_version": 8, "canary": canary()}
    listed = canary(devices=["03204de92e11fc8c", hashlib.sha256(b"device-50").hexdigest()[:16]])
    del listed["percent"]
    moved = claims | {"epoch": 3072, "routing_version": 9}
    jwk = {"kty": "OKP", "crv": "Ed25519", "kid": thumbprint(), "x": X}
    key_set = {"keys": [jwk], "issued_at": 1800000000}
    spki = bytes.fromhex("302a300506032b6570032100") + base64.urlsafe_b64decode(X + "=")
    pem = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(spki).decode()
    as_they_came = {
        "route": token, "route-cut": token[:-1], "route-two-parts": token.rpartition(".")[0],
        "key-set": key_set, "key-set-of-others": {"keys": [{"kty": "RSA", "n": "AQAB"}, jwk | {"kid": ""}]},
        "key": jwk, "key-pem": pem,
        "rule": "standby_after(900s)", "rule-ask": "ask", "rule-unknown": "standby_after(15m)",
    }
    for name, seed in as_they_came.items():
        write("signed_documents", name, b"\0", lines(seed))
    sets = {
        "sets": [key_set, key_set | {"issued_at": 1800000060}, key_set],
        "sets-undated": [{"keys": [jwk]}, key_set, {"keys": [jwk], "issued_at": None}],
        "sets-empty": [{"keys": []}, "{}", "[]"],
    }
    for name, seed in sets.items():
        write("signed_documents", name, b"\1", lines(*seed))
    lives = {
        "life": [claims, "t60", "n", "t117", "c", "t60", claims | {"routing_version": 8}, "d", "xrefused", "r"],
        "life-moved": [claims, "t2000", "c", moved, "t60", claims, "r", "t1300", "c", moved | {"issued_at": 1800002000}],
        "life-waves": [paced, "t200", "c", paced | {"epoch": 4097}],
        "life-newer-waves": [claims | {"admission": claims["admission"] | {"waves": newer_wave}},
                             moved | {"admission": claims["admission"] | {"waves": {"shape": "new"}}}],
        "life-canary": [claims, "t1300", "c", tried, "t20", "c", "k", "r", "t60", "t900", "c"],
        "life-canary-listed": [claims | {"canary": listed}, "t60", "c", claims | {"routing_version": 9}, "t99"],
        "life-canary-newer": [claims | {"canary": canary(weather="fine")}, claims | {"epoch": 4097, "canary": 7}],
        "life-canary-fails": [tried, "t63", "xone", "t9", "xtwo", "t9", "xthree", "t99", "c"],
        "life-canary-endless": [claims | {"canary": canary(until=253402300799, window_ms=2**64 - 1)}, "t9999999", "k"],
        "life-walks": [standby, "t1300", "c", "d", "f", "xa", "t900", "f", "xb", "t60", "f", "xc", "c", standby | {"issued_at": 1800009999}],
        "life-lonely": ["f", "t1", "f", "t9", "f", "r", claims],
        "life-lied-to": [token, claims | {"fleet": "other"}, claims | {"v": 2}, claims | {"endpoints": []}, "a.b.c"],
        "life-at-the-limits": [claims | {"epoch": 2**64 - 1, "routing_version": 2**64 - 1,
                                         "issued_at": -377705116800, "not_after": 253402300799,
                                         "admission": {"window_ms": 2**64 - 1, "started_at": 0}}, "d", "r"],
    }
    for name, seed in lives.items():
        write("signed_documents", name, b"\2", lines(*seed))
    for name in ["life", "life-canary", "life-walks"]:
        write("signed_documents", name + "-without-clock", b"\3", lines(*lives[name]))


if __name__ == "__main__":
    token, claims = documented_route()
    http(token)
    grpc(token)
    table()
    documents(token, claims)
