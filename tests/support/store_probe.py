"""A process that says as much as it can in many rooms, to be killed in the middle of it."""

import sys
from pathlib import Path

from sockctl.services.chat import history_file, store
from tests.support.chat_history import frames

ROOMS = 20
BATCH = 3


def main() -> None:
    store.PAUSE_S = 0.0
    history_file.SLACK_BYTES = 0  # so that the file is written anew all the time
    kept = store.ChatStore(Path(sys.argv[1]), history=25, on_failure=lambda why, count: sys.exit(f"{why} {count}"))
    last = {room: one.last_id for room, one in kept.start().items()}
    while True:
        for number in range(ROOMS):
            room = f"#room{number}"
            first = last.get(room, 0) + 1
            last[room] = first + BATCH - 1
            kept.said(room, first, frames(first, last[room], room))


if __name__ == "__main__":
    main()
