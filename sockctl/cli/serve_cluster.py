"""Makes a server a node of a chat on several machines, after it has checked the engine."""

import re
import socket
from typing import TYPE_CHECKING

from sockctl.cli.chat_options import ChatOptions
from sockctl.cli.engine_options import ask_in_time
from sockctl.errors import EngineReplyError, EngineUnfitError, OptionError
from sockctl.events.cluster import StoreUnsafe
from sockctl.services.chat.settings import ChatRules

if TYPE_CHECKING:
    from sockctl.cluster.engine import Engine
    from sockctl.cluster.engine_access import EngineAccess
    from sockctl.cluster.engine_findings import Finding, Report
    from sockctl.cluster.node_settings import NodeTimes
    from sockctl.services.chat.shared_backing import SharedBacking
    from sockctl.services.chat.shared_pages import SharedPages

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def check_store(access: "EngineAccess") -> list[StoreUnsafe]:
    """Return warnings of settings with which the engine may lose messages.

    Raises:
        EngineUnfitError: The chat can't run on the engine.
        LibraryMissingError: redis-py isn't installed.
        EngineError: The engine can't be asked.
    """
    from sockctl.cluster.engine_check import check_engine
    from sockctl.cluster.engine_findings import Level

    def ask(client: "Engine") -> "Report":
        return check_engine(client, client.find_place())

    found: dict[Level, list[Finding]] = {level: [] for level in Level}
    for one in ask_in_time(access, ask).findings:
        found[one.level].append(one)
    if errors := found[Level.ERROR]:
        more = f" 'sockctl cluster check {access}' lists {len(errors) - 1} more." if len(errors) > 1 else ""
        raise EngineUnfitError(f"{errors[0].text} {errors[0].remedy}{more and '.'}{more}")
    return [
        StoreUnsafe(setting=one.setting, problem=one.text, fix=one.fix, mends=one.mends) for one in found[Level.WARNING]
    ]


def check_name(name: str) -> None:
    """Check the name of a node.

    Raises:
        OptionError: A node can't have that name.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"--node {name!r} can't be the name of a server: write 1 to 32 letters (A to Z), digits, - or _."
        )


def _name_machine() -> str:
    """Return the name of this machine, as a node can have it."""
    return _NOT_IN_NAME.sub("-", socket.gethostname().partition(".")[0])[:32].strip("-_") or "node"


def make_backing(
    access: "EngineAccess", options: ChatOptions, times: "NodeTimes | None", *, pages: "SharedPages"
) -> "SharedBacking":
    """Return what a chat on several machines stands on; the chat registers as a node.

    Args:
        access: The way to the engine.
        options: The options of the chat.
        times: The times of a node; None for the usual ones.
        pages: The pages that the nodes advertise.
    """
    from sockctl.cluster.engine_errors import explain_reply
    from sockctl.cluster.node import Node
    from sockctl.cluster.node_settings import TIMES, Callbacks
    from sockctl.services.chat.shared_backing import SharedBacking

    name = options.node or _name_machine()

    def make_node(callbacks: Callbacks, rules: ChatRules) -> Node:
        agreed = {
            "--room": " ".join(rules.rooms),
            "--auth": "on" if options.with_accounts else "off",
            "--history": str(rules.history),
        }
        try:
            return Node(access, name, callbacks, rules=agreed, history=rules.history, times=times or TIMES)
        except EngineReplyError as error:
            raise explain_reply(error, access) from error

    return SharedBacking(make_node, pages=pages)
