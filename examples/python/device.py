"""A device of a fleet that Hubshift moves, with Microsoft's SDK: docs/route.md in a hundred lines."""
import argparse, asyncio, json, os, random, ssl, time, urllib.error, urllib.parse, urllib.request
from pathlib import Path
from time import monotonic
from azure.iot.device.aio import IoTHubDeviceClient
from route import by_id, key_id, order, slot, verify

class Device:
    def __init__(self, args):
        self.args, self.route, self.keys, self.keys_date, self.key_set = args, None, by_id(args.key), 0, None
        self.client, self.hub, self.error, self.tries, self.retry_at, self.since = None, "", "", 0, 0, 0
        self.etags, self.not_before, self.period, self.state, self.keys_asked = {}, {}, 60, {}, float("-inf")
        self.tls = ssl.create_default_context(cafile=args.concierge_ca)
        if os.path.exists(args.state):  # One that can't be read ends the program: it would forget the epoch.
            self.state = json.loads(Path(args.state).read_text())
            if self.state["keys"] and args.recovery_key:
                self.learn(self.state["keys"])
            self.route = verify(self.state["route"], "hubshift-route+jws", self.keys)
            ago = max(0, time.time() - self.state["accepted_at"])  # A clock that went back: the whole wait at most.
            self.due = monotonic() - ago + self.state.setdefault("wait_ms", slot(self.route, args.device)) / 1000

    def http(self, url, headers={}, body=None):
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=5, context=self.tls) as response:
            return json.loads(response.read(65536)), response.headers["ETag"]

    def learn(self, token):
        new = verify(token, "hubshift-keys+jws", by_id([self.args.recovery_key]))
        if new["issued_at"] < self.keys_date:
            raise ValueError("older keys than those that are held")
        self.keys, self.keys_date, self.key_set = by_id([jwk["x"] for jwk in new["keys"]]), new["issued_at"], token

    def accept(self, base, token):
        known, age = key_id(token) in self.keys, monotonic() - self.keys_asked
        if self.args.recovery_key and age > (86400 if known else 60):  # Once a day; for an unknown key once a minute.
            self.keys_asked = monotonic()
            try:
                self.learn(self.http(f"{base}/.well-known/hubshift/keys")[0]["signed"])
            except Exception as error:
                if not known:
                    raise
                print(f"{base}: {error!r}", flush=True)
        new, held = verify(token, "hubshift-route+jws", self.keys), self.route
        if new["v"] != 1 or new["fleet"] != self.args.fleet:
            raise ValueError("a route of another version or fleet")
        if order(new) < order(held):  # It has forgotten something: show it what we hold.
            shown = json.dumps({"route": self.state["route"]}).encode()
            self.http(f"{base}/v1/fleets/{self.args.fleet}/route", {"Content-Type": "application/json"}, shown)
            raise ValueError(f"epoch {new['epoch']} is older than {held['epoch']}")
        if not held or new["epoch"] > held["epoch"]:  # The slot's timer starts here and nowhere else, and runs on
            wait = slot(new, self.args.device)        # whatever later routes of the epoch say of windows and waves.
            self.tries, self.retry_at, self.due = 0, 0, monotonic() + wait / 1000
            self.state.update(accepted_at=time.time(), wait_ms=wait)
        self.state.update(route=token, keys=self.key_set)
        self.save()  # Before it is acted on: a restart refuses older ones too.
        self.route = new

    def save(self):
        try:
            with open(self.args.state + ".new", "w") as file:
                print(json.dumps(self.state), file=file, flush=True)
                os.fsync(file.fileno())
            os.replace(file.name, self.args.state)
        except OSError as error:  # It still moves: staying at a dead hub would be worse.
            print(f"{self.args.state}: {error!r}", flush=True)

    def poll(self):
        echo = dict(device=self.args.device, epoch=self.route and self.route["epoch"], hub=self.hub, error=self.error)
        query = urllib.parse.urlencode({name: value for name, value in echo.items() if value})
        for base in (base for base in self.args.concierge if monotonic() >= self.not_before.get(base, 0)):
            try:
                tag = {"If-None-Match": self.etags[base]} if base in self.etags else {}
                answer, etag = self.http(f"{base}/v1/fleets/{self.args.fleet}/endpoint?{query}", tag)
                self.accept(base, answer["route"])
                self.etags = {base: etag} if etag else {}  # What is held is this one's: another's 304 would not mean it.
                self.period = min(max(answer["poll_after_ms"] / 1000, 0.2), 3600)
                return
            except urllib.error.HTTPError as error:
                if error.code == 304:
                    return
                asked = error.headers["Retry-After"] or ""  # Never sooner, and not all at once.
                wait = min(int(asked), 3600) if asked.isdigit() else 0
                self.not_before[base] = monotonic() + wait * (1 + random.random())
            except Exception as error:
                print(f"{base}: {error!r}", flush=True)

    async def attend(self):
        """Connects when it is time; until then a hub that still works is still good."""
        hub = self.route["endpoints"][0]
        if self.hub and not self.client.connected:  # Lost.
            self.hub, self.tries = "", 0 if monotonic() - self.since > 60 else self.tries
            self.pause()  # A longer one each time: a hub that ends what it took must not be hammered.
        if self.hub == hub["hub"] or monotonic() < max(self.due, self.retry_at):
            return
        if self.client:
            await self.client.shutdown()
        self.hub, self.client = "", IoTHubDeviceClient.create_from_symmetric_key(
            self.args.device_key, hub["host"].split(":")[0], self.args.device,
            server_verification_cert=self.args.hub_ca and Path(self.args.hub_ca).read_text(),
            auto_connect=False, connection_retry=False)  # Its pause, 10 s for all, would make a herd of the fleet.
        try:
            await self.client.connect()
            self.hub, self.error, self.since = hub["hub"], "", monotonic()
            if self.state["wait_ms"]:  # It waited: a restart without a clock must not do it again.
                self.state["wait_ms"] = 0
                self.save()
            print(f"connected {hub['host']} in epoch {self.route['epoch']}", flush=True)
        except Exception as error:
            self.error = repr(error)
            self.pause()

    def pause(self):  # Full jitter.
        self.retry_at, self.tries = monotonic() + random.uniform(0, min(60, 2 ** self.tries)), min(self.tries + 1, 6)

    async def run(self):
        next_poll = monotonic()
        while True:
            if monotonic() >= next_poll:
                await asyncio.to_thread(self.poll)
                next_poll = monotonic() + self.period * (1 + random.random() / 10)
            if self.route:
                await self.attend()
            await asyncio.sleep(min(1, self.period / 4))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--fleet", "--device", "--device-key", "--state"):
        parser.add_argument(name, required=True)
    parser.add_argument("--concierge", action="append", required=True, help="base URL; several, in order")
    parser.add_argument("--key", action="append", default=[], help="pinned key: x of its JWK")
    for name in ("--recovery-key", "--concierge-ca", "--hub-ca"):
        parser.add_argument(name)
    asyncio.run(Device(parser.parse_args()).run())
