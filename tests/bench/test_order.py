"""One order of a chat's messages for all its members."""

from sockctl.bench.order import CommonOrder
from tests.support.bench import said


def test_the_first_to_hear_makes_the_order_and_the_others_follow() -> None:
    order = CommonOrder()
    assert order.match(0, said((0, 0), (1, 0), (0, 1))) == 3
    assert order.match(0, said((0, 0))) == 1
    assert order.match(1, said((1, 0), (0, 1), (1, 1))) == 3, "a member may hear old and new ones at once"
    assert order.match(3, said((1, 1))) == 1


def test_a_wrong_message_ends_the_match() -> None:
    order = CommonOrder()
    order.match(0, said((0, 0), (1, 0), (0, 1)))
    assert order.match(0, said((0, 0), (0, 1))) == 1
    assert order.match(3, said((0, 2), (0, 4))) == 1, "no sender's message may be left out by the first to hear"
    assert order.match(4, said((0, 2))) == 0, "nor come twice"


def test_what_is_absent_is_named_and_a_repetition_misses_nothing() -> None:
    order = CommonOrder()
    order.match(0, said((0, 0), (1, 0), (0, 1)))
    assert order.find_absent(1, *said((0, 1))) == (1, 0)
    assert order.find_absent(1, *said((0, 0))) is None
    assert order.find_absent(3, *said((1, 2))) == (1, 1)
    assert order.find_absent(3, *said((1, 0))) is None
    assert order.find_absent(3, *said((7, 1))) == (7, 0)


def test_what_all_have_heard_is_forgotten() -> None:
    order = CommonOrder()
    order.match(0, said((0, 0), (1, 0), (0, 1)))
    order.forget(2)
    order.forget(1)
    assert order.match(2, said((0, 1), (0, 2))) == 2
    assert order.find_absent(4, *said((0, 2))) is None
    assert order.find_absent(4, *said((0, 4))) == (0, 3)
