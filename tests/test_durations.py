import pytest

from sockctl.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("5s", 5), ("0.25", 0.25), (".5", 0.5), ("500ms", 0.5), ("10m", 600), ("1h", 3600), ("1.5h", 5400)],
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "nan", "inf", "-1", "1e3", "5 s", "5sec", "1h30m", "\u0665", "5\n", "1" * 99]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time: write 5, 5s, 500ms, 10m or 1h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (0.001, "1ms"),
        (5, "5s"),
        (1.5, "1.5s"),
        (90, "90s"),
        (600, "10m"),
        (31_536_000, "365d"),
    ],
)
def test_the_shortest_form_is_shown(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds
