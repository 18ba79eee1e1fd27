"""A device of a fleet that Hubshift moves, with Microsoft's SDK: docs/route.md in a hundred lines."""
import argparse, asyncio, json, os, random, ssl, time, urllib.error, urllib.parse, urllib.request
from pathlib import Path
from azure.iot.device.aio import IoTHubDeviceClient
from route import by_id, key_id, order, slot, verify

class Device:
    def __init__(self, args):
        self.args, self.route, self.keys, self.keys_date, self.keys_asked = args, None, by_id(args.key), 0, 0
        self.client, self.hub, self.error, self.tries, self.retry_at, self.key_set = None, "", "", 0, 0, None
        self.etags, self.not_before, self.period, self.state = {}, {}, 60, {}
        self.tls = ssl.create_default_context(cafile=args.concierge_ca)
        if os.path.exists(args.state):  # One that can't be read ends the program: it would forget the epoch.
            self.state = json.loads(Path(args.state).read_text())
            if self.state["keys"]:
                self.learn(self.state["keys"])
            self.route = verify(self.state["route"], "hubshift-route+jws", self.keys)

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
        age = time.time() - self.keys_asked  # An unknown key is a reason to ask once a minute, else once a day.
        if self.args.recovery_key and age > (86400 if key_id(token) in self.keys else 60):
            self.keys_asked = time.time()
            self.learn(self.http(f"{base}/.well-known/hubshift/keys")[0]["signed"])
        new, held = verify(token, "hubshift-route+jws", self.keys), self.route
        if new["v"] != 1 or new["fleet"] != self.args.fleet:
            raise ValueError("a route of another version or fleet")
        if order(new) < order(held):  # It has forgotten something: show it what we hold.
            shown = json.dumps({"route": self.state["route"]}).encode()
            self.http(f"{base}/v1/fleets/{self.args.fleet}/route", {"Content-Type": "application/json"}, shown)
            raise ValueError(f"epoch {new['epoch']} is older than {held['epoch']}")
        if not held or new["epoch"] > held["epoch"]:  # The slot's timer starts here and nowhere else.
            self.tries, self.retry_at, self.state["accepted_at"] = 0, 0, time.time()
        self.state.update(route=token, keys=self.key_set)
        with open(self.args.state + ".new", "w") as file:
            print(json.dumps(self.state), file=file, flush=True)
            os.fsync(file.fileno())
        os.replace(file.name, self.args.state)  # Saved before it is acted on: a restart refuses older ones too.
        self.route = new

    def poll(self):
        echo = dict(device=self.args.device, epoch=self.route and self.route["epoch"], hub=self.hub, error=self.error)
        query = urllib.parse.urlencode({name: value for name, value in echo.items() if value})
        for base in (base for base in self.args.concierge if time.time() >= self.not_before.get(base, 0)):
            try:
                tag = {"If-None-Match": self.etags[base]} if base in self.etags else {}
                answer, etag = self.http(f"{base}/v1/fleets/{self.args.fleet}/endpoint?{query}", tag)
                self.accept(base, answer["route"])
                self.etags[base], self.period = etag, min(max(answer["poll_after_ms"] / 1000, 0.2), 3600)
                return
            except urllib.error.HTTPError as error:
                if error.code == 304:
                    return
                asked = error.headers["Retry-After"] or ""  # Never sooner, and not all at once.
                wait = min(int(asked), 3600) if asked.isdigit() else 0
                self.not_before[base] = time.time() + wait * (1 + random.random())
            except Exception as error:
                print(f"{base}: {error!r}", flush=True)

    async def attend(self):
        """Connects when it is time; until then a hub that still works is still good."""
        hub = self.route["endpoints"][0]
        if self.hub and not self.client.connected:  # Lost.
            self.hub, self.retry_at = "", time.time() + random.random()
        slot_at = self.state["accepted_at"] + slot(self.route, self.args.device) / 1000
        if self.hub == hub["hub"] or time.time() < max(slot_at, self.retry_at):
            return
        if self.client:
            await self.client.shutdown()
        self.hub, self.client = "", IoTHubDeviceClient.create_from_symmetric_key(
            self.args.device_key, hub["host"].split(":")[0], self.args.device,
            server_verification_cert=self.args.hub_ca and Path(self.args.hub_ca).read_text(),
            auto_connect=False, connection_retry=False)  # Its pause, 10 s for all, would make a herd of the fleet.
        try:
            await self.client.connect()
            self.hub, self.error, self.tries = hub["hub"], "", 0
            print(f"connected {hub['host']} in epoch {self.route['epoch']}", flush=True)
        except Exception as error:  # Full jitter.
            self.error, self.retry_at = repr(error), time.time() + random.uniform(0, min(60, 2 ** self.tries))
            self.tries += 1

    async def run(self):
        next_poll = 0
        while True:
            if time.time() >= next_poll:
                await asyncio.to_thread(self.poll)
                next_poll = time.time() + self.period * (1 + random.random() / 10)
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
