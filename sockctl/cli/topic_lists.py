"""Makes the lists of topic pages from the code: events, reasons and exit codes."""

import functools
import textwrap
from collections.abc import Callable, Mapping

from sockctl.cli.event_catalog import list_events, list_reasons
from sockctl.cli.exit_codes import ExitCode


def _list_events(side: str) -> str:
    entries = []
    for event in list_events():
        if event.side == side:
            level = "" if event.level == "info" else f" ({event.level})"
            fields = ", ".join(f"`{name}`" for name in event.fields)
            entries.append(f"- `{event.name}`{level}: {event.sentence}" + (f" Fields: {fields}." if fields else ""))
    return "\n".join(sorted(entries))


def _list_reasons(why: str) -> str:
    return _list({reason.name: reason.sentence for reason in sorted(list_reasons()) if reason.why == why})


def _list_exit_codes() -> str:
    return _list({str(code.value): f"{code.meaning}." for code in ExitCode})


def _list_watch_columns() -> str:
    from sockctl.cli.watch_columns import COLUMNS

    return _list({column.title: column.meaning for column in COLUMNS})


def _list_watch_fields() -> str:
    from sockctl.cli.watch_columns import COLUMNS, FURTHER_FIELDS

    return _list({**{column.field: f"as {column.title}." for column in COLUMNS}, **FURTHER_FIELDS})


def _write_engine_user() -> str:
    """Return the shell's lines that give an engine a user with the rights of a chat; no argument has the password."""
    from sockctl.cluster.engine_rights import list_rights

    keys, *commands = list_rights()
    rows = textwrap.wrap(" ".join(commands), 80, break_long_words=False, break_on_hyphens=False)
    rules = [f"on >PASSWORD {keys}", *rows]
    lines = ["redis-cli <<'END'", *(f"ACL SETUSER chat {rule}" for rule in rules), "END"]
    return "\n".join(f"    {line}" for line in lines)


def _list_live_topics(question: int | None = None) -> str:
    """Return the topics that answer one of the lab's questions live; without a question all topics."""
    from sockctl.explain.catalogue import NAMES, find_topics, load_topic

    names = NAMES if question is None else find_topics(question)
    return _list({f"sockctl explain {name}": load_topic(name).question for name in names})


def _list(entries: Mapping[str, str]) -> str:
    return "\n".join(f"- `{word}`: {sentence}" for word, sentence in entries.items())


MAKERS: dict[str, Callable[[], str]] = {
    "server events": lambda: _list_events("server"),
    "client events": lambda: _list_events("client"),
    "reasons": lambda: _list_reasons("disconnected"),
    "refusals": lambda: _list_reasons("refused"),
    "unanswered": lambda: _list_reasons("unanswered"),
    "forgotten": lambda: _list_reasons("forgotten"),
    "client reasons": lambda: _list_reasons("ended"),
    "exit codes": _list_exit_codes,
    "engine user": _write_engine_user,
    "watch columns": _list_watch_columns,
    "watch fields": _list_watch_fields,
    "live topics": _list_live_topics,
    **{f"live topics {number}": functools.partial(_list_live_topics, number) for number in range(1, 8)},
}
"""The function that makes a list, by its name in a page."""
