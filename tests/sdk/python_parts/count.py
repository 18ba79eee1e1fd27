"""What every part uses: counting what was asserted, keys, waiting."""

import base64
import time

from msrest.exceptions import HttpOperationError

KEY_1 = base64.b64encode(b"1" * 32).decode()
KEY_2 = base64.b64encode(b"2" * 32).decode()
PRINT_1 = "aB" * 20
PRINT_2 = "cD" * 20

# The longest that a job may take, in seconds.
PATIENCE = 60


class Count:
    """Counts operations that did what they should."""

    def __init__(self):
        self.done = 0

    def ok(self, what, condition=True):
        if not condition:
            raise AssertionError(what)
        self.done += 1
        print("ok", self.done, what)

    def fails(self, what, status, name, call):
        """The call must fail with this status and, unless it is None, this error name."""
        try:
            call()
        except HttpOperationError as error:
            found = (error.response.status_code, error.response.headers.get("iothub-errorcode"))
            wanted = (status, name or found[1])
            if found != wanted:
                raise AssertionError("%s: %s, not %s" % (what, found, wanted))
            self.ok(what)
        else:
            raise AssertionError(what + ": did not fail")


def keys(device):
    key = device.authentication.symmetric_key
    return key.primary_key, key.secondary_key


def ended(get):
    """Polls a job until it has ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        job = get()
        if job.status in ("completed", "failed", "cancelled"):
            return job
        if time.monotonic() > deadline:
            raise AssertionError("the job is still " + job.status)
        time.sleep(0.1)
