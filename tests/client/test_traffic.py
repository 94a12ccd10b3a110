from sockctl.client.traffic import TrafficMeter
from sockctl.events.base import Event


def due_of(meter: TrafficMeter) -> float | None:
    return meter.sum_at


def test_calm_traffic_is_emitted_at_once_and_busy_traffic_as_a_sum() -> None:
    events: list[Event] = []
    meter = TrafficMeter(events.append)
    for _ in range(12):
        meter.count_received(10, 100.0)
        meter.count_sent(1, 100.0)
    assert len(events) == 10
    assert due_of(meter) == 101.0
    meter.emit_sum(101.5)
    assert [event.fields for event in events[10:]] == [
        {"bytes": 7, "sends": 7, "seconds": 1.5},
        {"bytes": 70, "reads": 7, "seconds": 1.5},
    ]
    assert (meter.bytes_in, meter.bytes_out) == (120, 12)
    assert due_of(meter) is None
    meter.emit_sum(102.0)
    assert len(events) == 12, "nothing waits"


def test_each_call_has_its_size_and_the_time_since_the_last_one() -> None:
    events: list[Event] = []
    meter = TrafficMeter(events.append)
    meter.count_sent(5, 100.0)
    meter.count_received(2, 100.00025, messages=0)
    meter.count_received(3, 101.5, messages=1)
    assert [(event.name, event.fields) for event in events] == [
        ("data_sent", {"bytes": 5, "sends": 1}),
        ("data_received", {"bytes": 2, "reads": 1, "messages": 0, "since_last_s": 0.00025}),
        ("data_received", {"bytes": 3, "reads": 1, "messages": 1, "since_last_s": 1.49975}),
    ]


def test_busy_traffic_is_emitted_call_by_call_where_that_is_wanted() -> None:
    events: list[Event] = []
    meter = TrafficMeter(events.append, encrypted=True, emits_each=True)
    for _ in range(1_000):
        meter.count_received(10, 100.0)
    assert due_of(meter) is None
    assert len(events) == 1_000
    assert events[-1].fields == {"bytes": 10, "reads": 1, "since_last_s": 0.0, "encrypted": True}


def test_a_sum_has_the_messages_of_its_time() -> None:
    events: list[Event] = []
    meter = TrafficMeter(events.append)
    for _ in range(14):
        meter.count_received(10, 100.0, messages=2)
    meter.emit_sum(101.0)
    assert events[-1].fields == {"bytes": 40, "reads": 4, "messages": 8, "seconds": 1.0}
