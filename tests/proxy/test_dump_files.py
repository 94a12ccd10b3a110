import os
import random
import stat
from pathlib import Path

import pytest

from sockctl.errors import DumpError
from sockctl.events.base import Event
from sockctl.proxy.dump_files import DumpFolder
from tests.support.connections import connected
from tests.support.proxies import proxied
from tests.support.running import receive_all, send_and_half_close


def test_each_direction_of_each_connection_is_in_a_file_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dumps"
    up, down = random.Random(1).randbytes(200_000), random.Random(2).randbytes(100_000)
    with proxied(dump=folder) as proxy:
        for times in (1, 2):
            with proxy.pair() as (client, there):
                send_and_half_close(client, up * times)
                assert receive_all(there) == up * times
                send_and_half_close(there, down * times)
                assert receive_all(client) == down * times
        started = proxy.told("dump_started", 2)
        proxy.told("client_disconnected", 2)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(list(folder.iterdir())) == 4
    for times, event in enumerate(started, 1):
        assert Path(event.to_target).read_bytes() == up * times
        assert Path(event.to_client).read_bytes() == down * times
        assert stat.S_IMODE(Path(event.to_target).stat().st_mode) == 0o600
        assert Path(event.to_target).name.endswith(f"-{times}.to-target")


def test_a_folder_that_can_not_be_used_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DumpError, match=r"--dump .*file can't be used: .*\. Give a folder"):
        DumpFolder(tmp_path / "file")


def test_a_file_that_is_there_is_left_alone_and_said(tmp_path: Path) -> None:
    told: list[Event] = []
    folder = DumpFolder(tmp_path)
    with connected() as (connection, _):
        first = folder.open(connection, told.append)
        first.write("to_target", memoryview(b"kept"))
        second = folder.open(connection, told.append)
        second.write("to_target", memoryview(b"lost"))
        first.close()
        second.close()
    assert [event.name for event in told] == ["dump_started", "dump_failed", "dump_failed"]
    assert all("It has none of the bytes." in failed.happened for failed in told[1:])
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"", b"kept"]


def test_a_full_disk_is_said_once_and_keeps_the_first_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    write, room = os.write, [5]

    def write_little(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    with connected() as (connection, _):
        files = DumpFolder(tmp_path).open(connection, told.append)
        with monkeypatch.context() as patch:
            patch.setattr("sockctl.proxy.dump_files.os.write", write_little)
            files.write("to_target", memoryview(b"1234567"))
            files.write("to_target", memoryview(b"89"))
        files.write("to_client", memoryview(b"goes on"))
        files.close()
    failed = told[-1]
    assert [event.name for event in told] == ["dump_started", "dump_failed"]
    assert "No space left on device. It has the first 5 bytes." in failed.happened
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"12345", b"goes on"]
