import errno
import json
import os
import time
from pathlib import Path

import pytest

from sockctl.errors import LogFileError, SinkError
from sockctl.events.base import Record
from sockctl.events.connection import ClientConnected, DataReceived
from sockctl.events.server import LoopbackOnly, ServerStarted
from sockctl.events.sinks import DescriptorSink, FileSink, as_json, as_plain_text, as_terminal_text, as_text

AT = 1_767_225_600.25  # 2026-01-01 00:00:00.250 UTC
RECEIVED = Record(AT, "echo", DataReceived(connection=3, peer="127.0.0.1:50000", bytes=6, portions=1))


def connected(peer: str) -> Record:
    return Record(AT, "echo", ClientConnected(connection=1, peer=peer, clients=1, max_clients=2))


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_text() -> None:
    line = as_text(RECEIVED)
    assert line.startswith("2026-01-01 00:00:00.250 data_received #3 127.0.0.1:50000  Received 6 bytes in 1 portion")


def test_plain_text_has_no_origin_where_there_is_none() -> None:
    line = as_plain_text(Record(AT, "echo", LoopbackOnly()))
    assert line.startswith("00:00:00 loopback_only       Other machines")
    assert "\x1b" not in line


def test_terminal_text_is_coloured_by_us_alone() -> None:
    line = as_terminal_text(connected("\x1b[31mevil\n00:00:00 fake"))
    assert line.count("\x1b") == 2
    assert line.startswith("00:00:00 \x1b[36mclient_connected   \x1b[0m ")
    assert "\n" not in line


@pytest.mark.parametrize("style", [as_text, as_plain_text])
def test_text_of_a_stranger_is_one_safe_line(style: object) -> None:
    assert callable(style)
    line = style(connected("\x1b[2J\r\n\u202e"))
    assert not set(line) & set("\x1b\r\n\u202e")


def test_json() -> None:
    line = as_json(RECEIVED)
    assert "\n" not in line
    event = json.loads(line)
    assert list(event)[:3] == ["time", "event", "service"]
    assert event["time"] == "2026-01-01T00:00:00.250Z"
    assert (
        event["event"],
        event["service"],
        event["connection"],
        event["peer"],
        event["bytes"],
        event["portions"],
    ) == (
        "data_received",
        "echo",
        3,
        "127.0.0.1:50000",
        6,
        1,
    )
    assert event["text"] == RECEIVED.event.text


def test_descriptor_sink_leaves_the_descriptor_open() -> None:
    reader, writer = os.pipe()
    sink = DescriptorSink(writer, as_text)
    sink.write([RECEIVED, RECEIVED])
    sink.close()
    os.close(writer)
    assert os.read(reader, 10_000).count(b"\n") == 2
    os.close(reader)


def test_file_is_appended_to_and_private(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for _ in range(2):
        sink = FileSink(path, as_text)
        sink.write([RECEIVED])
        sink.close()
    assert path.read_text().count("data_received") == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_follows_a_rotation_by_rename(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path, as_text)
    sink.write([RECEIVED])
    path.rename(tmp_path / "log.1")
    sink.write([connected("127.0.0.1:1")])
    sink.close()
    assert "data_received" in (tmp_path / "log.1").read_text()
    assert "client_connected" in path.read_text()
    assert "data_received" not in path.read_text()


def test_file_whose_directory_went_away_keeps_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = FileSink(folder / "log", as_text)
    folder.rename(tmp_path / "moved")
    sink.write([RECEIVED])
    sink.close()
    assert "data_received" in (tmp_path / "moved" / "log").read_text()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match=r"no-such/log can't be opened: No such file"):
        FileSink(tmp_path / "no-such" / "log", as_text)


def test_a_full_disk_is_an_error_with_the_count_and_the_next_line_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path, as_json)
    line = len(as_json(RECEIVED)) + 1
    room = line + 10  # one whole line, and a piece of the next
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SinkError, match="No space left") as caught:
        sink.write([RECEIVED, RECEIVED])
    assert caught.value.written == 1
    with pytest.raises(SinkError) as caught:
        sink.write([RECEIVED])
    assert caught.value.written == 0
    room = 10_000
    sink.write([Record(AT, "echo", ServerStarted(version="1", pid=2, does="It echoes."))])
    sink.close()
    first, torn, last = path.read_text().splitlines()
    assert json.loads(first)["event"] == "data_received"
    assert len(torn) == 10
    assert json.loads(last)["event"] == "server_started"
