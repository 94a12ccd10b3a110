"""What a bench runs with: the number of its processes, and the password that no text shows."""

import pytest

from sockctl.bench.plan import Kind
from sockctl.cli import bench_runner
from sockctl.cli.bench_options import BenchOptions
from sockctl.cli.bench_runner import Wanted
from sockctl.cli.tls_options import TlsOptions


@pytest.mark.parametrize(
    ("machine", "load", "given", "processes"),
    [
        ((Kind.ECHO, 2), (10, None), None, 2),
        ((Kind.ECHO, 64), (10, None), None, 4),
        ((Kind.ECHO, 64), (3, None), None, 3),
        ((Kind.ECHO, 64), (10, 1), None, 1),
        ((Kind.CHAT, 64), (10, None), None, 1),
        ((Kind.LOGIN, 64), (10, None), None, 1),
        ((Kind.ECHO, 2), (10, None), 8, 8),
        ((Kind.ECHO, 2), (10, None), 16, 10),
        ((Kind.CHAT, 2), (10, 2), 3, 2),
    ],
)
def test_how_many_processes(
    monkeypatch: pytest.MonkeyPatch,
    machine: tuple[Kind, int],
    load: tuple[int, int | None],
    given: int | None,
    processes: int,
) -> None:
    kind, cores = machine
    monkeypatch.setattr(bench_runner, "count_usable_cores", lambda: cores)
    clients, count = load
    wanted = Wanted(
        kind=kind, options=BenchOptions(clients=clients, count=count, tls_options=TlsOptions()), processes=given
    )
    assert wanted.chosen_processes == processes


def test_no_text_shows_the_password() -> None:
    assert "swordfish" not in repr(
        Wanted(kind=Kind.LOGIN, options=BenchOptions(tls_options=TlsOptions()), password="swordfish")
    )
