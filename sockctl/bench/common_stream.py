"""The bytes that all members at one server get alike: the messages of a run, in their frames, one behind the other.

The member that is first to get a message decodes it. The bytes of every other member are compared with these in one
piece, however they are cut.
"""

from bisect import bisect_right
from collections.abc import Sequence

from sockctl.bench.said import Said


class CommonStream:
    """The messages that a server has sent, from a position on. A position is the number of messages before it."""

    def __init__(self) -> None:
        self._start = 0  # the position of the first that is kept
        self._raw = bytearray()
        self._base = 0  # bytes before those that are kept
        self._ends = [0]  # where each position begins, counted from the first byte of all; the last is the end
        self._said: list[Said] = []
        self._dues_ns: list[int] = []
        self._sizes = [0]  # bytes of the texts before each position

    @property
    def end(self) -> int:
        """The position behind the last message."""
        return self._start + len(self._said)

    def extend(self, said: Sequence[Said], frames: Sequence[bytes]) -> None:
        """Append messages and their frames."""
        end, size = self._ends[-1], self._sizes[-1]
        for one, frame in zip(said, frames, strict=True):
            end += len(frame)
            size += one.size_bytes
            self._raw += frame
            self._ends.append(end)
            self._sizes.append(size)
            self._dues_ns.append(int(one.due * 1e9))
        self._said += said

    def match(self, at: int, matched_bytes: int, data: bytes) -> tuple[int, int, int]:
        """Compare bytes with the message at a position, and those behind it.

        Args:
            at: The position.
            matched_bytes: Bytes of that message that were compared before.
            data: The bytes that follow.

        Returns:
            The position that the bytes lead to; how many bytes of the message there are among them; and how many of
            the bytes are known. None of them where the bytes are others.
        """
        number = at - self._start
        begin = self._ends[number] + matched_bytes - self._base
        known = min(len(data), len(self._raw) - begin)
        if not self._raw.startswith(data if known == len(data) else data[:known], begin):
            return at, matched_bytes, 0
        end = begin + known + self._base
        reached = bisect_right(self._ends, end, number) - 1
        return self._start + reached, end - self._ends[reached], known

    def get_bytes(self, at: int, size: int) -> bytes:
        """Return the first bytes of the message at a position."""
        begin = self._ends[at - self._start] - self._base
        return bytes(self._raw[begin : begin + size])

    def get_said(self, begin: int, end: int) -> list[Said]:
        """Return the messages from a position to another."""
        return self._said[begin - self._start : end - self._start]

    def get_dues_ns(self, begin: int, end: int) -> list[int]:
        """Return when these messages were due, in nanoseconds of the monotonic clock."""
        return self._dues_ns[begin - self._start : end - self._start]

    def get_size(self, begin: int, end: int) -> int:
        """Return the bytes of the texts of these messages."""
        return self._sizes[end - self._start] - self._sizes[begin - self._start]

    def forget(self, before: int) -> None:
        """Forget the messages before a position, or all if there are fewer."""
        count = min(before, self.end) - self._start
        if count <= 0:
            return
        begin = self._ends[count]
        del self._raw[: begin - self._base]
        self._base = begin
        for kept in (self._ends, self._said, self._dues_ns, self._sizes):
            del kept[:count]
        self._start += count
