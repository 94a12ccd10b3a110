"""A process that says as much as it can in many rooms, to be killed in the middle of it."""

import sys
from pathlib import Path

from sockctl.services.chat.history_file import HistoryFileLimits
from sockctl.services.chat.store import ChatStore, StoreLimits
from tests.support.chat_history import frames

ROOMS = 20
BATCH = 3


def main() -> None:
    # Without slack, the file is written anew all the time.
    limits = StoreLimits(pause_s=0.0, history_file=HistoryFileLimits(slack_bytes=0))
    kept = ChatStore(
        Path(sys.argv[1]), history=25, on_failure=lambda why, count: sys.exit(f"{why} {count}"), limits=limits
    )
    last = {room: one.last_id for room, one in kept.start().items()}
    while True:
        for number in range(ROOMS):
            room = f"#room{number}"
            first = last.get(room, 0) + 1
            last[room] = first + BATCH - 1
            kept.add_messages(room, first, frames(first, last[room], room))


if __name__ == "__main__":
    main()
