"""What an engine tells of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sockctl.cluster.engine_access import Place
from sockctl.errors import EngineReplyError, NotAnEngineError
from sockctl.text import is_whole_number

LEAST_VERSION = (7, 0)
"""The first version of Redis with functions. Valkey began with 7.2."""


class Asks(Protocol):
    """What a check or a status needs of an engine; see `sockctl.cluster.engine.Engine`."""

    def ask(self, *words: str) -> Any: ...  # noqa: D102

    def ask_all(self, requests: list[tuple[str, ...]]) -> list[Any]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Facts:
    """What an engine tells of itself.

    Attributes:
        info: Its INFO; empty where the user may not read that.
        config: Settings that INFO lacks; empty where the user may not read them.
    """

    info: Mapping[str, str]
    config: Mapping[str, str]

    @property
    def engine(self) -> str:
        """The engine and its version, such as ``Redis 7.0.15``; empty where it doesn't tell."""
        if version := self.info.get("valkey_version"):
            return f"Valkey {version}"
        return f"Redis {self.info['redis_version']}" if self.info else ""

    @property
    def is_new_enough(self) -> bool:
        """Whether the engine has functions, as far as it tells."""
        numbers = self.info.get("redis_version", "").split(".")[:2]
        version = [int(number) if is_whole_number(number) else 0 for number in numbers]
        return not self.info or "valkey_version" in self.info or version >= [*LEAST_VERSION]

    @property
    def is_loading(self) -> bool:
        """Whether the engine still loads its data."""
        return self.info.get("loading") == "1"

    def list_replicas(self) -> list[Place]:
        """Return the replicas of the engine."""
        replicas = []
        for number in range(self.read_number("connected_slaves")):
            words = (word.partition("=") for word in self.info.get(f"slave{number}", "").split(","))
            of_one = {name: value for name, _, value in words}
            if is_whole_number(port := of_one.get("port", "")):
                replicas.append(Place(of_one.get("ip", ""), int(port)))
        return replicas

    def find_primary(self) -> Place | None:
        """Return the engine of which this one is a replica; None for one that takes messages."""
        if self.info.get("role") != "slave":
            return None
        return Place(self.info.get("master_host", ""), self.read_number("master_port"))

    def find_number(self, name: str) -> int | None:
        """Return a number of INFO; None where there is none."""
        return parse_number(self.info.get(name, ""))

    def read_number(self, name: str) -> int:
        """Return a number of INFO; 0 where there is none."""
        return self.find_number(name) or 0


def collect_facts(engine: Asks) -> Facts:
    """Ask an engine for what it tells. Blocks.

    Raises:
        NotAnEngineError: Something else answers.
        EngineError: The engine can't be asked.
    """
    info = _read_info(engine)
    try:
        config = pair_words(engine.ask("CONFIG", "GET", "appendfsync", "save"))
    except EngineReplyError as error:
        if error.code not in {"ERR", "NOPERM"}:  # a service that hides CONFIG says that it knows no such command
            raise
        config = {}
    return Facts(info, {name: decode(value) for name, value in config.items()})


def _read_info(engine: Asks) -> dict[str, str]:
    try:
        reply = engine.ask("INFO")
    except EngineReplyError as error:
        if error.code == "NOPERM":
            return {}
        raise
    lines = (line.partition(":") for line in decode(reply).splitlines() if not line.startswith("#"))
    info = {name: value for name, _, value in lines}
    if "redis_version" not in info:
        raise NotAnEngineError("What answers there is neither Redis nor Valkey: see to host and port.")
    return info


def decode(reply: object) -> str:
    """Return a reply as text; empty where it is none."""
    return reply.decode(errors="replace") if isinstance(reply, bytes) else ""


def pair_words(words: Sequence[Any]) -> dict[str, Any]:
    """Return the fields of a reply in which each name stands before its value."""
    return {decode(name): value for name, value in zip(words[::2], words[1::2], strict=False)}


def parse_number(text: str) -> int | None:
    """Return the number that a text is; None for any other text."""
    return int(text) if is_whole_number(text) else None
