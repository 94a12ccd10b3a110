from sockctl.client.own_rest import OwnRest
from sockctl.client.settings import QUIT_AFTER_S


def test_the_pause_counts_from_the_last_byte_sent() -> None:
    rest = OwnRest(None, 10.0)
    assert not rest.has_begun
    rest.begin(20.0)
    assert rest.has_begun
    assert rest.due_at == 20.0 + QUIT_AFTER_S
    rest.note_sent(21.0)
    assert rest.due_at == 21.0 + QUIT_AFTER_S


def test_another_pause() -> None:
    rest = OwnRest(0.5, 0.0)
    rest.begin(1.0)
    assert rest.due_at == 1.5
