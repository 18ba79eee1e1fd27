"""A hub as a device's SDK sees it: MQTT 3.1.1 behind TLS, and who connected."""

import asyncio


class Hub:
    """Takes every connection on one address; `connects` has client id and user name of each."""

    def __init__(self, address):
        self.address, self.connects, self.writers = address, [], set()

    async def start(self, tls):
        self.server = await asyncio.start_server(self.serve, self.address, 8883, ssl=tls)

    def drop(self):
        """Cuts all connections, as a hub that fails does."""
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                kind, body = await packet(reader)
                reply = self.reply(kind, body)
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def reply(self, kind, body):
        """What is said to a packet; None: goodbye."""
        if kind >> 4 == 1:  # CONNECT: protocol, level, flags and keep-alive are 10 bytes.
            client, rest = text(body[10:])
            user, _ = text(rest)
            self.connects.append((client, user))
            return b"\x20\x02\x00\x00"
        if kind >> 4 == 3:  # PUBLISH, acknowledged when it has an id (QoS 1).
            _, rest = text(body)
            return b"\x40\x02" + rest[:2] if kind & 0x06 else b""
        if kind >> 4 == 8:  # SUBSCRIBE, to one filter.
            return b"\x90\x03" + body[:2] + b"\x00"
        if kind >> 4 == 12:  # PINGREQ
            return b"\xd0\x00"
        return None


async def packet(reader):
    kind = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)


def text(body):
    """A text with its length before it, and what follows."""
    length = int.from_bytes(body[:2], "big")
    return body[2 : 2 + length].decode(), body[2 + length :]
