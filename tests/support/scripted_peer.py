"""A client without a socket: it says the lines of a script, and keeps the messages that it gets."""

import math
from collections import deque
from collections.abc import Callable

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message, make_message


class ScriptedPeer(Peer):
    """Gives the lines and messages of the script one after the other, then the end of the input.

    A step that can be called is: it does something in between.
    """

    limit_bytes = 65_536
    stopping = False
    is_backlogged = False
    is_gone = False
    bytes_in = 0

    def __init__(
        self, *steps: str | Message | Callable[[], object], number: int = 1, address: str = "192.0.2.7"
    ) -> None:
        super().__init__(number, address, f"{address}:50000")
        self._steps = deque(steps)
        self.told: list[Message] = []
        self.reason: Reason | None = None
        self.admitted = False
        self.charged_s = 0.0

    def admit(self) -> None:
        self.admitted = True

    def charge(self, work_s: float) -> None:
        self.charged_s += work_s

    def script(self, *steps: str | Message | Callable[[], object]) -> None:
        """Add to the script."""
        self._steps.extend(steps)

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.told]

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.told]

    def send(self, one: Message) -> None:
        self.told.append(one)

    def send_encoded(self, data: bytes) -> None:
        raise NotImplementedError

    def post(self, one: Message) -> None:
        self.told.append(one)

    def post_encoded(self, data: bytes) -> None:
        raise NotImplementedError

    def call_soon(self, call: Callable[[], None]) -> None:
        call()

    def receive(self) -> Message | None:
        while self._steps:
            step = self._steps.popleft()
            if isinstance(step, str):
                return make_message("line", step)
            if isinstance(step, Message):
                return step
            step()
        return None

    def discard(self) -> int:
        """Discard nothing: each line of the script answers the question before it."""
        return 0

    def wait(self, events: dict[int, int], *, for_input: bool, until: float = math.inf) -> set[int]:
        raise NotImplementedError

    def pop_found(self) -> list[Message] | None:
        raise NotImplementedError

    def give_up(self, reason: Reason) -> PeerGoneError:
        self.reason = reason
        return PeerGoneError("over")

    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        self.reason = reason
