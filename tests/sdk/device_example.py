"""examples/python against a concierge and two hubs of this test, with Microsoft's device SDK
unmodified: it connects where the signed route says, before and after a move.

Needs the packages of examples/python/requirements.txt, and the port 8883 of two loopback addresses,
for the SDK takes no other one. They follow from the process id, so that two runs don't meet. Every
step is asserted.

usage: device_example.py ROOT_OF_THE_REPOSITORY; prints `N checks ok` at the end.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import re
import sys
import tempfile
import time

# The checkout stays as it is.
sys.dont_write_bytecode = True

ROOT = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "examples/python"))

import device  # noqa: E402
import route as rules  # noqa: E402
from device_parts import EAST, WEST, authority  # noqa: E402
from device_parts.concierge import Concierge, Key, b64, route  # noqa: E402
from device_parts.mqtt import Hub  # noqa: E402

SIGNING, NEXT, STRANGER, RECOVERY = Key(1), Key(2), Key(3), Key(9)
DEVICE_KEY = b64(b"k" * 32) + "="
checks = 0


def check(what, is_so):
    global checks
    assert is_so, what
    checks += 1


def refused(what, error, call):
    try:
        call()
    except error:
        return check(what, True)
    check(f"{what}: taken", False)


def vectors():
    """What docs/route.md says is what the example says."""
    text = (ROOT / "docs/route.md").read_text()
    token = re.search(r"^(eyJ[\w-]+\.[\w-]+\.[\w-]+)$", text, re.M).group(1)
    x = re.search(r"its JWK\):\n\n```text\n([\w-]+)\n", text).group(1)
    typ, keys = "hubshift-route+jws", rules.by_id([x])
    claims = rules.verify(token, typ, keys)
    check("claims", claims["epoch"] == 2049 and claims["fleet"] == "acme")
    check("slot", rules.slot(claims, "device-1") == 117765)
    header, payload, signature = token.split(".")
    none = b64(b'{"alg":"none","kid":"%s","typ":"hubshift-route+jws"}' % next(iter(keys)).encode())
    refused("alg none", ValueError, lambda: rules.verify(f"{none}.{payload}.", typ, keys))
    refused("type", ValueError, lambda: rules.verify(token, "hubshift-keys+jws", keys))
    refused("length", ValueError, lambda: rules.verify(token + "A" * 9000, typ, keys))
    refused("key", KeyError, lambda: rules.verify(token, typ, rules.by_id([NEXT.x])))
    other = f"{header}.{b64(b'{}')}.{signature}"
    refused("content", Exception, lambda: rules.verify(other, typ, keys))
    lists = [json.loads(block) for block in re.findall(r"```json\n(\[.*?\n\])\n```", text, re.S)]
    claims["admission"]["waves"] = lists[0]
    rows = re.findall(r"^\| `([\w-]+)` \| [\w ]+ \| (\d+) \|$", text, re.M)
    check("rows", len(rows) == 3)
    for name, slot in rows:
        check(f"slot of {name} with waves", rules.slot(claims, name) == int(slot))
    canary = json.loads(re.search(r"```json\n(\{\n  \"id\".*?\n\})\n```", text, re.S).group(1))
    for name, takes_part in (("device-1", False), ("device-50", True)):
        is_in = rules.hash64(name, "canary", canary["id"]) * 100 < canary["percent"] << 64
        check(f"{name} and the canary", is_in == takes_part)
    slot = canary["window_ms"] * rules.hash64("device-50", 2049) >> 64
    check("slot in the canary", f"`device-50` does, at slot {slot} ms" in text)
    check("listed", f"`device-1` is `{rules.hash64('device-1'):016x}`" in text)


def waves():
    """Prefixes, then a tenth of the rest, then everybody else."""
    listed = [
        {"name": "first", "prefixes": ["pump-"], "offset_ms": 0, "window_ms": 1000},
        {"name": "tenth", "percent": 10, "offset_ms": 1000, "window_ms": 2000},
    ]
    claims = {"epoch": 1024, "admission": {"window_ms": 20000, "waves": listed}}
    check("prefix", all(rules.slot(claims, f"pump-{n}") < 1000 for n in range(200)))
    slots = [rules.slot(claims, f"d-{n}") for n in range(2000)]
    tenth = sum(1000 <= slot < 3000 for slot in slots)
    check("percent", 140 < tenth < 260)
    check("rest", all(1000 <= slot < 20000 for slot in slots) and max(slots) > 19000)
    # As crates/domain/src/route/waves/tests.rs has it: what a newer version wrote is nobody's.
    newer = [
        {"name": "eu", "regions": ["eu"], "offset_ms": 0, "window_ms": 10},
        {"name": "x", "prefixes": ["d-"], "regions": ["eu"], "offset_ms": 0, "window_ms": 10},
        {"name": "y", "prefixes": ["d-"], "percent": 5, "offset_ms": 0, "window_ms": 10},
        {"name": "pumps", "prefixes": ["pump-"], "offset_ms": 10, "window_ms": 20},
        7,
    ]
    claims["admission"] = {"window_ms": 100, "waves": newer}
    check("newer waves", 10 <= rules.slot(claims, "pump-1") < 30)
    check("who is in none", all(30 <= rules.slot(claims, f"d-{n}") < 100 for n in range(50)))
    claims["admission"]["waves"] = {"of": "another shape"}
    check("another shape", max(rules.slot(claims, f"pump-{n}") for n in range(50)) > 50)


def arguments(folder, *concierges):
    return argparse.Namespace(
        fleet="acme", device="device-1", device_key=DEVICE_KEY, state=str(folder / "state.json"),
        concierge=[one.url for one in concierges], key=[], recovery_key=RECOVERY.x,
        concierge_ca=str(folder / "ca.pem"), hub_ca=str(folder / "ca.pem"),
    )  # fmt: skip


def polls(folder, tls):
    """Refusals, keys and old routes, poll by poll."""
    keys = RECOVERY.keys(10, SIGNING)
    first, second = (Concierge(tls, route(SIGNING, 2049, "west", "w"), keys) for _ in range(2))
    one = device.Device(arguments(folder, first, second))
    first.refusal = (429, "3600")
    one.poll()
    one.poll()
    check("a refusal with a time is heeded", (len(first.asked), len(second.asked)) == (1, 2))
    check("the next concierge is asked", one.route["epoch"] == 2049)
    second.route = route(SIGNING, 1024, "east", "e")
    one.poll()
    check("a lower epoch is refused", one.route["epoch"] == 2049)
    check("and is shown the higher one", len(second.presented) == 1)
    again = device.Device(arguments(folder, second))
    again.poll()
    check("after a restart too", again.route["epoch"] == 2049)
    second.route = route(STRANGER, 4096, "east", "e")
    again.poll()
    check("a stranger's route is refused", again.route["epoch"] == 2049)
    second.route, second.keys = route(NEXT, 3072, "east", "e"), RECOVERY.keys(20, NEXT)
    again.keys_asked = float("-inf")
    again.poll()
    check("a new key is learnt", again.route["epoch"] == 3072)
    second.route, second.keys = route(SIGNING, 4096, "west", "w"), keys
    last = device.Device(arguments(folder, second))
    last.poll()
    check("an old key set is refused", last.route["epoch"] == 3072 and SIGNING.id not in last.keys)


def timers(folder, tls):
    """One slot per epoch, whatever routes, clocks and restarts say."""
    first, second = (Concierge(tls, route(SIGNING, 2049, "west", "w", 1_000_000), {}) for _ in range(2))
    given = arguments(folder, first, second)
    given.recovery_key, given.key = None, [SIGNING.x]
    one = device.Device(given)
    one.poll()
    due = one.due
    slot = rules.slot(one.route, "device-1") / 1000
    check("at the slot", abs(due - time.monotonic() - slot) < 5 and slot > 20)
    first.route = route(SIGNING, 2049, "west", "w", 10, issued_at=2, version=2)
    one.poll()
    check("a route of the same epoch is taken", one.route["routing_version"] == 2)
    check("and moves no slot", one.due == due and abs(device.Device(given).due - due) < 5)
    state = json.loads(pathlib.Path(given.state).read_text())
    state["accepted_at"] += 1e9  # The clock went back by thirty years.
    pathlib.Path(given.state).write_text(json.dumps(state))
    check("a clock that went back", device.Device(given).due - time.monotonic() < slot + 5)
    state["wait_ms"] = 0
    pathlib.Path(given.state).write_text(json.dumps(state))
    check("costs nothing after the move", device.Device(given).due <= time.monotonic())
    # The first one is gone, and comes back with what it knew before.
    before, first.refusal = first.route, (503, "0")
    second.route = route(SIGNING, 3072, "east", "e")
    one.poll()
    first.refusal, first.route = None, before
    one.poll()
    check("a tag of older days is not sent", len(first.presented) == 1)
    check("and the newer epoch stays", one.route["epoch"] == 3072)
    given.recovery_key = RECOVERY.x
    first.route = route(SIGNING, 4096, "west", "w")
    last = device.Device(given)
    last.poll()
    check("keys that can't be had don't hold up a known one", last.route["epoch"] == 4096)
    one.tries = 0
    for _ in range(20):
        one.pause()
    check("pauses end at a minute", one.retry_at <= time.monotonic() + 60 and one.tries == 6)


async def until(what, is_so, seconds=20):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)
    check(what, True)


@contextlib.asynccontextmanager
async def running(folder, concierge):
    """The example as a process of its own."""
    given = {name: value for name, value in vars(arguments(folder, concierge)).items() if value}
    flags = [[f"--{name.replace('_', '-')}", *([value] if isinstance(value, str) else value)]
             for name, value in given.items()]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "examples/python/device.py"), *sum(flags, [])
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def moves(folder, tls):
    """The SDK connects to the host that the route names."""
    east, west = Hub(EAST), Hub(WEST)
    await east.start(tls)
    await west.start(tls)
    keys = RECOVERY.keys(10, SIGNING)
    concierge = Concierge(tls, route(SIGNING, 1024, "east", EAST), keys)
    async with running(folder, concierge):
        await until("connected to east", lambda: east.connects)
        client, user = east.connects[0]
        check("as the device", client == "device-1" and user.startswith(f"{EAST}/device-1/"))
        await until("the hub is echoed", lambda: "hub=east" in concierge.asked[-1])
        before = time.monotonic()
        new = route(SIGNING, 2049, "west", WEST, window_ms=3000)
        slot = rules.slot(rules.verify(new, "hubshift-route+jws", rules.by_id([SIGNING.x])), "device-1")
        concierge.route = new
        await until("connected to west", lambda: west.connects)
        check("not before its slot", time.monotonic() - before >= slot / 1000)
        await until("left east", lambda: not east.writers)
        concierge.route = route(SIGNING, 1024, "east", EAST)
        await until("an old route is answered by the new one", lambda: new in concierge.presented)
        state = json.loads((folder / "state.json").read_text())
        check("the wait is over in the state too", state["wait_ms"] == 0)
        west.drop()
        await until("it comes back to west", lambda: len(west.connects) == 2)
        check("and never to east", len(east.connects) == 1)
    async with running(folder, concierge):
        await until("after a restart to west", lambda: len(west.connects) == 3)
        check("whatever is answered", len(east.connects) == 1)


def main():
    vectors()
    waves()
    with contextlib.ExitStack() as stack:
        one, two, other = (stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(3))
        for folder, test in ((one, polls), (two, timers), (other, moves)):
            folder = pathlib.Path(folder)
            done = test(folder, authority.make(folder))
            if done is not None:
                asyncio.run(done)
    print(f"{checks} checks ok")


main()
