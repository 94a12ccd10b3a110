import pytest

from sockctl.bench.pacing import Pacing
from sockctl.bench.payload import Payload, diagnosis
from sockctl.bench.plan import Kind, Plan, Tls, Where
from sockctl.bench.stats import Stats
from tests.support.bench import plan


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_shares_add_up(processes: int) -> None:
    whole = plan(clients=7, count=100, rate=70.0)
    shares = whole.shares(processes)
    assert sum(share.clients for share in shares) == 7
    assert sum(share.count or 0 for share in shares) == 100
    assert sum(share.rate or 0 for share in shares) == pytest.approx(70)
    numbers = [share.first + number for share in shares for number in range(share.clients)]
    assert numbers == list(range(7))


def test_over_json_and_without_the_password_in_its_repr() -> None:
    where = Where(name="x:1", family=2, address=("127.0.0.1", 1), tls=Tls(server_name="x", fingerprint="AB"))
    one = Plan(kind=Kind.LOGIN, where=where, run="r", password="sesame", user="ann")
    assert Plan.from_json(one.to_json()) == one
    assert "sesame" not in repr(one)
    assert Plan.from_json(plan().to_json()) == plan()


def test_a_pace_counts_what_is_measured_only() -> None:
    stats = Stats()
    pace = Pacing(plan(count=10, warm_up_s=1.0, duration_s=5.0), stats)
    pace.answers = 3
    assert pace.granted(5, 0.0) == 0, "nothing before the start"
    pace.start(100.0)
    assert pace.granted(5, 100.5) == 5
    assert stats.sent == 0
    assert pace.granted(8, 101.0) == 8
    assert pace.granted(8, 102.0) == 2
    assert (stats.sent, stats.expected) == (10, 30)
    assert pace.is_over(102.0)
    assert pace.granted(1, 106.0) == 0
    assert list(pace.arrivals(105.0)) == []


def test_a_clock_says_when_each_was_due() -> None:
    stats = Stats()
    pace = Pacing(plan(rate=10.0, duration_s=0.35, offset_s=0.01), stats)
    assert pace.unsent == 0, "nothing is due before it starts"
    pace.start(100.0)
    assert list(pace.arrivals(100.0)) == []
    assert pace.wait_s(100.0) == pytest.approx(0.01)
    assert list(pace.arrivals(100.25)) == pytest.approx([100.01, 100.11, 100.21])
    assert list(pace.arrivals(200.0)) == pytest.approx([100.31]), "what was due after the end is not sent"
    assert stats.sent == 4
    assert pace.unsent == 0


@pytest.mark.parametrize("rate", [0.7, 500.0, 333.3, 4_999.0])
@pytest.mark.parametrize("start", [0.0, 100.1, 123_456.789])
def test_what_was_due_and_not_sent_is_known(rate: float, start: float) -> None:
    stats = Stats()
    pace = Pacing(plan(rate=rate, duration_s=0.2, warm_up_s=0.1), stats)
    pace.start(start)
    list(pace.arrivals(start + 0.15))
    missing, sent = pace.unsent, stats.sent
    list(pace.arrivals(start + 1.0))
    assert stats.sent == sent + missing
    assert pace.unsent == 0
    counted = Pacing(plan(rate=500.0, duration_s=0.2, count=2), Stats())
    counted.start(start)
    assert counted.unsent == 2


@pytest.mark.parametrize("size", [1, 2, 64, 1_000, 65_521, 65_536, 1_000_000])
def test_a_stream_is_of_lines_that_differ(size: int) -> None:
    stream = Payload(size)
    messages = [stream.block[at : at + size] for at in range(0, stream.length, size)]
    assert all(message.endswith(b"\n") for message in messages) or size == 1
    assert len(messages) >= 3
    assert len(set(messages)) == len(messages) or size < 4
    assert stream.start_of(1) != stream.start_of(0)
    assert stream.view[stream.length : stream.length + 9] == stream.view[:9], "it begins anew"


def test_what_is_wrong_is_recognised() -> None:
    stream = Payload(64)
    block = stream.block
    assert diagnosis(stream, 0, block[:9] + block[10:80]) == "missing"
    assert diagnosis(stream, 0, block[:9] + block[8:80]) == "doubled"
    assert diagnosis(stream, 64, block[64:74] + b"\0" + block[75:99]) == "corrupt"
    assert diagnosis(stream, 0, block[:8]) == "corrupt"
