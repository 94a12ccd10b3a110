"""The log of rooms: which lines it gets, each once, whatever the server calls its rooms."""

import datetime
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.room_log import MAX_ROOMS, RoomLog
from sockctl.net.address import Endpoint
from sockctl.protocol.messages import Message, make_message
from sockctl.stores import files

ZONE = datetime.timezone(datetime.timedelta(hours=1))
NOW = datetime.datetime(2026, 11, 29, 13, 6, tzinfo=datetime.UTC)


def opened(folder: Path, **options: Any) -> tuple[RoomLog, list[str]]:
    remarks: list[str] = []
    log = RoomLog(folder, [Endpoint("localhost", 9090)], remark=remarks.append, now=lambda: NOW, zone=ZONE, **options)
    return log, remarks


def said(text: str, number: int | None, kind: str = "say", *, minute: int = 5, **fields: Any) -> Message:
    at = f"2026-11-29T13:{minute:02}:12Z"
    return make_message(kind, text, **{"room": "#lobby", "sender": "ann", "id": number, "at": at, **fields})


def lines(folder: Path, room: str = "#lobby") -> list[str]:
    return (folder / "localhost_9090" / f"{room}.log").read_text().splitlines()


def test_what_is_written(tmp_path: Path) -> None:
    log, remarks = opened(tmp_path / "new" / "chats")
    log.add(make_message("welcome", "Welcome!", name="ann", room="#lobby"))
    log.add(make_message("joined", "You are in #lobby.", room="#lobby", name="ann"))
    for _ in range(2):
        log.add(make_message("notice", "The topic of #lobby is: tea", code="topic", room="#lobby"))
    log.add(said("hello \x1b[31m", 41))
    log.add(said("waves", 42, action=True))
    log.add(said("one two", 44, lines=["one", "two"]))
    log.add(said("psst", None, room=None, private=True))
    log.add(said("чай", 1, room="#Чай"))
    log.add(make_message("left", "bob left #lobby (quit).", room="#lobby", name="bob"))
    assert lines(tmp_path / "new" / "chats") == [
        "2026-11-29T14:06:00+01:00 - * You are in #lobby.",
        "2026-11-29T14:06:00+01:00 - * The topic of #lobby is: tea",
        "2026-11-29T14:05:12+01:00 41 <ann> hello [31m",
        "2026-11-29T14:05:12+01:00 42 * ann waves",
        "2026-11-29T14:05:12+01:00 43 <ann> one",
        "2026-11-29T14:05:12+01:00 44 <ann> two",
        "2026-11-29T14:06:00+01:00 - * bob left #lobby (quit).",
    ]
    assert lines(tmp_path / "new" / "chats", "#чай") == ["2026-11-29T14:05:12+01:00 1 <ann> чай"]
    assert remarks == []
    path = tmp_path / "new" / "chats" / "localhost_9090" / "#lobby.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_each_message_once(tmp_path: Path) -> None:
    """Over reconnects, restarts, two clients at once, and numbers that begin anew."""
    log, _ = opened(tmp_path)
    other, _ = opened(tmp_path)
    for number in range(1, 4):
        log.add(said(f"{number}", number))
        other.add(said(f"{number}", number, minute=5))
    log.add(said("3", 3, "history", again=True))
    again, _ = opened(tmp_path)
    for number in range(1, 5):
        again.add(said(f"{number}", number, "history"))
    other.add(said("4", 4))
    assert [line.split()[1] for line in lines(tmp_path)] == ["1", "2", "3", "4"]
    again.add(said("anew", 1, minute=30))
    log.add(said("anew", 1, minute=30))
    assert [line.split()[1] for line in lines(tmp_path)] == ["1", "2", "3", "4", "1"]
    again.add(said("anew", 2, minute=30, at="no time"))
    assert lines(tmp_path)[-1] == "2026-11-29T14:06:00+01:00 2 <ann> anew"


def test_a_file_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    log.add(said("one", 1))
    path = tmp_path / "localhost_9090" / "#lobby.log"
    path.rename(tmp_path / "old")
    log.add(said("two", 2))
    log.add(said("one", 1, "history"))
    assert [line.split()[1] for line in lines(tmp_path)] == ["2"]


def test_several_clients_at_once(tmp_path: Path) -> None:
    def hear(order: range) -> None:
        log, remarks = opened(tmp_path)
        for number in order:
            log.add(said("x" * 200, number))
        assert remarks == []

    threads = [threading.Thread(target=hear, args=(range(1, 200),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [int(line.split()[1]) for line in lines(tmp_path)] == list(range(1, 200))


def test_what_a_killed_writer_left(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    log.add(said("one", 1))
    with (tmp_path / "localhost_9090" / "#lobby.log").open("ab") as file:
        file.write(b"2026-11-29T14:05:12+01:00 2 <ann> ha")
    log.add(said("three", 3))
    assert lines(tmp_path)[1:] == ["2026-11-29T14:05:12+01:00 2 <ann> ha", "2026-11-29T14:05:12+01:00 3 <ann> three"]


# A hostile server.


@pytest.mark.parametrize(
    "room", ["../../evil", "/etc/evil", "..", ".", "#a/../b", "x\0y", "a\nb", "%2e%2e", "#a:b", "C:\\x"]
)
def test_no_room_leads_out_of_the_folder(tmp_path: Path, room: str) -> None:
    log, _ = opened(tmp_path / "chats")
    log.add(said("evil", 1, room=room))
    log.add(said("evil", 2, room=room))
    made = {path.relative_to(tmp_path / "chats").parts[:-1] for path in tmp_path.rglob("*.log")}
    assert made <= {("localhost_9090",)}
    assert {path.name for path in tmp_path.iterdir()} <= {"chats"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    log, remarks = opened(tmp_path)
    log.add(said("one", 1))
    path = tmp_path / "localhost_9090" / "#lobby.log"
    path.unlink()
    path.symlink_to(tmp_path / "victim")
    log.add(said("two", 2))
    assert not (tmp_path / "victim").exists()
    assert len(remarks) == 1
    path.unlink()
    os.mkfifo(path)
    log.add(said("three", 3))
    assert len(remarks) == 1, "once"


def test_huge_names_and_endless_rooms(tmp_path: Path) -> None:
    log, remarks = opened(tmp_path)
    log.add(said("hello", 1, room="#" + "x" * 60_000))
    log.add(said("hello", 10**4000))
    for number in range(MAX_ROOMS + 10):
        log.add(said("hello", 1, room=f"#{number}"))
    assert len(list((tmp_path / "localhost_9090").iterdir())) == MAX_ROOMS
    assert len(remarks) == 1
    assert max(len(line) for line in lines(tmp_path)) < 100


def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, remarks = opened(tmp_path)
    log.add(said("one", 1))

    def write_half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_all", write_half)
        log.add(said("two", 2))
        log.add(said("three", 3))
    assert len(remarks) == 1
    assert "No space left on device" in remarks[0]
    log.add(said("three", 3, "history"))
    assert [line.split()[1] for line in lines(tmp_path)] == ["1", "3"], "it goes on once there is place"
