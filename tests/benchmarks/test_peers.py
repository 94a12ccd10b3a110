from pathlib import Path

import pytest

from tests.benchmarks.peers.compare import compare
from tests.benchmarks.peers.programs import compile_program
from tests.benchmarks.peers.scenarios import SCENARIOS, Bench, ChatLoad, EchoLoad
from tests.benchmarks.serving import INSTALLED
from tests.support.tools import tool


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    tool("gcc", "gcc")
    return Bench(tmp_path, INSTALLED, 1024)


def test_echo_servers_are_measured(bench: Bench) -> None:
    for program in ("loadgen", "epoll_echo", "thread_echo"):
        compile_program(program, bench.folder)
    for server in ("sockctl", "epoll_c", "thread_c", "stock", "streams", "asyncio"):
        result = bench.measure_echo(EchoLoad(clients=3, size_bytes=100, depth=2, seconds=0.5), server)
        assert result["value"] > 0, server
        assert (result["corrupt"], result["dead"], result["silent"]) == (0, 0, 0), server


def test_a_chat_server_is_measured(bench: Bench) -> None:
    compile_program("fanout", bench.folder)
    result = bench.measure_chat(ChatLoad(members=3, senders=1, messages=20, window=5), "sockctl")
    assert result["value"] > 0
    assert (result["deliveries"], result["expected_min"]) == (60, 40)


def test_sockctl_is_compared_with_the_peers_that_are_named(bench: Bench) -> None:
    rows = compare(bench, "start", ["python"], rounds=1)
    assert list(rows) == ["sockctl", "python"]
    assert rows["sockctl"]["sockctl_ratio"] == 1.0


def test_every_scenario_has_servers(bench: Bench) -> None:
    for scenario in SCENARIOS:
        assert bench.list_servers(scenario)[0] == "sockctl"
