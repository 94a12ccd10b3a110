"""Tests for `sockctl.client.idle_limit`."""

import pytest

from sockctl.client.idle_limit import IdleLimit
from sockctl.errors import IdleTimeoutError


def test_no_limit() -> None:
    assert IdleLimit(None, 100.0).settle(1e9) is None


def test_traffic_moves_the_limit() -> None:
    limit = IdleLimit(5.0, 100.0)
    assert limit.settle(104.9) == 105.0
    limit.note_traffic(104.0)
    assert limit.settle(108.9) == 109.0
    with pytest.raises(IdleTimeoutError, match="for 5 s"):
        limit.settle(109.0)
