"""A server on `websockets` (asyncio): ``python -m tests.benchmarks.peers.websockets_peer PORT echo|chat``."""

import asyncio
import contextlib
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed


async def echo(connection: ServerConnection) -> None:
    """Send each message back."""
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def main(port: int, service: str) -> None:
    """Serve until the process ends."""
    members: set[ServerConnection] = set()

    async def chat(connection: ServerConnection) -> None:
        members.add(connection)
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                broadcast(members, message)
        members.discard(connection)

    handler = echo if service == "echo" else chat
    async with serve(handler, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096):
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
