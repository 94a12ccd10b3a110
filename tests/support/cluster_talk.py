"""Members who talk in a chat on several nodes while a test breaks things, and what came of it."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.chat_checker import Healed, check
from tests.support.chat_measures import measure_echoes, measure_recovery
from tests.support.cluster_manner import Manner
from tests.support.cluster_members import Member
from tests.support.cluster_nodes import ChatNode, Cluster
from tests.support.running import wait_until
from tests.support.transcript import Came, Heard, Moved, Transcript

ROOMS = ("#lobby", "#harbour", "#library")
ALIVE_S = 20.0
"""How soon after the last fault all must be heard by all: some 2 s alone, and tests share their machine."""
QUIET_S = 20.0
"""How long the last words may take to reach all, once nobody says more."""
STEADY = Manner(patience_s=60.0)
"""A member that stays at its node, as far as the node lets it."""
IMPATIENT = Manner(patience_s=2.0, shows_blocks=False)
RESTLESS = Manner(patience_s=3.0, hops_every_s=3.0)
MANNERS = (STEADY, IMPATIENT, RESTLESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a talk.

    Attributes:
        transcripts: What each member has lived through.
        flaws: What was wrong.
        recovery_s: How soon after the last fault all were heard by all.
    """

    transcripts: Sequence[Transcript]
    flaws: Sequence[str]
    recovery_s: float

    @property
    def departures(self) -> list[Moved]:
        """Each ``left`` that any member has heard."""
        moves = [one for each in self.transcripts for one in each.events if isinstance(one, Moved)]
        return [one for one in moves if one.kind == "left"]

    @property
    def refusals(self) -> Counter[str]:
        """How many messages were refused, by code."""
        return Counter(code for each in self.transcripts for code in each.refused.values())

    @property
    def notices(self) -> Counter[str]:
        """How often members were told that they hear no more of something, by code."""
        return Counter(one.code for each in self.transcripts for one in each.told)

    def __str__(self) -> str:
        """Return it for a person, in one line."""
        echoes = sorted(measure_echoes(self.transcripts)) or [0.0]
        p50, p99 = (echoes[int(len(echoes) * share)] * 1000 for share in (0.5, 0.99))
        sent, private, arrivals = (
            sum(some)
            for some in zip(*((len(t.sent), len(t.written), t.arrivals) for t in self.transcripts), strict=True)
        )
        return (
            f"sent {sent}, private {private}, refused {dict(self.refusals)}, told {dict(self.notices)}, left "
            f"{len(self.departures)}, arrivals {arrivals}, echo p50 {p50:.1f} p99 {p99:.0f} ms, all heard after "
            f"{self.recovery_s:.1f} s: {'BAD' if self.flaws else 'OK'}"
        )


class Talk:
    """Members who talk.

    Args:
        cluster: Where they talk.
        members: Those who talk; all of them have heard something in each room.
    """

    def __init__(self, cluster: Cluster, members: Sequence[Member]) -> None:
        self.cluster = cluster
        self.members = members

    def list_at(self, node: ChatNode) -> list[Member]:
        """Return the members at a node."""
        return [each for each in self.members if each.port == node.port]

    def go_on(self, messages: int = 30) -> None:
        """Wait until each member has heard so many lines more."""
        before = [len(each.transcript.heard) for each in self.members]
        wait_until(
            lambda: all(
                len(each.transcript.heard) >= begun + messages for each, begun in zip(self.members, before, strict=True)
            ),
            what="that all hear more",
        )

    def finish(self, *, may_lose: bool = False, alive_s: float = ALIVE_S) -> Outcome:
        """Wait until all are heard by all again, let them fall silent, and check what they have heard.

        Call it as soon as the last fault is over.
        """
        healed = Healed(at_s=time.monotonic(), within_s=alive_s)
        for each in self.members:
            each.is_hopping.clear()
        self._await_life(healed)
        for each in self.members:
            each.is_talking.clear()
        is_quiet = self._becomes_quiet()
        knows_all = is_quiet and ask_who(self.members)
        transcripts = [each.transcript.copy() for each in self.members]
        for each, transcript in zip(self.members, transcripts, strict=True):
            transcript.name_now = each.name_now if knows_all else ""
        flaws = check(transcripts, may_lose=may_lose, healed=healed, rooms=ROOMS if is_quiet else ())
        if not is_quiet:
            flaws.append(f"the last words did not reach all within {QUIET_S:g} s")
        elif not knows_all:
            flaws.append("not all were told who is there")
        return Outcome(transcripts=transcripts, flaws=flaws, recovery_s=measure_recovery(transcripts, healed.at_s))

    def _await_life(self, healed: Healed) -> None:
        """Wait until all are heard by all, and in each room; no longer than they may take for it.

        In a room in which nobody speaks any more, a member that was told that it missed something stays behind.
        """
        since = [len(each.transcript.events) for each in self.members]
        until = healed.at_s + healed.within_s
        while (now := time.monotonic()) < until + QUIET_S:
            time.sleep(0.1)
            heard = [
                {(one.line, one.room) for one in each.transcript.events[begun:] if isinstance(one, Heard)}
                for each, begun in zip(self.members, since, strict=True)
            ]
            by_all = dict(set.intersection(*heard))
            is_alive = all(
                any(one.at_s >= healed.at_s and all(map(by_all.get, one.lines)) for one in each.transcript.sent[-100:])
                for each in self.members
            )
            if (is_alive or now >= until) and set(ROOMS) <= set(by_all.values()):
                return

    def _becomes_quiet(self) -> bool:
        """Wait until all have heard their own words, and all the same; return whether that came true."""
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until:
            if all(each.has_heard_its_words and each.seen == self.members[0].seen for each in self.members):
                return True
            time.sleep(0.05)
        return False


def ask_who(members: Sequence[Member], rooms: Sequence[str] = ROOMS) -> bool:
    """Let all ask who is in the rooms; return whether all were told."""
    told = [len(each.transcript.events) for each in members]
    for each in members:
        each.ask_who()
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        if all(
            {one.room for one in each.transcript.events[begun:] if isinstance(one, Came)} >= set(rooms)
            for each, begun in zip(members, told, strict=True)
        ):
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def members(some: Sequence[Member]) -> Iterator[Sequence[Member]]:
    """Start members, and end their threads."""
    for each in some:
        each.start()
    try:
        yield some
    finally:
        for each in some:
            each.finish()


@contextlib.contextmanager
def talking(cluster: Cluster, *, count: int = 6, manners: Sequence[Manner] = MANNERS, seed: int = 1) -> Iterator[Talk]:
    """Let members come to the nodes in turns, and talk; each has heard something in each room then.

    Where the nodes have machines of their own, so do their members: these reach no other node.
    """
    nodes = cluster.nodes
    made = []
    for number in range(count):
        at = number % len(nodes)
        machine = nodes[at].machine
        ports = cluster.ports[at:] + cluster.ports[:at] if machine is None else [nodes[at].port]
        manner = manners[(number + number // len(nodes)) % len(manners)]
        others = [f"m{other}" for other in range(count) if other != number]
        made.append(Member(f"m{number}", ports, ROOMS, manner, seed=seed, others=others, machine=machine))
    with members(made):
        wait_until(lambda: all(each.is_in for each in made), what="that all are in")
        for each in made:
            each.is_talking.set()
        wait_until(lambda: all(len(each.seen) == len(ROOMS) for each in made), what="that all hear all rooms")
        for each in made:
            each.is_hopping.set()
        yield Talk(cluster, made)
