"""Tells a server of what the engine has lost and this server had not read: others had, and say so."""

REMEMBERED = 10
"""The losses of so many engines' ends are known at most."""


class Losses:
    """How far this server had read when the engine lost its end. The log's reader alone uses it."""

    def __init__(self) -> None:
        self._read_ids: dict[int, int] = {}  # by the last id that the engine had kept

    def note_epoch(self, previous: int, *, read_id: int) -> None:
        """Note an epoch: the last id before it, and the last one that this server had read."""
        self._read_ids[previous] = read_id
        if len(self._read_ids) > REMEMBERED:
            del self._read_ids[next(iter(self._read_ids))]

    def is_news(self, previous: int, upto: int) -> bool:
        """Return whether this server learns of a loss only now: it had read nothing of what is above `previous`."""
        read_id = self._read_ids.get(previous, upto)
        if read_id > previous or upto <= previous:
            return False
        self._read_ids[previous] = upto
        return True
