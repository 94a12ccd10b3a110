from sockctl.client.traffic import TrafficMeter
from sockctl.events.base import Event


def due_of(meter: TrafficMeter) -> float | None:
    return meter.sum_at


def test_calm_traffic_is_emitted_at_once_and_busy_traffic_as_a_sum() -> None:
    events: list[Event] = []
    meter = TrafficMeter(events.append)
    for _ in range(12):
        meter.count(100.0, received=10)
        meter.count(100.0, sent=1)
    assert len(events) == 10
    assert due_of(meter) == 101.0
    meter.emit_sum(101.5)
    assert [event.fields for event in events[10:]] == [{"bytes": 7, "seconds": 1.5}, {"bytes": 70, "seconds": 1.5}]
    assert (meter.bytes_in, meter.bytes_out) == (120, 12)
    assert due_of(meter) is None
    meter.emit_sum(102.0)
    assert len(events) == 12, "nothing waits"
