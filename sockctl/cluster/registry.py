"""A node's own place in the engine: its registration, its lease, and the names of its members."""

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sockctl.cluster.engine import Engine
from sockctl.cluster.functions import call_function
from sockctl.cluster.keys import LOG, LOOKS, META, NAMES, NODES, here_key, posted_key
from sockctl.errors import EngineReplyError, NameTakenError

LEASE_S = 10.0
"""How long a node that isn't heard of counts as one that is there."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A node as the engine knows it.

    Attributes:
        node: Its name, which no other node ever has.
        last_id: The last id of the log when it registered.
        engine_us: The engine's clock then, in microseconds.
    """

    node: str
    last_id: int
    engine_us: int


def register(engine: Engine, name: str, *, lease_s: float = LEASE_S, highest_id: int = 0) -> Registration:
    """Register a node under a name of its own.

    Args:
        engine: The engine.
        name: What people call the node; the name that it gets begins so.
        lease_s: The length of its lease.
        highest_id: The highest id that it has read; the engine gives higher ones from now on.

    Raises:
        EngineError: The engine is away, or refuses.
    """
    node = f"{name}.{secrets.token_hex(4)}"
    keys = (META, LOG, NODES, posted_key(node))
    _, last_id, now_us = call_function(engine, "register", keys, node, _count_us(lease_s), highest_id)
    return Registration(node, int(last_id), int(now_us))


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node learns when it renews its lease.

    Attributes:
        expired: Other nodes whose lease is over, some at a time.
        engine_us: The engine's clock, in microseconds.
    """

    expired: list[str]
    engine_us: int


def beat(engine: Engine, node: str, *, lease_s: float = LEASE_S, highest_id: int = 0) -> Beat:
    """Renew a node's lease.

    Raises:
        EngineReplyError: The node was buried (code ``BURIED``): it must register anew.
        EngineError: The engine is away, or refuses.
    """
    keys = (META, LOG, NODES, posted_key(node))
    _, now_us, *expired = call_function(engine, "beat", keys, node, _count_us(lease_s), highest_id)
    return Beat([one.decode() for one in expired], int(now_us))


def bury(engine: Engine, node: str) -> bool:
    """Bury a node whose lease is over: free its names, and let all nodes know; return whether this call did it."""
    keys = (META, LOG, NODES, posted_key(node), NAMES, LOOKS, here_key(node))
    return bool(call_function(engine, "bury", keys, node))


def retire(engine: Engine, node: str, *, lease_s: float) -> None:
    """Give a node that stops a last lease: its members have so long to come to another node."""
    call_function(engine, "retire", (META, LOG, NODES), node, _count_us(lease_s))


def claim_name(
    engine: Engine, node: str, key: str, *, member: str, skeletons: Collection[str] = (), data: bytes = b""
) -> None:
    """Claim a name for a member of a node, and let all nodes know.

    Args:
        engine: The engine.
        node: The node.
        key: The key of the name; names that are the same have the same.
        member: The member's id, which has no space.
        skeletons: How the name looks, see `sockctl.protocol.look_alikes`.
        data: What the nodes are told of the member.

    Raises:
        NameTakenError: Another member of a living node has it, or one that looks like it.
        EngineError: The engine is away, or the node was buried (code ``BURIED``).
    """
    keys = (META, LOG, NODES, NAMES, LOOKS, here_key(node))
    try:
        call_function(engine, "claim", keys, node, key, member, json.dumps(sorted(skeletons)), data)
    except EngineReplyError as error:
        if error.code != "TAKEN":
            raise
        taken = str(error)
        what = "is taken" if taken == key else f"looks like {taken}, which is taken"
        raise NameTakenError(f"The name {key!r} {what}: choose another one.") from error


def release_name(engine: Engine, node: str, key: str, *, member: str, data: bytes = b"") -> bool:
    """Release a name, and let all nodes know; return whether the member had it."""
    keys = (META, LOG, NODES, NAMES, LOOKS, here_key(node))
    return bool(call_function(engine, "release", keys, node, key, member, data))


def _count_us(seconds: float) -> int:
    return int(seconds * 1_000_000)
