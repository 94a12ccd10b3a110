"""What a typed line means."""

import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sockctl.errors import CommandError, RoomRefusedError, UnknownCommandError
from sockctl.services.chat.command_table import COMMANDS, Command, list_help
from sockctl.services.chat.commands import (
    Call,
    parse,
    parse_count,
    parse_duration,
    parse_room,
    parse_term,
)
from sockctl.text import make_visible


def called(line: str, *, operator: bool = False) -> tuple[str, tuple[str, ...]]:
    call = parse(line, operator=operator)
    return call.command.name, call.arguments


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("/nick ann", "nick", ("ann",)),
        ("/NICK   ann  ", "nick", ("ann",)),
        ("/msg bob hello  you ", "msg", ("bob", "hello  you ")),
        ("/msg\tbob\thello", "msg", ("bob", "hello")),
        ("/tell  bob  hello", "msg", ("bob", " hello")),
        ("/msg bob /quit", "msg", ("bob", "/quit")),
        ("/r yes", "reply", ("yes",)),
        ("/me  waves", "me", (" waves",)),
        ("/me \u00e4 \N{WAVING HAND SIGN}", "me", ("\u00e4 \N{WAVING HAND SIGN}",)),
        ("/who", "who", ()),
        ("/who #dev", "who", ("#dev",)),
        ("/rooms  ", "rooms", ()),
        ("/Leave", "leave", ()),
        ("/topic what we  do", "topic", ("what we  do",)),
        ("/topic   ", "topic", ()),
        ("/history 5", "history", ("5",)),
        ("/? nick", "help", ("nick",)),
        ("/exit", "quit", ()),
    ],
)
def test_commands(line: str, name: str, arguments: tuple[str, ...]) -> None:
    assert called(line) == (name, arguments)


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("/kick bob", "kick", ("bob",)),
        ("/kick bob flooding the room", "kick", ("bob", "flooding the room")),
        ("/ban 192.0.2.0/24 7d", "ban", ("192.0.2.0/24", "7d")),
        ("/ban bob", "ban", ("bob",)),
        ("/ban bob 1h too  loud", "ban", ("bob", "1h", "too  loud")),
        ("/announce we stop", "announce", ("we stop",)),
        ("/nick ann", "nick", ("ann",)),
    ],
)
def test_commands_of_operators(line: str, name: str, arguments: tuple[str, ...]) -> None:
    assert called(line, operator=True) == (name, arguments)


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("/nick", "/nick NAME"),
        ("/nick a b", "/nick NAME"),
        ("/tell", "/msg NAME TEXT"),
        ("/msg bob", "/msg NAME TEXT"),
        ("/msg bob   ", "/msg NAME TEXT"),
        ("/me ", "/me TEXT"),
        ("/quit now", "/quit"),
        ("/leave a b", r"/leave \[ROOM\]"),
        ("/unban bob 1h", r"/unban NAME\|ADDRESS"),
    ],
)
def test_too_little_or_too_much(line: str, usage: str) -> None:
    with pytest.raises(CommandError, match=f"write {usage}$") as caught:
        parse(line, operator=True)
    assert caught.value.code == "bad_command"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("/jion x", "There is no /jion: did you mean /join?"),
        ("/HISTROY", "There is no /HISTROY: did you mean /history?"),
        ("/usr", "There is no /usr: see /help, or begin with // to say it."),
        ("/\x1b[2J", "There is no /\N{SYMBOL FOR ESCAPE}[2J: see /help, or begin with // to say it."),
        ("/", "A command has a name behind the /: /help lists them."),
    ],
)
def test_unknown_commands(line: str, text: str) -> None:
    with pytest.raises(UnknownCommandError) as caught:
        parse(line, operator=False)
    assert (str(caught.value), caught.value.code) == (text, "unknown_command")


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.operators_only], ids=lambda command: command.name)
def test_commands_of_operators_are_unknown_to_others(command: Command) -> None:
    name = command.name
    with pytest.raises(UnknownCommandError, match=f"There is no /{name}: ") as caught:
        parse(f"/{name}", operator=False)
    for other in COMMANDS:
        assert not other.operators_only or not str(caught.value).endswith(f"/{other.name}?")
    with pytest.raises(UnknownCommandError):
        list_help(name, operator=False)


LINES = st.text() | st.builds(
    "/{} {}".format, st.sampled_from([word for one in COMMANDS for word in (one.name, *one.aliases)]), st.text()
)


@given(line=LINES, operator=st.booleans())
@example(line="x" * 4_096, operator=True)
@example(line="nick \u00a0", operator=False)
@example(line="msg \x1c", operator=False)
def test_any_line_has_a_meaning_or_an_error(line: str, *, operator: bool) -> None:
    try:
        meant: object = parse(f"/{line}", operator=operator)
    except CommandError as error:
        meant = error
    if isinstance(meant, CommandError):
        assert make_visible(str(meant)) == str(meant)
        assert len(str(meant)) < 150
    else:
        assert isinstance(meant, Call)
        assert all(meant.arguments)
        words = [parameter for parameter in meant.command.parameters if not parameter.startswith("[")]
        assert len(words) <= len(meant.arguments) <= len(meant.command.parameters)


@given(text=st.text(min_size=1).filter(str.strip))
def test_text_stays_as_it_is(text: str) -> None:
    assert called(f"/msg bob {text}") == ("msg", ("bob", text))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7_200), ("7D", 604_800), ("45", 2_700), ("007m", 420), ("365d", 31_536_000)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "m", "1h30m", "1w", "-5m", "1.5h", "366d", "999999999999", "10 m", "\u0661\u0660m", "\x1b"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(CommandError, match="is no time: write 90s, 10m, 2h or 7d") as caught:
        parse_duration(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("words", "minutes", "why"),
    [
        ((), None, ""),
        (("2h",), 120, ""),
        (("10m", "too  loud "), 10, "too  loud"),
        (("too", "loud"), None, "too loud"),
        (("{0}",), None, "{0}"),
        (("²too", "loud"), None, "²too loud"),
    ],
)
def test_times_and_reasons(words: tuple[str, ...], minutes: int | None, why: str) -> None:
    assert parse_term(words) == (None if minutes is None else datetime.timedelta(minutes=minutes), why)


@pytest.mark.parametrize("word", ["1w", "2x", "0m", "3rd"])
def test_what_begins_with_a_digit_is_a_time(word: str) -> None:
    with pytest.raises(CommandError, match="is no time"):
        parse_term([word, "offence"])


def test_counts() -> None:
    assert [parse_count(text) for text in ("1", "020", "100000", "9" * 5_000)] == [1, 20, 100_000, 10**9]
    for text in ("", "0", "-1", "x", "1.5", "\u0665"):
        with pytest.raises(CommandError, match="is no number of messages"):
            parse_count(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lobby", "#lobby"),
        ("#Lobby", "#lobby"),
        (" #a.b-c_9 ", "#a.b-c_9"),
        ("admin", "#admin"),
        ("#SYSTEM", "#system"),
        ("#Игры", "#игры"),
        ("cafe\u0301", "#caf\u00e9"),
    ],
)
def test_rooms(text: str, name: str) -> None:
    assert parse_room(text) == name
    assert parse_room(name) == name


@pytest.mark.parametrize("text", ["", "#", "##x", "-x", "a b", "\u00b7", "#\u202ex", "x" * 33, "a\x1b", "#\n"])
def test_no_rooms(text: str) -> None:
    with pytest.raises(RoomRefusedError, match=r"is no name of a room|can't be empty") as caught:
        parse_room(text)
    assert caught.value.code == "bad_room"
    assert str(caught.value).isprintable()
    assert "#lobby" in str(caught.value)


def test_a_room_of_two_scripts() -> None:
    with pytest.raises(RoomRefusedError, match="mixes Latin and Cyrillic letters"):
        parse_room("#gam\u0435s")
