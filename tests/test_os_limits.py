import resource

import pytest

from sockctl import os_limits
from sockctl.os_limits import RESERVE, raise_descriptor_limit


class FakeResource:
    RLIMIT_NOFILE = resource.RLIMIT_NOFILE
    RLIM_INFINITY = resource.RLIM_INFINITY

    def __init__(self, soft: int, hard: int, *, refuses: bool = False) -> None:
        self.limits = (soft, hard)
        self.refuses = refuses

    def getrlimit(self, _: int) -> tuple[int, int]:
        return self.limits

    def setrlimit(self, _: int, limits: tuple[int, int]) -> None:
        if self.refuses:
            raise ValueError("not permitted")
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "refuses", "now"),
    [
        (1024, 4096, False, 512 + RESERVE),
        (100, 200, False, 200),
        (100, resource.RLIM_INFINITY, False, 512 + RESERVE),
        (100, 4096, True, 100),
    ],
)
def test_limit(soft: int, hard: int, refuses: bool, now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeResource(soft, hard, refuses=refuses)
    monkeypatch.setattr(os_limits, "resource", fake)
    assert raise_descriptor_limit(512) == (512 + RESERVE, now)
    assert fake.limits == (max(soft, now), hard)


def test_an_endless_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeResource(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(os_limits, "resource", fake)
    assert raise_descriptor_limit(10) == (10 + RESERVE, 10 + RESERVE)
    assert fake.limits[0] == resource.RLIM_INFINITY
