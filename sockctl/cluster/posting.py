"""What a node posts to the log, as data.

Some kinds change what the engine keeps, in the step that gives their entry its place in the log:

=================  =====================================================================================
``say``, ``block`` the room's last messages get the posting
``drop``           the room's last messages are deleted
``came``           a member of the node claims a name, see `Claim`; there is no entry where it is taken
``renamed``        the member changes its name, on all its nodes
``went``           the member is at the node no more; the name is free when no other node has the member
``act``            a field of the state gets a value, or is deleted
`SPOKEN`, `MOVES`  refused for a member that isn't at the node any more: it would be out of order
=================  =====================================================================================
"""

import dataclasses
import json
import time
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sockctl.errors import EngineAwayError, NameTakenError

CAME, RENAMED, WENT, ACT = "came", "renamed", "went", "act"
SPOKEN = frozenset({"say", "block", "tell"})
"""The kinds of what members say."""
MOVES = frozenset({"enter", "exit"})
"""The kinds that say in which rooms members are."""
_MOVED = "*"
"""What the engine gives for the key that is taken where the member has gone on at another node."""


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A claim of a name.

    Attributes:
        key: The key of the name; names that are the same have the same.
        skeletons: How the name looks, see `sockctl.protocol.look_alikes`.
        alone: Whether the member is at no other node from now on.
        again: Whether the member was here, and may have gone on at another node since: then it has no place here.
        answer: The id of the entry; or why there is none.
    """

    key: str
    skeletons: Collection[str] = ()
    alone: bool = False
    again: bool = False
    answer: "Future[int]" = dataclasses.field(default_factory=Future)

    def settle(self, entry_id: bytes, taken: bytes) -> None:
        """Note the engine's answer: the id of the entry, or the key that is taken."""
        if not taken:
            self.answer.set_result(int(entry_id))
            return
        other = taken.decode()
        if other == _MOVED:
            self.answer.set_exception(NameTakenError("You have gone on at another server."))
            return
        what = "is taken" if other == self.key else f"looks like {other}, which is taken"
        self.answer.set_exception(NameTakenError(f"The name {self.key!r} {what}: choose another one."))

    def fail(self) -> None:
        """Note that the engine has given no answer."""
        self.answer.set_exception(EngineAwayError("The engine has not answered: try again in a moment."))


@dataclass(frozen=True, slots=True, eq=False)
class Posting:
    """Something on its way to the log.

    Attributes:
        kind: The kind of its entry.
        data: What the entry holds.
        member: The id of the member, without spaces; empty for what the node itself posts, which has no limit.
        room: Its room; empty for none.
        lines: How many ids it takes.
        field: Of an ``act``, the field of the state that it changes; empty for none.
        value: Its new value; None to delete it.
        claim: Of ``came`` and ``renamed``, the name.
        tag: Anything of the caller's, which comes back if the posting was not said.
        at: When it was said, on the monotonic clock.
    """

    kind: str
    data: bytes
    member: str = ""
    room: str = ""
    lines: int = 1
    field: str = ""
    value: bytes | None = None
    claim: Claim | None = None
    tag: Any = None
    at: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def words(self) -> tuple[str | bytes | int, ...]:
        """What the function ``post`` needs beside the entry's own fields."""
        if self.claim is not None:
            words = (self.member, self.claim.key, json.dumps(sorted(self.claim.skeletons)))
            return (*words, "again" if self.claim.again else int(self.claim.alone)) if self.kind == CAME else words
        if self.kind == WENT or self.kind in SPOKEN or self.kind in MOVES:
            return (self.member,)
        return (self.field, self.value or b"") if self.kind == ACT else ()
