"""A room of python-socketio on several nodes: ``python server.py PORT REDIS_URL``. Its manager is the one of Redis."""

import sys
from typing import Any

import socketio  # type: ignore[import-not-found,import-untyped,unused-ignore]  # a peer, where it is installed
import uvicorn  # type: ignore[import-not-found,unused-ignore]  # as above

ROOM = "room"


def make_application(url: str) -> Any:
    """Return the application of one node."""
    server = socketio.AsyncServer(
        async_mode="asgi", transports=["websocket"], client_manager=socketio.AsyncRedisManager(url)
    )

    async def connect(member: str, _environment: dict[str, Any]) -> None:
        await server.enter_room(member, ROOM)
        await server.emit("joined", to=member)

    async def say(_member: str, text: str) -> None:
        await server.emit("say", text, room=ROOM)

    server.on("connect", connect)
    server.on("say", say)
    return socketio.ASGIApp(server)


if __name__ == "__main__":
    uvicorn.run(make_application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
