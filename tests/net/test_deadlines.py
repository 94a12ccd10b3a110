import math
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from sockctl.net.deadlines import SPARE_ENTRIES, Deadlines


def test_order_and_moves() -> None:
    deadlines: Deadlines[str] = Deadlines()
    assert deadlines.find_next_at() == math.inf
    deadlines.set("a", 3.0)
    deadlines.set("b", 1.0)
    deadlines.set("c", 2.0)
    assert deadlines.find_next_at() == 1.0
    deadlines.set("b", 5.0)
    deadlines.discard("c")
    deadlines.discard("c")
    assert deadlines.find_next_at() == 3.0
    assert deadlines.remove_expired(2.9) == []
    assert deadlines.remove_expired(10.0) == ["a", "b"]
    assert len(deadlines) == 0


def test_what_is_out_of_date_does_not_pile_up() -> None:
    deadlines: Deadlines[int] = Deadlines()
    tracemalloc.start()
    try:
        for number in range(10_000):
            deadlines.set(number, 1e9 + number)
            deadlines.discard(number)
        assert tracemalloc.get_traced_memory()[0] < SPARE_ENTRIES * 300
        for number in range(10_000):
            deadlines.set(1, float(number))
        assert tracemalloc.get_traced_memory()[0] < SPARE_ENTRIES * 300
    finally:
        tracemalloc.stop()
    assert deadlines.remove_expired(1e12) == [1]


steps = st.lists(
    st.tuples(st.sampled_from(["set", "clear", "take"]), st.integers(0, 5), st.integers(0, 20)), max_size=60
)


@given(steps)
def test_like_a_plain_dict(todo: list[tuple[str, int, int]]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, float] = {}
    for step, item, at in todo:
        if step == "set":
            deadlines.set(item, at)
            model[item] = at
        elif step == "clear":
            deadlines.discard(item)
            model.pop(item, None)
        else:
            expired = deadlines.remove_expired(at)
            assert sorted(expired) == sorted(key for key, value in model.items() if value <= at)
            times = [model.pop(key) for key in expired]
            assert times == sorted(times)
        assert deadlines.find_next_at() == min(model.values(), default=math.inf)
        assert len(deadlines) == len(model)
