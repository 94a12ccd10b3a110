"""``sockctl explain`` as users start it: in a pipe, on a terminal, as another user, and where the lab is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.explain.catalogue import NAMES, load_topic
from tests.support.processes import SOCKCTL
from tests.support.running import sockctl
from tests.support.terminal import ended
from tests.support.tools import tool, unavailable

REFUSED = "echo 0 > /proc/sys/user/max_user_namespaces"
"""A shell's line that lets the system refuse further user namespaces, inside one that is the test's own."""
NO_DEVICE = "mount --bind /dev/null /dev/net/tun"
KEYS = ["topic", "question", "expected", "network", "unseen", "seconds", "measured", "conclusions", "try"]


def explain_as_json(*arguments: str, **options: Any) -> Any:
    done = sockctl("explain", *arguments, "--json", **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


def test_the_topics_are_listed_with_their_questions() -> None:
    done = sockctl("explain")
    lines = done.stdout.decode().splitlines()
    assert lines[1:] == [f"{name}\t{load_topic(name).question}" for name in NAMES]
    assert [entry["topic"] for entry in explain_as_json()] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_topic_ends_in_time_and_says_what_it_measured(name: str) -> None:
    fields = explain_as_json(name)
    if fields["unseen"]:
        unavailable(fields["unseen"])
    assert list(fields) == KEYS
    assert fields["topic"] == name
    assert fields["seconds"] <= 10
    assert fields["measured"]
    assert len(fields["conclusions"]) == 2
    assert fields["network"] == ("packet lab" if load_topic(name).unseen else "loopback")


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_short_and_its_topic_has_all_parts(name: str) -> None:
    topic = load_topic(name)
    file = sys.modules[topic.draw.__module__].__file__
    assert file
    assert len(Path(file).read_text().splitlines()) <= 150
    assert topic.question.endswith("?")
    assert topic.guess.endswith("?")
    assert not topic.attempt.endswith(".")


def test_the_topic_loss_drops_the_share_that_is_asked_for() -> None:
    fields = explain_as_json("loss", "--drop", "5")
    assert fields["measured"]["drop"] == (0.05 if fields["network"] == "packet lab" else 0)


def test_a_topic_is_found_whatever_its_case() -> None:
    assert explain_as_json("TEXT")["topic"] == "text"


def test_a_pipe_gets_plain_text_and_loads_no_rich() -> None:
    script = (
        "import sys; sys.argv = ['sockctl', 'explain', 'text']\n"
        "from sockctl.cli.app import run\n"
        "code = run()\n"
        "assert 'rich' not in sys.modules, 'rich is loaded'\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert done.stdout.decode().startswith(f"text: {load_topic('text').question}\n\n")
    assert "\nTry it: " in done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nagel"], "There is no topic 'nagel'. Did you mean nagle?"),
        (["xyzzy"], "'sockctl explain' lists the topics."),
        (["TLS"], "There is no topic 'tls' to see live, but a page: 'sockctl help tls'."),
        (["nagle", "--all"], "TOPIC and --all exclude each other."),
        (["--slow"], "Say which topic"),
        (["text", "--slow", "--json"], "--json and --slow exclude each other."),
        (["text", "--guess"], "standard input is none"),
        (["--drop", "30%"], "Say which topic"),
        (["nagle", "--drop", "30%"], "--drop is for the topic 'loss': the topic 'nagle' has no link"),
        (["loss", "--drop", "51%"], "'51%' is no share of packets from 1% to 50%"),
        (["loss", "--drop", "0"], "'0' is no share of packets"),
        (["loss", "--drop", "half"], "'half' is no share of packets"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(arguments: list[str], says: str) -> None:
    done = sockctl("explain", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert says in " ".join(done.stderr.decode().split())


def in_namespaces(*words: str, setup: str) -> "subprocess.CompletedProcess[str]":
    """Run sockctl in user and mount namespaces of its own, which `setup` has prepared."""
    unshare = tool("unshare", "util-linux")
    script = f'{setup} && exec "$@"'
    command = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *SOCKCTL, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode and "sockctl" not in done.stderr:
        unavailable(f"a part of the test's own is refused here: {done.stderr.strip()}")
    return done


@pytest.mark.parametrize(
    ("setup", "step"),
    [(REFUSED, "unshare: user.max_user_namespaces is reached"), (NO_DEVICE, "the TUN device: Inappropriate")],
)
def test_where_the_lab_is_refused_a_topic_says_what_is_missing(setup: str, step: str) -> None:
    done = in_namespaces("explain", "handshake", "--color", "never", setup=setup)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Without the packet lab ({step}" in done.stdout
    assert "the packets of the handshake can't be seen: this is loopback." in done.stdout
    assert re.search(r"^  connect\(\) +[\d.]+ .?s  ESTAB   ESTAB$", done.stdout, re.MULTILINE)
    assert "SYN" not in done.stdout


def test_the_list_tells_a_person_how_to_go_on(terminal: Any) -> None:
    child = terminal("explain", NO_COLOR="1")
    child.expect("c10k .*Each is shown by 'sockctl explain TOPIC', such as 'sockctl explain sockets'.")
    assert ended(child) == 0
    assert b"Each is shown" not in sockctl("explain").stderr


def test_a_guess_is_asked_before_the_run_and_shown_behind_it(terminal: Any) -> None:
    child = terminal("explain", "text", "--guess", NO_COLOR="1")
    child.expect_exact("Your guess: ")
    assert load_topic("text").question in child.before
    assert "Received by" not in child.before
    child.sendline("eleven\x07")
    child.expect_exact("Received by")
    child.expect_exact("Your guess: eleven␇\r\n")
    assert ended(child) == 0


def test_ctrl_d_gives_no_guess_and_ends_its_line(terminal: Any) -> None:
    child = terminal("explain", "text", "--guess", NO_COLOR="1")
    child.expect_exact("Your guess: ")
    child.send("\x04")
    child.expect("\\A\r\n")
    assert ended(child) == 0
    assert "Your guess" not in child.before


def test_a_projector_gets_a_line_for_each_enter(terminal: Any) -> None:
    child = terminal("explain", "text", "--slow", NO_COLOR="1")
    child.expect_exact(load_topic("text").question)
    pieces = 0
    while True:
        child.sendline("")
        if child.expect_exact(["Try it: ", "\x1b[A\x1b[K"]) == 0:
            break
        pieces += 1
    assert pieces >= 8
    assert ended(child) == 0


@pytest.mark.parametrize("typed", ["", "abc\x04"])
def test_ctrl_d_ends_the_pausing_and_erases_nothing(terminal: Any, typed: str) -> None:
    child = terminal("explain", "text", "--slow", NO_COLOR="1")
    child.expect_exact("Ctrl-D shows all that is left.")
    child.sendline("")
    child.expect("\x1b\\[A\x1b\\[K[^\r]+\r\n")  # what is typed before the line would be shown in front of it
    child.send(f"{typed}\x04")
    child.expect_exact("Try it: ")
    assert "\x1b" not in child.before
    assert not typed or "abc\r\n" in child.before
    assert ended(child) == 0


@pytest.mark.parametrize("option", ["--guess", "--slow", "--all"])
def test_ctrl_c_ends_the_line(terminal: Any, option: str) -> None:
    child = terminal("explain", *([] if option == "--all" else ["text"]), option, NO_COLOR="1")
    child.expect_exact({"--guess": "Your guess: ", "--slow": "all that is left.", "--all": "\r\n"}[option])
    child.sendintr()
    child.expect_exact("^C\r\n")
    assert ended(child) == ExitCode.INTERRUPTED


def test_json_may_hold_a_guess(terminal: Any) -> None:
    child = terminal("explain", "text", "--guess", "--json")
    child.sendline("20")
    child.expect_exact('"expected": "20"')
    child.expect(pexpect.EOF)
