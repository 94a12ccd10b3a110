import pytest

from sockctl.bench.plan import Kind, Plan, Tls, Where
from tests.support.bench import plan


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_shares_add_up(processes: int) -> None:
    whole = plan(clients=7, count=100, rate=70.0)
    shares = whole.divide(processes)
    assert sum(share.clients for share in shares) == 7
    assert sum(share.count or 0 for share in shares) == 100
    assert sum(share.rate or 0 for share in shares) == pytest.approx(70)
    numbers = [share.first + number for share in shares for number in range(share.clients)]
    assert numbers == list(range(7))


def test_over_json_and_without_the_password_in_its_repr() -> None:
    where = Where(name="x:1", family=2, address=("127.0.0.1", 1), tls=Tls(server_name="x", fingerprint="AB"))
    one = Plan(kind=Kind.LOGIN, servers=(where,), run="r", password="sesame", user="ann")
    assert Plan.from_json(one.to_json()) == one
    assert "sesame" not in repr(one)
    assert Plan.from_json(plan().to_json()) == plan()
