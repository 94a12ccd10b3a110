"""What an engine knows of its chat: the nodes, the log, and how the engine does. Nothing is changed there."""

from dataclasses import dataclass
from typing import Any, NoReturn

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_errors import explain_reply
from sockctl.cluster.engine_facts import Asks, Facts, collect_facts, decode, pair_words, parse_number
from sockctl.cluster.functions import FORM, Library
from sockctl.cluster.keys import LOG, META, NODES, here_key, posted_key
from sockctl.errors import EngineError, EngineReplyError, NoChatError
from sockctl.text import is_whole_number


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A node, as the engine knows it. None stands for what the node has not told yet, with its first beat.

    Attributes:
        name: Its name.
        lease_s: What is left of its lease; 0 where that is over, and another node buries it soon.
        members: Its members.
        behind: Lines of the log that its reader had not read at its last beat.
        waiting: Messages that waited in it for the engine at its last beat.
        since_us: When it registered, in microseconds since 1970.
    """

    name: str
    lease_s: float
    members: int
    behind: int | None
    waiting: int | None
    since_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A chat in an engine. None stands for what the user may not read, or the nodes have not told.

    Attributes:
        facts: What the engine tells of itself.
        nodes: The nodes, by name.
        log_length: Entries of the log.
        last_id: The last id of the log.
        epoch_us: When the engine, as it runs now, began to give ids, in microseconds since 1970.
        epochs: How often an engine has begun to give ids.
        forms: The forms of the functions in the engine; None where the user may not list them.
    """

    facts: Facts
    nodes: list[NodeStatus]
    log_length: int
    last_id: int
    epoch_us: int
    epochs: int | None
    forms: list[int] | None

    @property
    def living(self) -> list[NodeStatus]:
        """The nodes that count as there."""
        return [one for one in self.nodes if one.lease_s]

    @property
    def members(self) -> int:
        """The members of the living nodes; one who is at two of them counts twice."""
        return sum(one.members for one in self.living)


def read_status(engine: Asks, access: EngineAccess) -> Status:
    """Read what an engine knows of its chat. Blocks.

    Raises:
        NoChatError: There is none, or one of another form.
        EngineError: The engine can't be asked.
    """
    facts = collect_facts(engine)
    if facts.is_loading:
        raise EngineError(f"{access} is still loading its data: ask it again in a while.")
    time, meta, leases, log = _ask(
        engine,
        access,
        [("TIME",), ("HGETALL", META), ("ZRANGE", NODES, "0", "-1", "WITHSCORES"), ("EXISTS", LOG)],
    )
    forms = _read_forms(engine)
    of_chat = pair_words(meta)
    if not log or not of_chat:
        raise NoChatError(_explain_no_chat(access, forms))
    now_us = int(time[0]) * 1_000_000 + int(time[1])
    names = [decode(name) for name in leases[::2]]
    of_nodes = [request for name in names for request in (("HGETALL", posted_key(name)), ("HLEN", here_key(name)))]
    log_info, *told = _ask(engine, access, [("XINFO", "STREAM", LOG), *of_nodes])
    stream = pair_words(log_info)
    nodes = [
        _make_node(name, float(end) - now_us, pair_words(of_one), members)
        for name, end, of_one, members in zip(names, leases[1::2], told[::2], told[1::2], strict=True)
    ]
    return Status(
        facts=facts,
        nodes=sorted(nodes, key=lambda one: one.name),
        log_length=int(stream["length"]),
        last_id=int(decode(stream["last-generated-id"]).rpartition("-")[2]),
        epoch_us=_find_number(of_chat, "since") or 0,
        epochs=_find_number(of_chat, "epochs"),
        forms=forms,
    )


def _make_node(name: str, left_us: float, told: dict[str, Any], members: int) -> NodeStatus:
    return NodeStatus(
        name=name,
        lease_s=max(0.0, left_us / 1e6),
        members=members,
        behind=_find_number(told, "behind"),
        waiting=_find_number(told, "waiting"),
        since_us=_find_number(told, "since"),
    )


def _read_forms(engine: Asks) -> list[int] | None:
    try:
        libraries = [pair_words(one) for one in engine.ask("FUNCTION", "LIST", "LIBRARYNAME", f"{Library.LOG}*")]
    except EngineReplyError:
        return None
    names = [decode(one.get("library_name")) for one in libraries]  # the form, then a digest of the text
    numbers = {name.removeprefix(Library.LOG).partition("_")[0] for name in names}
    return sorted(int(number) for number in numbers if is_whole_number(number))


def _explain_no_chat(access: EngineAccess, forms: list[int] | None) -> str:
    if others := [form for form in forms or () if form != FORM]:
        return (
            f"{access} holds a chat of form {others[-1]}, and this version of sockctl reads form {FORM}: use the "
            f"version that its nodes have."
        )
    return f"There is no chat at {access}. 'sockctl serve chat --cluster {access}' starts its first node."


def _ask(engine: Asks, access: EngineAccess, requests: list[tuple[str, ...]]) -> list[Any]:
    replies = engine.ask_all(requests)
    for reply in replies:
        if isinstance(reply, EngineReplyError):
            _refuse(reply, access)
    return replies


def _refuse(reply: EngineReplyError, access: EngineAccess) -> NoReturn:
    if reply.code in {"NOPERM", "WRONGTYPE"}:
        raise explain_reply(reply, access)
    raise EngineReplyError(f"{access} refuses: {str(reply).rstrip('.')}.", code=reply.code)


def _find_number(fields: dict[str, Any], name: str) -> int | None:
    return parse_number(decode(fields.get(name)))
