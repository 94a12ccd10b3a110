"""Messages as a room gives them to the store, and the ids in a history file."""

import json
from pathlib import Path

AT = "2026-01-31T12:00:00Z"


def frame(number: object, room: str = "#lobby", text: str = "hello", **fields: object) -> bytes:
    said = {"kind": "say", "text": text, "room": room, "sender": "ann", "id": number, "at": AT, **fields}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def frames(first: int, last: int, room: str = "#lobby") -> list[bytes]:
    return [frame(number, room) for number in range(first, last + 1)]


def ids(data: bytes | Path) -> dict[str, list[int]]:
    """Return the ids by room, from whole lines only."""
    lines = (data.read_bytes() if isinstance(data, Path) else data).split(b"\n")[:-1]
    found: dict[str, list[int]] = {}
    for line in lines:
        fields = json.loads(line)
        found.setdefault(fields["room"], []).append(fields["id"])
    return found
