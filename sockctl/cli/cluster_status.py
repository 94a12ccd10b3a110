"""Shows what an engine knows of its chat: a table of the nodes, and a record of the engine."""

from typing import TYPE_CHECKING, Any

from sockctl.cli.tables import print_list, print_record, print_sentences, print_text
from sockctl.text import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    from sockctl.cluster.engine_access import EngineAccess
    from sockctl.cluster.engine_facts import Facts
    from sockctl.cluster.engine_status import NodeStatus, Status

_TITLES = ("NODE", "LEASE", "MEMBERS", "BEHIND", "WAITING", "SINCE")
_UNKNOWN = "-"


def make_fields(status: "Status", access: "EngineAccess") -> dict[str, Any]:
    """Return a status, as JSON has it."""
    facts = status.facts
    return {
        "url": str(access),
        "engine": facts.engine,
        "nodes": [_make_node_fields(one) for one in status.nodes],
        "members": status.members,
        "log": {"entries": status.log_length, "last_id": status.last_id},
        "epoch": {"number": status.epochs, "since": _format_moment(status.epoch_us)},
        "memory": {
            "used_bytes": facts.find_number("used_memory"),
            "limit_bytes": facts.find_number("maxmemory") or None,
            "policy": facts.info.get("maxmemory_policy"),
        },
        "disk": {
            "append_only": _is_append_only(facts),
            "fsync": facts.config.get("appendfsync"),
            "last_write": facts.info.get("aof_last_write_status"),
        },
        "forms": status.forms,
        "replica_of": None if (primary := facts.find_primary()) is None else str(primary),
    }


def print_status(status: "Status", access: "EngineAccess") -> None:
    """Print a status for a person, or for a pipe."""
    nodes, members = format_count(len(status.living), "node"), format_count(status.members, "member")
    print_sentences(f"{access} is {status.facts.engine or 'an engine'}, with {nodes} and {members}.")
    print_text("")
    print_list(
        [*map(_make_node_fields, status.nodes)],
        _TITLES,
        map(_make_row, status.nodes),
        empty="No node is there.",
        json=False,
    )
    print_text("")
    print_record(_make_record(status))


def _make_row(one: "NodeStatus") -> list[str]:
    lease = format_seconds(one.lease_s) if one.lease_s else "over"
    since = _UNKNOWN if one.since_us is None else _format_moment(one.since_us)
    return [one.name, lease, *map(_format_number, (one.members, one.behind, one.waiting)), since]


def _make_node_fields(one: "NodeStatus") -> dict[str, Any]:
    return {
        "name": one.name,
        "lease_s": round(one.lease_s, 3),
        "members": one.members,
        "behind": one.behind,
        "waiting": one.waiting,
        "since": None if one.since_us is None else _format_moment(one.since_us),
    }


def _make_record(status: "Status") -> dict[str, str]:
    facts = status.facts
    record = {
        "LOG": f"{format_count(status.log_length, 'entry', 'entries')}, last id {status.last_id}",
        "EPOCH": f"{_format_number(status.epochs)}, since {_format_moment(status.epoch_us)}",
        "MEMORY": _describe_memory(facts),
        "DISK": _describe_disk(facts),
        "FUNCTIONS": _describe_forms(status.forms),
    }
    if primary := facts.find_primary():
        record["ROLE"] = f"replica of {primary}"
    return record


def _describe_memory(facts: "Facts") -> str:
    used, limit = facts.find_number("used_memory"), facts.find_number("maxmemory")
    if used is None:
        return _UNKNOWN
    of = f" of {format_bytes(limit)}, {used / limit:.0%}" if limit else ", no limit"
    return f"{format_bytes(used)}{of}, {facts.info.get('maxmemory_policy', _UNKNOWN)}"


def _describe_disk(facts: "Facts") -> str:
    append_only, sync = _is_append_only(facts), facts.config.get("appendfsync")
    if append_only is None:
        return _UNKNOWN
    if not append_only:
        return "appendonly no: an engine that is killed loses messages"
    failed = "" if facts.info.get("aof_last_write_status", "ok") == "ok" else ", the last write failed"
    return f"appendonly yes, appendfsync {sync or 'unknown to this user'}{failed}"


def _describe_forms(forms: list[int] | None) -> str:
    if forms is None:
        return _UNKNOWN
    if not forms:
        return "missing; a node loads them with its next request"
    return f"form {' and '.join(map(str, forms))}"


def _is_append_only(facts: "Facts") -> bool | None:
    enabled = facts.info.get("aof_enabled")
    return None if enabled is None else enabled == "1"


def _format_number(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"


def _format_moment(us: int) -> str:
    from sockctl.stores.timestamps import format_timestamp, read_seconds

    return format_timestamp(read_seconds(us // 1_000_000))
