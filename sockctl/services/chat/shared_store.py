"""Stands for the store of a chat on several servers: the log's engine keeps what is posted."""

from collections.abc import Sequence

from sockctl.cluster.posting import Posting
from sockctl.services.chat.shared_log import Log
from sockctl.services.chat.shared_records import restore_state
from sockctl.services.chat.state import ChatState

DROP = "drop"
"""The kind of a posting that lets the engine forget the last messages of a room."""


class SharedStore:
    """Keeps the state in memory alone; acts that are posted keep it for all. It is a `Store`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.state = ChatState()

    def load_again(self) -> None:
        """Load the state again; blocks.

        Raises:
            SockctlError: The engine can't be used.
        """
        restore_state(self.state, self._log.load_state())

    def add_messages(self, room: str, first_id: int, frames: Sequence[bytes], *, remembered: int) -> None:
        """Do nothing: what was posted is kept."""

    def keep_last(self, room: str, remembered: int) -> None:
        """Do nothing: the engine has its own limit."""

    def forget(self, room: str) -> None:
        """Let the engine forget the messages of a room that nobody is in."""
        self._log.post(Posting(DROP, b"", room=room))
