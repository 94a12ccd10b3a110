"""Listings, as people and as programs get them."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from sockctl.accounts.authenticator import Authenticator
from sockctl.accounts.hash_queue import HashQueue
from sockctl.cli.tables import format_table, print_json, print_list
from sockctl.client.known_hosts import KnownHosts
from sockctl.client.token_store import Login, TokenStore
from sockctl.services.known_clients import KnownClients
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.running import SOCKCTL
from tests.support.terminal import ended

ENTRIES = [{"name": "ann", "age": 7}, {"name": "Zoë", "age": 1_000}]
ROWS = [(str(one["name"]), str(one["age"])) for one in ENTRIES]
TITLES = ("NAME", "AGE")
TIME = "2026-01-31T12:34:56Z"
SESSIONS = ("ID", "USER", "ADDRESS", "CREATED", "EXPIRES")
SESSION = ("0123456789ab", "漢字の名前", "192.0.2.7", TIME, TIME)
FINGERPRINT = ":".join(["AB"] * 32)


def test_in_a_pipe_cells_stand_between_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(ENTRIES, TITLES, [*ROWS, ("a\tb", "\x1b[31m")], empty="Nobody.", json=False)
    assert capsys.readouterr() == ("NAME\tAGE\nann\t7\nZoë\t1000\na b\t\N{SYMBOL FOR ESCAPE}[31m\n", "")


def test_a_list_without_entries_has_a_header_and_a_remark(capfd: pytest.CaptureFixture[str]) -> None:
    print_list([], TITLES, [], empty="Nobody.", json=False)
    assert capfd.readouterr() == ("NAME\tAGE\n", "Nobody.\n")


@pytest.mark.parametrize("entries", [ENTRIES, []])
def test_a_list_for_programs(capsys: pytest.CaptureFixture[str], entries: list[dict[str, object]]) -> None:
    print_list(entries, TITLES, ROWS[: len(entries)], empty="Nobody.", json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == entries
    assert "\\u" not in out
    assert err == ""


def test_json_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    value = ["\x1b[31m", "\x7f", "\x9b31m", "\u202e", "é你👩\u200d🚀"]
    print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert not set("\x1b\x7f\x9b\u202e") & set(out)
    assert "é你👩\u200d🚀" in out


def test_an_encoding_that_lacks_a_character() -> None:
    program = "from sockctl.cli.tables import *; print_text('é你'); print_json('é你')"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    assert done.stdout == b"\xe9?\n" + '"é你"\n'.encode(), "JSON is always UTF-8"


def test_sentences_are_wrapped_on_a_terminal_alone(terminal: Any) -> None:
    program = "from sockctl.cli.tables import *; print_sentences('A long', 'sentence ' * 3)"
    child = terminal(command=["sh", "-c", f'read go; stty cols 20; {sys.executable} -c "{program}"'])
    child.sendline("")
    assert ended(child) == 0
    assert child.before.endswith("A long\r\nsentence sentence\r\nsentence\r\n")
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, stdin=subprocess.DEVNULL)
    assert piped.stdout.rstrip() == b"A long\nsentence sentence sentence"


def test_a_closed_standard_output_is_no_defect() -> None:
    command = shlex.join([*SOCKCTL, "users", "list", "--data-dir", "/nonexistent"])
    done = subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, check=False)
    assert b"defect" not in done.stderr


# a terminal's table


def table(titles: Iterable[str], *rows: Iterable[str], width: int, colour: bool = False) -> list[str]:
    text = format_table(list(titles), [list(row) for row in rows], width=width, colour=colour)
    lines = text.split("\n")
    assert all(cell_len(line) <= width for line in lines) or colour
    return lines


def test_wide_characters_align() -> None:
    assert table(SESSIONS, SESSION, (*SESSION[:1], "ann", *SESSION[2:]), width=200) == [
        "ID            USER        ADDRESS    CREATED              EXPIRES",
        "0123456789ab  漢字の名前  192.0.2.7  2026-01-31 12:34:56  2026-01-31 12:34:56",
        "0123456789ab  ann         192.0.2.7  2026-01-31 12:34:56  2026-01-31 12:34:56",
    ]


def test_at_80_columns_times_fold_between_date_and_time() -> None:
    lines = table((*SESSIONS, "USED"), (*SESSION, TIME), width=80)
    assert [line.split() for line in lines] == [
        [*SESSIONS, "USED"],
        [*SESSION[:3], *["2026-01-31"] * 3],
        ["12:34:56"] * 3,
    ]
    assert lines[1].index("2026") + len("漢字の名前") == lines[2].index("12:34")  # each of them is two cells wide


def test_a_fingerprint_folds_between_its_pairs_within_its_column() -> None:
    lines = table(("HOST:PORT", "SHA256"), ("a.example:1", FINGERPRINT), ("b.example:1", "AB"), width=80)
    assert lines == [
        "HOST:PORT    SHA256",
        f"a.example:1  {FINGERPRINT[:66]}",
        f"             {FINGERPRINT[66:]}",
        "b.example:1  AB",
    ]


def test_at_40_columns_a_row_is_a_record() -> None:
    record = [
        "ID       0123456789ab",
        "USER     漢字の名前",
        "ADDRESS  192.0.2.7",
        "CREATED  2026-01-31 12:34:56",
        "EXPIRES  2026-01-31 12:34:56",
    ]
    assert table(SESSIONS, SESSION, SESSION, width=40) == [*record, "", *record]
    lines = table(("HOST:PORT", "SINCE", "SHA256"), ("server.example:9090", TIME, FINGERPRINT), width=40)
    assert [line[:11].rstrip() for line in lines] == ["HOST:PORT", "SINCE", "SHA256", "", "", ""]
    assert [line[11:] for line in lines[2:]] == [
        FINGERPRINT[:27],
        FINGERPRINT[27:54],
        FINGERPRINT[54:81],
        "AB:AB:AB:AB:AB",
    ]


def test_a_word_without_parts_is_cut_at_the_end_of_its_column() -> None:
    lines = table(("NAME", "VALUE"), ("a" * 50, "漢" * 20), width=40)
    assert lines == ["NAME   " + "a" * 33, "       " + "a" * 17, "VALUE  " + "漢" * 16, "       " + "漢" * 4]


def test_a_header_alone_at_any_width() -> None:
    assert table(SESSIONS, width=80) == ["ID  USER  ADDRESS  CREATED  EXPIRES"]
    assert table(SESSIONS, width=20) == list(SESSIONS)


@pytest.mark.parametrize("width", [1, 2, 5, 12])
def test_a_terminal_that_is_far_too_narrow(width: int) -> None:
    text = format_table(SESSIONS, [SESSION], width=width, colour=False)
    assert text


def test_colour_is_what_the_caller_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.setenv(name, "dumb")
        assert "\x1b" not in format_table(TITLES, ROWS, width=80, colour=False)
        coloured = format_table(TITLES, ROWS, width=80, colour=True)
        assert coloured.startswith("\x1b[1mNAME\x1b[0m")
        assert coloured.endswith("\nann   7\nZoë   1000")


PROGRAM = """
from sockctl.cli.tables import print_list
rows = [("ann", "7"), ("Zoë", "1000")]
print_list(rows, ("NAME", "AGE"), rows, empty="Nobody.", json=False)
import sys
assert ("rich" in sys.modules) is sys.stdout.isatty()
"""


@pytest.mark.parametrize(("environment", "header"), [({}, "\x1b[1mNAME"), ({"NO_COLOR": "1"}, "NAME  AGE")])
def test_on_a_terminal(terminal: Any, environment: dict[str, str], header: str) -> None:
    child = terminal(command=[sys.executable, "-c", PROGRAM], **environment)
    assert ended(child) == 0
    assert child.before.startswith(header)
    assert "ann   7\r\nZoë   1000\r\n" in child.before


GROUPS = ("users", "sessions", "clients", "hosts", "logins")
ALL_LISTS = f"""read go; stty cols $COLS; for group in {" ".join(GROUPS)}; do "$0" "$@" $group list; echo ----; done"""
COLOURS = re.compile("\x1b\\[[0-9]*m")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep something of each kind."""
    authenticator = Authenticator(accounts_at(tmp_path / "data", "ann", "bob"), queue=HashQueue(slots=1))
    for name in ("ann", "bob"):
        authenticator.log_in(name, PASSWORD, "2001:db8::1234:5678", with_token=True)
    clients = KnownClients(tmp_path / "data")
    clients.remember("192.0.2.7", "a-name-of-thirty-two-characters1")
    clients.close()
    KnownHosts(tmp_path / "state").trust("server.example", 9090, FINGERPRINT)
    login = Login.at("server.example", 9090, "chat", FINGERPRINT)
    TokenStore(tmp_path / "state").keep(login, token="secret", expires="2999-01-01T00:00:00Z", user="漢字の名前")
    monkeypatch.setenv("SOCKCTL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path / "state"))


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_listing_fits_its_terminal(terminal: Any, width: int, colour: bool) -> None:
    child = terminal(command=["sh", "-c", ALL_LISTS], COLS=str(width), NO_COLOR="" if colour else "1")
    child.sendline("")
    assert ended(child) == 0
    assert ("\x1b[1m" in child.before) is colour
    listings = COLOURS.sub("", child.before).split("----\r\n")
    assert len(listings) == len(GROUPS) + 1
    assert all(cell_len(line) <= width for line in "".join(listings).split("\r\n"))
    users, sessions, clients, hosts, logins = (one.strip("\r\n").split("\r\n") for one in listings[:-1])
    if width == 200:
        assert [len(one) for one in (users, sessions, clients, hosts, logins)] == [3, 3, 2, 2, 2]
    assert "a-name-of-thirty-two-characters1" in "".join(clients) or width == 40
    assert any("漢字の名前" in line for line in logins)
    assert any("server.example:9090" in line for line in hosts)
    for line in users + sessions:
        assert not re.search(r"\d{4}-\d\d-?$|\d\d:$", line), "a time folds between date and time only"
