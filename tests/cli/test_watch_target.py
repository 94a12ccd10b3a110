"""Which server the target of ``sockctl watch`` means."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.watch_target import find_control
from sockctl.errors import NoServerError, OptionError
from tests.support.control import control_server, make_status

PLACES: dict[str, list[tuple[str, int]]] = {
    "echo-9090": [("127.0.0.1", 9090), ("::1", 9090), ("127.0.0.1", 42179)],
    "chat-9091": [("0.0.0.0", 9091)],  # noqa: S104  told, not bound
    "chat-9092": [("192.0.2.7", 9092), ("unix:/run/chat", 0)],
    "echo-9090-4711": [("192.0.2.7", 9090)],
}


@contextlib.contextmanager
def serving(folder: Path, name: str) -> Iterator[None]:
    listening = [{"host": host, "port": port, "waiting": 0, "backlog": 1} for host, port in PLACES[name]]

    def read_status() -> list[dict[str, Any]]:
        return make_status(0, name=name, listening=listening)

    with control_server(folder / f"{name}.sock", read_status):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as servers:
        for name in PLACES:
            servers.enter_context(serving(tmp_path, name))
        yield tmp_path


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("echo-9090", "echo-9090"),
        ("42179", "echo-9090"),
        ("localhost:9090", "echo-9090"),
        ("127.0.0.1:9090", "echo-9090"),
        ("tcp://127.0.0.1:9090", "echo-9090"),
        ("[::1]:9090", "echo-9090"),
        ("localhost:42179", "echo-9090"),
        ("localhost:9091", "chat-9091"),
        ("192.0.2.7:9091", "chat-9091"),
        ("192.0.2.7:9092", "chat-9092"),
        ("192.0.2.7:9090", "echo-9090-4711"),
        ("unix:/run/chat", "chat-9092"),
        (":9092", "chat-9092"),
    ],
)
def test_a_server_by_its_name_and_by_where_it_listens(folder: Path, target: str, name: str) -> None:
    assert find_control(target, folder) == folder / f"{name}.sock"


@pytest.mark.parametrize(
    "target", ["localhost:9092", "127.0.0.2:9090", "unix:/run/other", "nobody", "99999", "a b:c", ""]
)
def test_a_target_that_means_none(folder: Path, target: str) -> None:
    with pytest.raises(NoServerError, match=r"can be watched\. These run: chat-9091, chat-9092, "):
        find_control(target, folder)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (None, "Several servers run: chat-9091, chat-9092, echo-9090, echo-9090-4711. Give one of them, as in "),
        (
            "chat",
            "'chat' means several servers: chat-9091, chat-9092. Give one of them, as in 'sockctl watch chat-9091'",
        ),
    ],
)
def test_a_target_that_means_several(folder: Path, target: str | None, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        find_control(target, folder)


def test_the_only_server_needs_no_target(tmp_path: Path) -> None:
    with pytest.raises(NoServerError, match="'sockctl serve echo' starts one"):
        find_control(None, tmp_path)
    with pytest.raises(NoServerError, match="No server 'chat' can be watched: none runs as this user"):
        find_control("chat", tmp_path)
    with serving(tmp_path, "chat-9091"):
        assert find_control(None, tmp_path) == tmp_path / "chat-9091.sock"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_control("./chat.sock", tmp_path) == Path("chat.sock")
