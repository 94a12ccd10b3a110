"""Echo clients: servers that are right, and what is found in those that aren't."""

from pathlib import Path
from typing import Any

import pytest

from sockctl.bench.plan import Tls
from sockctl.events.base import Level
from sockctl.net.fingerprints import read_fingerprint
from sockctl.services.echo import Case, CaseEcho, Echo
from tests.support.bench import measured, plan, where
from tests.support.running import CLOSED_PORT, TIMEOUT_S, running
from tests.support.tls import securing, self_signed
from tests.support.tools import tool
from tests.support.wrong_servers import (
    Handle,
    altering,
    c_echo,
    closing,
    command,
    resetting,
    serving,
    silent,
    stalling,
    talkative,
)


@pytest.mark.parametrize(
    ("processes", "values"),
    [
        (1, {}),
        (2, {"depth": 16}),
        (1, {"count": 50, "duration_s": None}),
        (1, {"size_bytes": 200_000, "depth": 3}),
        (2, {"rate": 2_000.0, "warm_up_s": 0.05}),
        (1, {"rate": 100.0, "size_bytes": 1_000_000, "clients": 1, "count": 10}),
        (1, {"size_bytes": 1, "depth": 5, "progress": True}),
    ],
)
def test_all_comes_back_from_ours(processes: int, values: dict[str, Any]) -> None:
    with running(Echo(), level=Level.WARNING) as run:
        stats = measured(run.port, processes=processes, **values)
    assert not stats.errors
    assert stats.answered == stats.sent == stats.expected > 0
    assert stats.lost == 0
    assert stats.latencies.count == stats.answered
    assert stats.bytes == stats.answered * values.get("size_bytes", 64)
    assert stats.clients == plan(**values).clients
    assert "count" not in values or stats.sent == values["count"]


def test_the_echo_in_c_with_several_processes(tmp_path: Path) -> None:
    with c_echo(tmp_path) as port:
        stats = measured(port, clients=50, depth=16, processes=2, count=5_000, duration_s=None)
    assert not stats.errors
    assert stats.answered == stats.sent == 5_000


@pytest.mark.parametrize(
    "words",
    [
        ["ncat", "-l", "127.0.0.1", "PORT", "-k", "-e", "/bin/cat"],
        ["socat", "TCP-LISTEN:PORT,bind=127.0.0.1,fork,reuseaddr", "EXEC:cat"],
    ],
    ids=["ncat", "socat"],
)
def test_other_echo_servers(words: list[str]) -> None:
    tool(words[0], words[0])
    with command(*words) as port:
        stats = measured(port, clients=3, count=50, duration_s=None)
    assert not stats.errors
    assert stats.answered == stats.sent == 50


def test_under_tls(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    for tls in (
        Tls(server_name="localhost", fingerprint=read_fingerprint(files[0])),
        Tls(server_name="localhost", ca=str(files[0])),
    ):
        with running(Echo(), secure=securing(files), level=Level.WARNING) as run:
            there = where(run.port)
            own = type(there)(name="x", family=2, address=there.address, tls=tls)
            stats = measured(run.port, servers=(own,), count=50, duration_s=None)
        assert not stats.errors
        assert stats.answered == stats.sent == 50
    with running(Echo(), secure=securing(files), level=Level.WARNING) as run:
        other = Tls(server_name="localhost", fingerprint=":".join(["00"] * 32))
        stats = measured(
            run.port, servers=(type(there)(name="x", family=2, address=("127.0.0.1", run.port), tls=other),)
        )
    assert stats.errors == {"tls": 4}


@pytest.mark.parametrize(
    ("handle", "reasons"),
    [
        (altering(lambda _: b"", every=10_000), {"missing"}),
        (altering(lambda byte: byte * 2, every=10_000), {"doubled"}),
        (altering(lambda _: b"?", every=10_000), {"corrupt"}),
        (resetting(after_bytes=5_000), {"reset"}),
        (closing, {"closed"}),
    ],
    ids=["drops", "doubles", "corrupts", "resets", "closes"],
)
def test_what_is_wrong_is_counted_by_reason(handle: Handle, reasons: set[str]) -> None:
    with serving(handle) as port:
        stats = measured(port, depth=4, size_bytes=1_001, duration_s=20.0)
    assert set(stats.errors) == reasons
    assert stats.errors.total() == 4
    assert stats.lost > 0


def test_one_byte_dropped_among_ten_thousand_where_each_message_waits() -> None:
    with serving(altering(lambda _: b"", every=10_000)) as port:
        stats = measured(port, timeout_s=0.5, duration_s=20.0)
    assert stats.errors.total() == 4
    assert set(stats.errors) <= {"missing", "corrupt", "no_answer"}
    assert stats.seconds < 20, "it ends when nobody is left"


def test_one_that_never_answers() -> None:
    with serving(silent) as port:
        stats = measured(port, timeout_s=0.2, duration_s=20.0, depth=3)
    assert stats.errors == {"no_answer": 4}
    assert (stats.answered, stats.lost) == (0, 12)


def test_one_word_too_many_at_the_end() -> None:
    with serving(talkative) as port:
        for _ in range(5):  # the tool waits half a second for such words, and a busy machine may take longer
            stats = measured(port, duration_s=0.05)
            if stats.errors.total() == 4:
                break
    assert stats.errors == {"extra": 4}
    assert stats.lost == 0


def test_another_case_is_not_the_same() -> None:
    with running(CaseEcho(Case.UPPER), level=Level.WARNING) as run:
        assert measured(run.port, duration_s=20.0).errors == {"corrupt": 4}


def test_a_clock_that_is_too_fast_for_the_tool() -> None:
    with running(Echo(), level=Level.WARNING) as run:
        stats = measured(run.port, rate=5_000_000.0, duration_s=0.1)
    assert stats.unsent > 0
    assert stats.sent + stats.unsent == 500_000
    assert not stats.errors
    assert stats.answered == stats.sent


def test_nobody_there() -> None:
    stats = measured(CLOSED_PORT, duration_s=TIMEOUT_S)
    assert stats.errors == {"not_connected": 4}
    assert (stats.clients, stats.answered) == (0, 0)
    assert stats.seconds < TIMEOUT_S / 2, "there is nothing to wait for"


@pytest.mark.slow
def test_a_stall_shows_on_a_clock_and_hides_where_clients_wait() -> None:
    with serving(stalling(seconds=0.4, every=1.5)) as port:
        on_a_clock = measured(port, rate=400.0, duration_s=1.5, warm_up_s=0.05)
        for duration_s in (1.5, 5.0, 15.0):  # a busy machine may do very little in a short time
            waiting = measured(port, duration_s=duration_s, warm_up_s=0.05)
            if waiting.answered > 400:
                break
    assert not on_a_clock.errors
    assert not waiting.errors
    assert on_a_clock.latencies.find_percentile_s(90) > 0.1
    assert waiting.latencies.find_percentile_s(90) < on_a_clock.latencies.find_percentile_s(90) / 2
    assert waiting.latencies.max_s > 0.1


def test_wide_and_deep_where_the_system_takes_not_all_at_once() -> None:
    with running(Echo(), level=Level.WARNING) as run:
        stats = measured(run.port, clients=1, size_bytes=4_000_000, depth=4, count=6, duration_s=None)
    assert not stats.errors
    assert stats.answered == 6
