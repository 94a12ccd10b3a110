"""The asking side of a control socket."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import ControlError, ServerGoneError
from sockctl.net.control.client import ControlClient, fetch_all, list_files, list_live
from tests.support.control import control_server, make_status
from tests.support.running import TIMEOUT_S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "echo-9090.sock"


@contextlib.contextmanager
def playing(path: Path, *pieces: bytes) -> Iterator[ControlClient]:
    """Ask a server that answers these pieces, and then closes."""

    def answer() -> None:
        with listener.accept()[0] as sock:
            sock.recv(100)
            for piece in pieces:
                sock.sendall(piece)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        with contextlib.closing(ControlClient(path)) as client:
            yield client
        thread.join()


def test_snapshots(path: Path) -> None:
    with control_server(path, lambda: make_status(3)), contextlib.closing(ControlClient(path)) as client:
        for _ in range(2):
            snapshot = client.fetch(TIMEOUT_S)
            assert snapshot.server["name"] == "echo-9090"
            assert [each["number"] for each in snapshot.connections] == [1, 2, 3]
        assert client.receive() is None


def test_any_cutting_gives_the_same(path: Path) -> None:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in make_status(2))
    with playing(path, *(data[at : at + 1] for at in range(len(data)))) as client:
        assert len(client.fetch(TIMEOUT_S).connections) == 2


def test_unknown_kinds_and_fields_are_passed_over(path: Path) -> None:
    lines = [{"kind": "later"}, *make_status(1, new=1), {"a": 1}]
    with playing(path, b"".join(json.dumps(line).encode() + b"\n" for line in lines)) as client:
        assert client.fetch(TIMEOUT_S).server["new"] == 1


@pytest.mark.parametrize("rubbish", [b"220 mail.example ready\r\n", b"[1]\n", b"\xff\n"])
def test_what_is_no_server_of_ours(path: Path, rubbish: bytes) -> None:
    with playing(path, rubbish) as client, pytest.raises(ControlError, match="is no server of sockctl's"):
        client.fetch(TIMEOUT_S)


@pytest.mark.parametrize(
    "lines",
    [[{"kind": "server", "name": "old"}], [*make_status(0, uptime_s="long")], [{**make_status(1)[1], "peer": 7}]],
)
def test_a_server_of_another_version_is_told_of(path: Path, lines: list[dict[str, Any]]) -> None:
    told = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with playing(path, told) as client, pytest.raises(ControlError, match="of another version"):
        client.fetch(TIMEOUT_S)


def test_a_refusal_is_made_visible(path: Path) -> None:
    line = json.dumps({"kind": "error", "text": "no\x1b[31m"}).encode() + b"\n"
    with (
        playing(path, line) as client,
        pytest.raises(ControlError, match="The server refuses: no\N{SYMBOL FOR ESCAPE}"),
    ):
        client.fetch(TIMEOUT_S)


def test_a_server_that_is_killed_and_one_that_stops(path: Path) -> None:
    with playing(path) as client, pytest.raises(ServerGoneError, match="gone without a goodbye") as gone:
        client.fetch(TIMEOUT_S)
    assert not gone.value.in_order
    path.unlink()
    with control_server(path) as server, contextlib.closing(ControlClient(path)) as client:
        client.fetch(TIMEOUT_S)
        server.stop()
        with pytest.raises(ServerGoneError, match="echo-9090 has stopped") as gone:
            client.fetch(TIMEOUT_S)
        assert gone.value.in_order


def test_a_server_that_says_nothing(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with contextlib.closing(ControlClient(path)) as client, pytest.raises(ControlError, match="doesn't answer"):
            client.fetch(0.05)


def test_where_nobody_listens(path: Path) -> None:
    with pytest.raises(ControlError, match="There is no control socket"):
        ControlClient(path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    with pytest.raises(ControlError, match="its process was killed"):
        ControlClient(path)
    with pytest.raises(ControlError, match="can't be used: AF_UNIX path too long"):
        ControlClient(path / ("x" * 200))


@pytest.mark.parametrize("place", ["/etc/passwd", "/etc"])
def test_what_is_no_socket(place: str) -> None:
    with pytest.raises(ControlError, match=f"{place} is no control socket, since it is no socket"):
        ControlClient(Path(place))


def test_the_servers_of_a_folder(path: Path) -> None:
    assert list_files(path.parent / "missing") == []
    (path.parent / "notes.txt").write_text("")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path.parent / "dead.sock"))
    with control_server(path):
        assert [one.name for one in list_files(path.parent)] == ["dead.sock", "echo-9090.sock"]
        assert list_live(path.parent) == [path]
        ((found, snapshot),) = fetch_all(path.parent, TIMEOUT_S)
    assert found == path
    assert snapshot.server["pid"] == 4711
