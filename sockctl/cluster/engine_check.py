"""Checks whether an engine's settings suit a chat on several machines; each finding has the line that mends it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_findings import Finding, Level, Report
from sockctl.cluster.engine_rights import Asks, Refusal, find_missing, find_name, try_commands
from sockctl.errors import EngineReplyError, NotAnEngineError

LEAST_VERSION = (7, 0)
"""The first version of Redis with functions. Valkey began with 7.2."""
NEARLY_FULL = 0.8
"""The share of the memory limit from which on the check warns."""
_SYNC_COSTS = {"everysec": "its last second, or more on a busy disk", "no": "all that the system had not written yet"}
"""What a machine that fails loses, by appendfsync."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the engine tells of itself.

    Attributes:
        access: The way to it.
        info: Its INFO; empty where the user may not read that.
        config: Settings that INFO lacks; empty where the user may not read them.
        refused: The requests that it refuses.
    """

    access: EngineAccess
    info: Mapping[str, str]
    config: Mapping[str, str]
    refused: Sequence[Refusal]

    @property
    def user(self) -> str:
        """The engine's user."""
        return "default" if self.access.login is None else self.access.login.user

    def fix(self, *words: str) -> str:
        """Return the shell's line that runs a command at the engine."""
        return self.access.write_command(*words)


def check_engine(engine: Asks, access: EngineAccess) -> Report:
    """Check an engine, and change nothing there. Blocks.

    Raises:
        EngineError: The engine can't be asked.
    """
    facts = _collect(engine, access)
    found = (finding for check in _CHECKS for finding in check(facts))
    by_setting: dict[str, Finding] = {}
    for one in sorted(found, key=lambda one: list(Level).index(one.level)):
        by_setting.setdefault(one.setting, one)  # a full memory shows in INFO, and where the engine refuses to write
    return Report(_name_engine(facts.info), list(by_setting.values()))


def _collect(engine: Asks, access: EngineAccess) -> _Facts:
    info = _read_info(engine)
    try:
        words = [_decode(word) for word in engine.ask("CONFIG", "GET", "appendfsync", "save")]
    except EngineReplyError as error:
        if error.code not in {"ERR", "NOPERM"}:  # a service that hides CONFIG says that it knows no such command
            raise
        words = []
    is_ready = _is_new_enough(info) and info.get("loading") != "1"
    return _Facts(
        access, info, dict(zip(words[::2], words[1::2], strict=False)), try_commands(engine) if is_ready else []
    )


def _read_info(engine: Asks) -> dict[str, str]:
    """Return the engine's INFO; empty where the user may not read that."""
    try:
        reply = engine.ask("INFO")
    except EngineReplyError as error:
        if error.code == "NOPERM":
            return {}
        raise
    lines = (line.partition(":") for line in _decode(reply).splitlines() if not line.startswith("#"))
    info = {name: value for name, _, value in lines}
    if "redis_version" not in info:
        raise NotAnEngineError("What answers there is neither Redis nor Valkey: see to host and port.")
    return info


def _decode(reply: object) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else ""


def _name_engine(info: Mapping[str, str]) -> str:
    """Return the engine and its version, such as ``Redis 7.0.15``."""
    if version := info.get("valkey_version"):
        return f"Valkey {version}"
    return f"Redis {info['redis_version']}" if info else "The engine"


def _is_new_enough(info: Mapping[str, str]) -> bool:
    numbers = info.get("redis_version", "").split(".")[:2]
    return not info or ("valkey_version" in info) or [int(n) if n.isdigit() else 0 for n in numbers] >= [*LEAST_VERSION]


def _read_number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


# The checks. Each yields what isn't right.


def _check_version(facts: _Facts) -> Iterator[Finding]:
    if not _is_new_enough(facts.info):
        text = f"{_name_engine(facts.info)} has no functions: Redis 7.0 or newer is needed, or Valkey."
        yield Finding(Level.ERROR, "version", text, "apt-get install redis-server")
    if facts.info.get("loading") == "1":
        text = "The engine is still loading its data: it answers when it has done so."
        yield Finding(Level.ERROR, "loading", text, facts.fix("INFO", "persistence"))


def _check_role(facts: _Facts) -> Iterator[Finding]:
    info = facts.info
    if info.get("role") == "slave":
        host, port = info.get("master_host", ""), info.get("master_port", "")
        text = f"The engine is a replica of {host}:{port}, and takes no messages: name that one."
        primary = dataclasses.replace(facts.access, host=host, port=_read_number(port))
        yield Finding(Level.ERROR, "role", text, f"sockctl cluster check {primary}")
    if info.get("cluster_enabled") == "1":
        text = "cluster-enabled is yes: a chat keeps all in one engine. The line below stands in that one's redis.conf."
        yield Finding(Level.ERROR, "cluster-enabled", text, "cluster-enabled no")


def _check_memory(facts: _Facts) -> Iterator[Finding]:
    info = facts.info
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        text = f"maxmemory-policy is {policy}: the engine deletes names and messages when its memory is full."
        fix = facts.fix("CONFIG", "SET", "maxmemory-policy", "noeviction")
        yield Finding(Level.ERROR, "maxmemory-policy", text, fix)
    most, used = (_read_number(info.get(name)) for name in ("maxmemory", "used_memory"))
    if most and used > most * NEARLY_FULL:
        full = used >= most
        share = "all" if full else f"{used / most:.0%}"
        text = f"The engine uses {share} of its memory, maxmemory: once that is full, it refuses each message."
        fix = facts.fix("CONFIG", "SET", "maxmemory", str(most * 2))
        yield Finding(Level.ERROR if full else Level.WARNING, "maxmemory", text, fix)


def _check_disk(facts: _Facts) -> Iterator[Finding]:
    info = facts.info
    if info.get("aof_enabled") == "0":
        lost = "all that it holds" if facts.config.get("save") == "" else "all since its last snapshot"
        text = f"appendonly is no: an engine that is killed loses {lost}, accounts included."
        yield Finding(Level.WARNING, "appendonly", text, facts.fix("CONFIG", "SET", "appendonly", "yes"))
    elif (sync := facts.config.get("appendfsync")) is None:
        text = "appendfsync can't be read by this user. The line below shows it to a user with the right to see it."
        yield Finding(Level.UNKNOWN, "appendfsync", text, facts.fix("CONFIG", "GET", "appendfsync"))
    elif sync != "always":
        text = f"appendfsync is {sync}: a machine that fails loses {_SYNC_COSTS.get(sync, 'messages')}."
        yield Finding(Level.WARNING, "appendfsync", text, facts.fix("CONFIG", "SET", "appendfsync", "always"))
    if info.get("aof_last_write_status", "ok") != "ok":
        text = "The engine's last write to its disk has failed: see to the disk, and to the engine's own log."
        yield Finding(Level.ERROR, "disk", text, "df -h")


def _check_rights(facts: _Facts) -> Iterator[Finding]:
    if not facts.info:
        text = "The user may not run INFO: the check sees no version, role, memory and disk."
        yield Finding(Level.UNKNOWN, "info", text, facts.fix("ACL", "SETUSER", facts.user, "+info"))
    if missing := find_missing(facts.refused):
        text = f"The user {facts.user} lacks rights that a chat needs. The line below grants them."
        yield Finding(Level.ERROR, "acl", text, facts.fix("ACL", "SETUSER", facts.user, *missing))


def _check_refusals(facts: _Facts) -> Iterator[Finding]:
    """Find what else the engine refuses; each reason once."""
    known = {"NOPERM", "READONLY"}
    for request, error in facts.refused:
        if error.code in known:
            continue
        known.add(error.code)
        name = find_name(request).upper().replace("|", " ")
        setting, fix = {
            "OOM": ("maxmemory", ("INFO", "memory")),
            "MISCONF": ("disk", ("INFO", "persistence")),
            "NOREPLICAS": ("min-replicas-to-write", ("INFO", "replication")),
        }.get(error.code, ("commands", ("COMMAND", "INFO", *request[:1])))
        yield Finding(Level.ERROR, setting, f"The engine refuses {name}: {error}", facts.fix(*fix))


_CHECKS: tuple[Callable[[_Facts], Iterator[Finding]], ...] = (
    _check_version,
    _check_role,
    _check_memory,
    _check_disk,
    _check_rights,
    _check_refusals,
)
