"""Checks whether an engine's settings suit a chat on several machines; each finding has the line that mends it."""

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_facts import Asks, Facts, collect_facts
from sockctl.cluster.engine_findings import Finding, Level, Report
from sockctl.cluster.engine_keys import find_wrong_keys
from sockctl.cluster.engine_rights import Refusal, find_missing, find_name, try_commands

NEARLY_FULL = 0.8
"""The share of the memory limit from which on the check warns."""
_SYNC_COSTS = {"everysec": "its last second, or more on a busy disk", "no": "all that the system had not written yet"}
"""What a machine that fails loses, by appendfsync."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """The engine that is checked.

    Attributes:
        access: The way to it.
        facts: What it tells.
        refused: The requests that it refuses.
        wrong_keys: The keys of a chat in which another program has written.
    """

    access: EngineAccess
    facts: Facts
    refused: Sequence[Refusal]
    wrong_keys: Sequence[str]

    def fix(self, *words: str) -> str:
        """Return the shell's line that runs a command at the engine."""
        return self.access.write_command(*words)


def check_engine(engine: Asks, access: EngineAccess) -> Report:
    """Check an engine, and change nothing there. Blocks.

    Raises:
        EngineError: The engine can't be asked.
    """
    facts = collect_facts(engine)
    answers = facts.is_new_enough and not facts.is_loading
    refused = try_commands(engine) if answers else []
    subject = _Subject(access, facts, refused, find_wrong_keys(engine) if answers else [])
    found = (finding for check in _CHECKS for finding in check(subject))
    by_setting: dict[str, Finding] = {}
    for one in sorted(found, key=lambda one: list(Level).index(one.level)):
        by_setting.setdefault(one.setting, one)  # a full memory shows in INFO, and where the engine refuses to write
    return Report(facts.engine, list(by_setting.values()))


# The checks. Each yields what isn't right.


def _check_version(subject: _Subject) -> Iterator[Finding]:
    facts = subject.facts
    if not facts.is_new_enough:
        text = f"{facts.engine} has no functions: Redis 7.0 or newer is needed, or Valkey."
        yield Finding(Level.ERROR, "version", text, "apt-get install redis-server")
    if facts.is_loading:
        text = "The engine is still loading its data: it answers when it has done so."
        yield Finding(Level.ERROR, "loading", text, subject.fix("INFO", "persistence"), mends=False)


def _check_role(subject: _Subject) -> Iterator[Finding]:
    facts = subject.facts
    if primary := facts.find_primary():
        text = f"The engine is a replica of {primary}, and takes no messages: name that one."
        yield Finding(Level.ERROR, "role", text, f"sockctl cluster check {subject.access.at(primary)}", mends=False)
    if replicas := facts.list_replicas():
        text = f"A replica has settings and users of its own. Check {' and '.join(map(str, replicas))}, too."
        fix = "; ".join(f"sockctl cluster check {subject.access.at(replica)}" for replica in replicas)
        yield Finding(Level.UNKNOWN, "replicas", text, fix, mends=False)
    if facts.info.get("cluster_enabled") == "1":
        text = "cluster-enabled is yes: a chat keeps all in one engine. Take one whose redis.conf says no."
        yield Finding(Level.ERROR, "cluster-enabled", text, "cluster-enabled no")


def _check_memory(subject: _Subject) -> Iterator[Finding]:
    facts = subject.facts
    policy = facts.info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        text = f"maxmemory-policy is {policy}: the engine deletes names and messages when its memory is full."
        fix = subject.fix("CONFIG", "SET", "maxmemory-policy", "noeviction")
        yield Finding(Level.ERROR, "maxmemory-policy", text, fix)
    most, used = facts.read_number("maxmemory"), facts.read_number("used_memory")
    if most and used > most * NEARLY_FULL:
        full = used >= most
        share = "all" if full else f"{used / most:.0%}"
        text = f"The engine uses {share} of its memory, maxmemory: once that is full, it refuses each message."
        fix = subject.fix("CONFIG", "SET", "maxmemory", str(most * 2))
        yield Finding(Level.ERROR if full else Level.WARNING, "maxmemory", text, fix)


def _check_disk(subject: _Subject) -> Iterator[Finding]:
    info, config = subject.facts.info, subject.facts.config
    sync = config.get("appendfsync")
    if info.get("aof_enabled") == "0":
        lost = "all that it holds" if config.get("save") == "" else "all since its last snapshot"
        text = f"appendonly is no: an engine that is killed loses {lost}, accounts included."
        also = [] if sync in {None, "always"} else ["appendfsync", "always"]
        yield Finding(Level.WARNING, "appendonly", text, subject.fix("CONFIG", "SET", "appendonly", "yes", *also))
    elif sync is None:
        text = "appendfsync can't be read by this user. The line below shows it to a user with the right to see it."
        yield Finding(Level.UNKNOWN, "appendfsync", text, subject.fix("CONFIG", "GET", "appendfsync"), mends=False)
    elif sync != "always":
        text = f"appendfsync is {sync}: a machine that fails loses {_SYNC_COSTS.get(sync, 'messages')}."
        yield Finding(Level.WARNING, "appendfsync", text, subject.fix("CONFIG", "SET", "appendfsync", "always"))
    if info.get("aof_last_write_status", "ok") != "ok":
        text = "The engine's last write to its disk has failed: see to the disk, and to the engine's own log."
        yield Finding(Level.ERROR, "disk", text, "df -h", mends=False)


def _check_network(subject: _Subject) -> Iterator[Finding]:
    access = subject.access
    if _is_this_machine(access.host):
        return
    if access.login is None:
        text = "The engine lets in everybody who reaches it, without a password."
        yield Finding(Level.WARNING, "password", text, "sockctl help cluster", mends=False)
    if not access.tls:
        text = (
            f"redis:// sends messages{'' if access.login is None else ' and the password'} over the network in clear."
        )
        fix = f"sockctl cluster check {dataclasses.replace(access, tls=True)}"
        yield Finding(Level.WARNING, "encryption", text, fix, mends=False)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_rights(subject: _Subject) -> Iterator[Finding]:
    user = subject.access.user
    if not subject.facts.info:
        text = "The user may not run INFO: the check sees no version, role, memory and disk."
        yield Finding(Level.UNKNOWN, "info", text, subject.fix("ACL", "SETUSER", user, "+info"))
    if missing := find_missing(subject.refused):
        text = f"The user {user} lacks rights that a chat needs."
        yield Finding(Level.ERROR, "acl", text, subject.fix("ACL", "SETUSER", user, *missing))


def _check_refusals(subject: _Subject) -> Iterator[Finding]:
    """Find what else the engine refuses; each reason once."""
    known = {"NOPERM", "READONLY"}
    for request, error in subject.refused:
        if error.code in known:
            continue
        known.add(error.code)
        name = find_name(request).upper().replace("|", " ")
        text = f"The engine refuses {name}: {str(error).rstrip('.')}."
        setting, fix = _BY_CODE.get(error.code, ("commands", ("COMMAND", "INFO", *request[:1])))
        if "unknown command" in text:
            text += " If its redis.conf renames that command (rename-command), remove the line there."
        yield Finding(Level.ERROR, setting, text, subject.fix(*fix), mends=False)


def _check_keys(subject: _Subject) -> Iterator[Finding]:
    if wrong := subject.wrong_keys:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        text = f"Another program has written in the chat's key {wrong[0]}{more}: the chat can't use it. Move it away."
        database = subject.access.database
        fixes = [
            subject.fix(*(["-n", str(database)] if database else []), "RENAMENX", key, f"other:{key}") for key in wrong
        ]
        yield Finding(Level.ERROR, "keys", text, "; ".join(fixes))


_BY_CODE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "OOM": ("maxmemory", ("INFO", "memory")),
    "MISCONF": ("disk", ("INFO", "persistence")),
    "NOREPLICAS": ("min-replicas-to-write", ("INFO", "replication")),
}
"""The setting behind an engine's refusal, and the command that shows more, by the refusal's first word."""

_CHECKS: tuple[Callable[[_Subject], Iterator[Finding]], ...] = (
    _check_version,
    _check_role,
    _check_memory,
    _check_disk,
    _check_network,
    _check_rights,
    _check_refusals,
    _check_keys,
)
