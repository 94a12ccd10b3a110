"""Tests for `sockctl.client.transcript`."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.client.outputs import Output
from sockctl.client.screen import Screen
from sockctl.client.transcript import Transcript
from sockctl.errors import StreamError
from sockctl.protocol.messages import make_message


@contextlib.contextmanager
def recording(path: Path, *, json: bool = False, framed: bool = False) -> Iterator[Output]:
    screen = Screen()
    with contextlib.closing(Transcript(path, json=json)) as transcript:
        yield transcript.record(screen, Output(screen), lambda: framed)


def test_raw_bytes_of_both_directions(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("from before")
    path.chmod(0o600)
    with recording(path) as output:
        output.show_sent(b"ping\n")
        output.show_received(b"pong\n")
        output.show_bytes(b"pong\n")
        output.show_bytes(b"")
    assert path.read_bytes() == b"ping\npong\n"


def test_messages_received_but_none_sent(tmp_path: Path) -> None:
    with recording(tmp_path / "log", framed=True) as output:
        output.show_sent(b"a password")
        output.show_message(make_message("say", "hello", sender="ann"))
        output.show_message(make_message("novelty"))
    assert (tmp_path / "log").read_text() == "<ann> hello\n"


def test_messages_as_json_lines(tmp_path: Path) -> None:
    with recording(tmp_path / "log", json=True, framed=True) as output:
        output.show_message(make_message("say", "hä", sender="ann"))
    assert (tmp_path / "log").read_text() == '{"kind": "say", "text": "hä", "sender": "ann"}\n'


def test_a_new_file_is_the_users_alone(tmp_path: Path) -> None:
    with recording(tmp_path / "log"):
        pass
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(StreamError, match="can't be opened: No such file"),
        recording(tmp_path / "none" / "log"),
    ):
        pass
    if Path("/dev/full").exists():
        with (
            recording(Path("/dev/full")) as output,
            pytest.raises(StreamError, match="can't be written: No space left"),
        ):
            output.show_bytes(b"x")
