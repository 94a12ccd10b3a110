"""A node's own place in the engine: its registration, and its lease."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sockctl.cluster.engine import Engine
from sockctl.cluster.functions import call_function
from sockctl.cluster.keys import LOG, LOOKS, META, NAMES, NODES, here_key, posted_key
from sockctl.errors import EngineReplyError, RulesDifferError


@dataclass(frozen=True, slots=True)
class Registration:
    """A node as the engine knows it.

    Attributes:
        node: Its name, which no other node ever has.
        last_id: The id of the entry that says so.
        engine_us: The engine's clock then, in microseconds.
        others: The other nodes that were there.
    """

    node: str
    last_id: int
    engine_us: int
    others: list[str]


def register(
    engine: Engine, name: str, *, rules: Mapping[str, str], lease_s: float, highest_id: int = 0
) -> Registration:
    """Register a node under a name of its own, and let all nodes know.

    Args:
        engine: The engine.
        name: What people call the node; the name that it gets begins so.
        rules: The rules in which all nodes must agree, each with its value.
        lease_s: The length of its lease.
        highest_id: The highest id that it has read; the engine gives higher ones from now on.

    Raises:
        RulesDifferError: Other nodes are there, with other rules.
        EngineError: The engine is away, or refuses.
    """
    node = f"{name}.{secrets.token_hex(4)}"
    keys = (META, LOG, NODES, posted_key(node))
    words = [word for rule in rules.items() for word in rule]
    try:
        _, last_id, now_us, *others = call_function(
            engine, "register", keys, node, _count_us(lease_s), highest_id, *words
        )
    except EngineReplyError as error:
        if error.code != "RULES":
            raise
        theirs = {rule: value for rule, _, value in (one.partition(" ") for one in str(error).split("\t"))}
        there = " and ".join(_show_rule(rule, value) for rule, value in theirs.items())
        here = " and ".join(_show_rule(rule, rules[rule]) for rule in theirs)
        raise RulesDifferError(
            f"The nodes that are there have {there}, and this one has {here}: give all of them the same."
        ) from error
    return Registration(node, int(last_id), int(now_us), [one.decode() for one in others])


def _show_rule(rule: str, value: str) -> str:
    """Return a rule as the user gives it; the value ``on`` stands for a rule that has none."""
    if value in {"", "off"}:
        return f"no {rule}"
    return rule if value == "on" else f"{rule} {value}"


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node learns when it renews its lease.

    Attributes:
        engine_us: The engine's clock, in microseconds.
        last_id: The last id of the log.
        expired: Other nodes whose lease is over, some at a time.
    """

    engine_us: int
    last_id: int
    expired: list[str]


def beat(engine: Engine, node: str, *, read: int, waiting: int = 0, lease_s: float) -> Beat:
    """Renew a node's lease.

    Args:
        engine: The engine.
        node: The node.
        read: The last id that it has read; the engine gives higher ones from now on.
        waiting: How many of its postings wait for the engine.
        lease_s: The length of its lease.

    Raises:
        EngineReplyError: The node was buried (code ``BURIED``): it must register anew.
        EngineError: The engine is away, or refuses.
    """
    keys = (META, LOG, NODES, posted_key(node))
    now_us, last_id, *expired = call_function(engine, "beat", keys, node, _count_us(lease_s), read, waiting)
    return Beat(int(now_us), int(last_id), [one.decode() for one in expired])


def bury(engine: Engine, node: str) -> bool:
    """Bury a node whose lease is over, and let all nodes know; return whether this call did it.

    The names of members who are at no other node are free then. Other requests come between those of a large node.
    """
    keys = (META, LOG, NODES, posted_key(node), NAMES, LOOKS, here_key(node))
    done, left = call_function(engine, "bury", keys, node)
    while left:
        _, left = call_function(engine, "bury", keys, node)
    return bool(done)


def retire(engine: Engine, node: str, *, lease_s: float) -> None:
    """Give a node that stops a last lease: its members have so long to come to another node."""
    call_function(engine, "retire", (META, LOG, NODES), node, _count_us(lease_s))


def _count_us(seconds: float) -> int:
    return int(seconds * 1_000_000)
