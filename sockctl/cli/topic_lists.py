"""The lists in topic pages that are made from the code: events, reasons and exit codes."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

import sockctl.events
import sockctl.services
from sockctl.cli.exit_codes import ExitCode
from sockctl.events.base import Event, Level
from sockctl.events.reasons import DisconnectReason, Reason, RefusalReason

_CLIENT_MODULES = ("client", "reconnecting")
"""How modules of events begin that are the client's; the others are the server's."""


def _list_events(*, of_client: bool) -> str:
    entries = []
    for module in _load_modules(sockctl.events):
        name = module.__name__.rpartition(".")[2]
        if name != "base" and name.startswith(_CLIENT_MODULES) == of_client:
            entries += [_describe(kind) for kind in vars(module).values() if _is_event_of(kind, module)]
    return "\n".join(sorted(entries))


def _is_event_of(kind: object, module: ModuleType) -> bool:
    return isinstance(kind, type) and issubclass(kind, Event) and kind.__module__ == module.__name__


def _describe(kind: type[Event]) -> str:
    sentence = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")
    fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind))
    level = "" if kind.level is Level.INFO else f" ({kind.level.name.lower()})"
    return f"- `{kind.name}`{level}: {sentence}" + (f" Fields: {fields}." if fields else "")


def _list_ends() -> str:
    reasons = {str(reason): reason.explanation for reason in DisconnectReason}
    for module in _load_modules(sockctl.services):
        reasons |= {str(each): each.explanation for each in vars(module).values() if type(each) is Reason}
    return _list(dict(sorted(reasons.items())))


def _list_refusals() -> str:
    return _list({str(reason): f"{reason.explanation}." for reason in sorted(RefusalReason)})


def _list_client_ends() -> str:
    from sockctl.client.session_events import EndReason
    from sockctl.events.client import Disconnected

    texts = {
        str(reason): Disconnected(reason=reason, bytes_in=0, bytes_out=0, seconds=0).text
        for reason in sorted(EndReason)
    }
    return _list({reason: re.split(r",? after \d", text)[0] + "." for reason, text in texts.items()})


def _list_exit_codes() -> str:
    return _list({str(code.value): f"{code.name.lower().replace('_', ' ')}." for code in ExitCode})


def _list(entries: Mapping[str, str]) -> str:
    return "\n".join(f"- `{word}`: {sentence}" for word, sentence in entries.items())


def _load_modules(package: ModuleType) -> Iterator[ModuleType]:
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(each.name)


MAKERS: dict[str, Callable[[], str]] = {
    "server events": lambda: _list_events(of_client=False),
    "client events": lambda: _list_events(of_client=True),
    "reasons": _list_ends,
    "refusals": _list_refusals,
    "client reasons": _list_client_ends,
    "exit codes": _list_exit_codes,
}
"""What a page calls a list, and the function that makes it."""
