import random

from sockctl.client.datagram_answers import DatagramAnswers


def make(*sent: bytes, timeout_s: float = 10.0) -> DatagramAnswers:
    answers = DatagramAnswers(timeout_s)
    for number, data in enumerate(sent):
        answers.note_sent(data, float(number))
    return answers


def test_an_echo_in_order() -> None:
    answers = make(b"a", b"b", b"")
    assert [answers.note_received(data, 5.0) for data in (b"a", b"b", b"")] == [5.0, 4.0, 3.0]
    assert (answers.answered, answers.echoed, answers.out_of_order, answers.waiting) == (3, 3, 0, 0)
    assert answers.due_at is None


def test_order_is_judged_by_the_latest_answer() -> None:
    answers = make(b"a", b"b", b"c", b"d")
    for data in (b"b", b"a", b"d", b"c"):
        answers.note_received(data, 5.0)
    assert answers.out_of_order == 2


def test_repetitions() -> None:
    answers = make(b"a", b"b")
    for data in (b"a", b"a", b"b", b"a"):
        answers.note_received(data, 5.0)
    assert (answers.received, answers.answered, answers.duplicates) == (4, 2, 2)


def test_equal_datagrams_are_answered_one_by_one() -> None:
    answers = make(b"x", b"x", b"x")
    assert answers.note_received(b"x", 5.0) == 5.0
    assert answers.note_received(b"x", 5.0) == 4.0
    assert (answers.answered, answers.waiting, answers.duplicates, answers.out_of_order) == (2, 1, 0, 0)


def test_loss_and_late_answers() -> None:
    answers = make(b"a", b"b", b"c")
    assert answers.due_at == 10.0
    answers.note_received(b"b", 5.0)
    assert answers.expire(9.9) == 0
    assert answers.expire(11.9) == 1
    assert answers.due_at == 12.0
    assert answers.note_received(b"a", 11.95) is None
    assert (answers.lost, answers.late, answers.answered, answers.waiting) == (1, 1, 1, 1)
    answers.note_received(b"a", 12.0)
    assert answers.duplicates == 1, "a late one may come twice as well"


def test_answers_that_are_no_echo_count_for_the_oldest() -> None:
    answers = make(b"a", b"b", b"c")
    for data in (b"1", b"2"):
        assert answers.note_received(data, 5.0) is None
    assert (answers.answered, answers.echoed, answers.waiting) == (2, 0, 1)
    answers.note_received(b"3", 5.0)
    answers.note_received(b"4", 5.0)
    assert (answers.received, answers.answered) == (4, 3)


def test_a_refusal_loses_all_that_wait() -> None:
    answers = make(b"a", b"b")
    answers.note_received(b"a", 1.0)
    answers.lose_all()
    assert (answers.lost, answers.waiting, answers.due_at) == (1, 0, None)


def test_datagrams_that_await_nothing() -> None:
    answers = DatagramAnswers(1.0)
    answers.note_sent(b"a", 0.0, awaits=False)
    assert (answers.sent, answers.waiting, answers.expire(9.0)) == (1, 0, 0)


def test_any_network_adds_up() -> None:
    """What was sent is answered, lost or waits; what an echo gave back is an answer, late or a repetition."""
    for seed in range(30):
        chance = random.Random(seed)
        answers, under_way = DatagramAnswers(5.0), []
        for number in range(300):
            now = number / 10
            data = b"%d" % chance.randrange(200)
            answers.note_sent(data, now)
            under_way += [data] * chance.choice([0, 1, 1, 1, 2])
            chance.shuffle(under_way)
            while under_way and chance.random() < 0.6:
                answers.note_received(under_way.pop(), now)
            answers.expire(now)
        assert answers.sent == answers.answered + answers.lost + answers.waiting
        assert answers.received == answers.answered + answers.late + answers.duplicates
