"""Finds the keys of a chat in which another program has written something else."""

from sockctl.cluster import keys
from sockctl.cluster.engine_facts import Asks, decode
from sockctl.errors import EngineReplyError

_HASHES = (
    keys.META,
    keys.NAMES,
    keys.LOOKS,
    keys.STATE,
    keys.ACCOUNTS,
    keys.USERS,
    keys.USERS_REMOVED,
    keys.SESSIONS,
    keys.TOKENS,
    keys.PENALTIES,
    keys.FAILURES,
    keys.KNOWN,
    keys.RUNNING,
)
_SORTED_SETS = (
    keys.NODES,
    keys.USERS_CHANGED,
    keys.SESSIONS_OF_USERS,
    keys.SESSION_ENDS,
    keys.SESSIONS_ENDED,
    *map(keys.order_key, (keys.PENALTIES, keys.FAILURES, keys.KNOWN)),
)
_LISTS_NODES = ("ZRANGE", keys.NODES, "0", "-1")
_LISTS_ROOMS = ("SMEMBERS", keys.ROOMS)


def find_wrong_keys(engine: Asks) -> list[str]:
    """Return the keys of a chat that hold something else than a chat writes there. Blocks.

    The commands are those that a chat has a right to anyway: each is refused where the key has another type.

    Raises:
        EngineError: The engine can't be asked.
    """
    requests = [_LISTS_NODES, _LISTS_ROOMS, _read_stream(keys.LOG)]
    requests += [("HLEN", key) for key in _HASHES] + [("ZCARD", key) for key in _SORTED_SETS]
    replies = engine.ask_all(requests)
    nodes, rooms = map(_list_names, replies[:2])
    of_names: list[tuple[str, ...]] = [
        ("HLEN", make_key(node)) for node in nodes for make_key in (keys.posted_key, keys.here_key)
    ]
    of_names += [_read_stream(keys.room_key(room)) for room in rooms]
    if of_names:
        requests += of_names
        replies = [*replies, *engine.ask_all(of_names)]
    wrong = [
        request[1]
        for request, reply in zip(requests, replies, strict=True)
        if isinstance(reply, EngineReplyError) and reply.code == "WRONGTYPE"
    ]
    return list(dict.fromkeys(wrong))


def _read_stream(key: str) -> tuple[str, ...]:
    return ("XREVRANGE", key, "+", "-", "COUNT", "1")


def _list_names(reply: object) -> list[str]:
    return [decode(name) for name in reply] if isinstance(reply, list) else []
