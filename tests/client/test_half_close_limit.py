from sockctl.client.half_close_limit import HalfCloseLimit
from sockctl.client.settings import QUIT_AFTER_S


def test_the_pause_counts_from_the_last_byte_sent() -> None:
    limit = HalfCloseLimit(None, 10.0)
    assert not limit.has_begun
    limit.begin(20.0)
    assert limit.has_begun
    assert limit.due_at == 20.0 + QUIT_AFTER_S
    limit.note_sent(21.0)
    assert limit.due_at == 21.0 + QUIT_AFTER_S


def test_another_pause() -> None:
    limit = HalfCloseLimit(0.5, 0.0)
    limit.begin(1.0)
    assert limit.due_at == 1.5
