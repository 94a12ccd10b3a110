"""The order in which the members of a chat hear its messages: one for all of them, on all servers.

The member that hears a message first extends the order, if the message is its sender's next one. Every other member
must hear the same messages in that order.
"""

from itertools import islice

from sockctl.bench.said import Said

Key = tuple[int, int]
"""A message's sender, and its number among the sender's messages."""


class CommonOrder:
    """The messages in the order that all members must hear. A position is the number of messages before it."""

    def __init__(self) -> None:
        self._said: list[Said] = []
        self._start = 0  # the position of the first that is kept
        self._next: dict[int, int] = {}  # the number of each sender's next message

    def match(self, at: int, said: list[Said]) -> int:
        """Return how many of the messages are the order's, from position `at` on; extend the order where it ends."""
        first = at - self._start
        known = self._said[first : first + len(said)]
        if known == said:  # mostly the same objects, which costs nothing
            return len(said)
        for number, (one, other) in enumerate(zip(known, said, strict=False)):
            if one != other:
                return number
        for number, one in enumerate(islice(said, len(known), None), len(known)):
            if one.number != self._next.get(one.sender, 0):
                return number
            self._next[one.sender] = one.number + 1
            self._said.append(one)
        return len(said)

    def find_absent(self, at: int, wrong: Said) -> Key | None:
        """Return the message that belongs to position `at`, in place of the wrong one.

        Returns:
            The absent message; None where the wrong one has a position before `at`, and so is a repetition.
        """
        ahead = self._said[at - self._start :]
        heard = self._next.get(wrong.sender, 0) - sum(one.sender == wrong.sender for one in ahead)
        if wrong.number < heard:
            return None
        return (ahead[0].sender, ahead[0].number) if ahead else (wrong.sender, heard)

    def forget(self, before: int) -> None:
        """Forget the messages before a position, which every member has heard."""
        del self._said[: max(0, before - self._start)]
        self._start = max(self._start, before)
