"""The commands that a chat runs on an engine, and whether a user there may run them.

The commands are tried without any effect: the engine checks a user's rights before it queues a command in a
transaction (MULTI), and the transaction is then discarded. A full memory, a failed disk and the like show there, too.
"""

import re
from collections.abc import Iterable

from sockctl.cluster.engine_facts import Asks
from sockctl.errors import EngineReplyError

KEYS_RULE = "~{chat:*"
"""The rule for all keys of a chat."""
_KEY = "{chat:0}:check"
_OF_COMMAND = re.compile("to run the")
_WITH_WORD = {"function", "xinfo"}

Request = tuple[str, ...]
Refusal = tuple[Request, EngineReplyError]

_BEGIN: Request = ("MULTI",)


NEEDED: list[Request] = [
    ("INFO", "server"),
    ("TIME",),
    ("FUNCTION", "LOAD", "REPLACE", "#!lua name=sockctl_check\n"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "sockctl*"),
    ("FCALL", "sockctl_check", "1", _KEY),
    ("XADD", _KEY, "*", "k", "v"),
    ("XREVRANGE", _KEY, "+", "-"),
    ("XREAD", "STREAMS", _KEY, "0-0"),
    ("XINFO", "STREAM", _KEY),
    ("EXISTS", _KEY),
    ("EXPIRE", _KEY, "1"),
    ("UNLINK", _KEY),
    ("HDEL", _KEY, "k"),
    ("HEXISTS", _KEY, "k"),
    ("HGET", _KEY, "k"),
    ("HGETALL", _KEY),
    ("HINCRBY", _KEY, "k", "1"),
    ("HLEN", _KEY),
    ("HMGET", _KEY, "k"),
    ("HSET", _KEY, "k", "v"),
    ("SADD", _KEY, "k"),
    ("SMEMBERS", _KEY),
    ("SREM", _KEY, "k"),
    ("ZADD", _KEY, "0", "k"),
    ("ZCARD", _KEY),
    ("ZRANGE", _KEY, "0", "0"),
    ("ZREM", _KEY, "k"),
    ("ZSCORE", _KEY, "k"),
]
"""The commands that a chat runs, its functions included, each with a key of the chat."""


def list_rights() -> list[str]:
    """Return the rules of an engine's user that may do what a chat needs, and no more; see ``ACL SETUSER``."""
    return [KEYS_RULE, *(f"+{find_name(request)}" for request in NEEDED), "+multi", "+discard"]


def find_name(request: Request) -> str:
    """Return the name of a request's command, as rules have it: ``xadd``, or ``function|load`` for one with a word."""
    name = request[0].lower()
    return f"{name}|{request[1].lower()}" if name in _WITH_WORD else name


def find_missing(refused: Iterable[Refusal]) -> list[str]:
    """Return the rules that an engine's user lacks, for what the engine has refused.

    Without MULTI the other rights can't be tried: these are all rules, then.
    """
    missing: dict[str, None] = {}
    for request, error in refused:
        if error.code == "NOPERM":
            if request == _BEGIN:
                return list_rights()
            missing[f"+{find_name(request)}" if _OF_COMMAND.search(str(error)) else KEYS_RULE] = None
    return list(missing)


def try_commands(engine: Asks) -> list[Refusal]:
    """Return the requests that the engine refuses, each with its error. The engine carries none of them out.

    Raises:
        EngineError: The engine can't be asked.
    """
    try:
        engine.ask(*_BEGIN)
    except EngineReplyError as error:
        return [(_BEGIN, error)]
    requests = [*NEEDED, ("DISCARD",)]
    replies = zip(requests, engine.ask_all(requests), strict=True)
    return [(request, reply) for request, reply in replies if isinstance(reply, EngineReplyError)]
