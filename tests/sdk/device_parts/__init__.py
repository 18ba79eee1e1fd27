"""What a device meets in a test: an authority, a concierge and hubs, each run's on its own addresses."""

import os

HOST = f"127.{64 + os.getpid() // 256 % 128}.{os.getpid() % 256}"
EAST, WEST = f"{HOST}.3", f"{HOST}.4"
