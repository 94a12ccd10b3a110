import errno
import json
import os
from pathlib import Path

import pytest

from sockctl.errors import LogFileError, SinkError
from sockctl.events.base import Record
from sockctl.events.connection import ClientConnected, DataReceived
from sockctl.events.formats import FileFormat, encode_json
from sockctl.events.server import ServerStarted
from sockctl.events.sinks import DescriptorSink, FileSink

AT = 1_767_225_600.25  # 2026-01-01 00:00:00.250 UTC
RECEIVED = Record(
    AT, "echo", DataReceived(connection=3, peer="127.0.0.1:50000", bytes=6, portions=1, portion_bytes=1024, reads=1)
)


def connected(peer: str) -> Record:
    return Record(AT, "echo", ClientConnected(connection=1, peer=peer, clients=1, max_clients=2))


def test_descriptor_sink_leaves_the_descriptor_open() -> None:
    reader, writer = os.pipe()
    sink = DescriptorSink(writer, FileFormat())
    sink.write([RECEIVED, RECEIVED])
    sink.close()
    os.close(writer)
    assert os.read(reader, 10_000).count(b"\n") == 2
    os.close(reader)


def test_file_is_appended_to_and_private(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for _ in range(2):
        sink = FileSink(path, FileFormat())
        sink.write([RECEIVED])
        sink.close()
    assert path.read_text().count("data_received") == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_follows_a_rotation_by_rename(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path, FileFormat())
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
    sink = FileSink(folder / "log", FileFormat())
    folder.rename(tmp_path / "moved")
    sink.write([RECEIVED])
    sink.close()
    assert "data_received" in (tmp_path / "moved" / "log").read_text()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match=r"no-such/log can't be opened: No such file"):
        FileSink(tmp_path / "no-such" / "log", FileFormat())


def test_a_full_disk_is_an_error_with_the_count_and_the_next_line_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path, encode_json)
    line = len(encode_json(RECEIVED)) + 1
    room = line + 10  # one whole line, and a piece of the next
    write = os.write

    def full(descriptor: int, pieces: list[bytes]) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, b"".join(pieces)[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "writev", full)
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
