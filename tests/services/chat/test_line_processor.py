"""What is said, and what is too long for that."""

from pathlib import Path

from sockctl.services.chat.settings import ChatRules
from tests.support.chat_client import members, served

RULES = ChatRules(flood=None)


def test_no_line_looks_like_somebody_elses(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, _), run.client() as carl:
        carl.sendall(b"carl\n")
        ann.until("joined", name="carl")
        ann.line("hi\n<bob> fake\r\n<bob> again\u2028<bob> and again")
        ann.line("\x1b[2J\u202egnp\x9b31m")
        received = b""
        while b"gnp" not in received:
            received += carl.recv(65_536)
        said = [line for line in received.decode().split("\r\n") if "fake" in line or "gnp" in line]
        assert said == ["<ann> hi <bob> fake <bob> again <bob> and again", "<ann> [2Jgnp31m"]


def test_text_keeps_every_letter(tmp_path: Path) -> None:
    text = 'Zoë 🦜 👩‍👩‍👧 ﷽ \t „tief“ \\ " <b>'
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line(text)
        assert bob.until("say")["text"] == text


def test_a_text_that_is_too_long(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("🦜" * 1024)
        ann.line("🦜" * 1024 + "x")
        ann.line("/msg bob " + "x" * 4097)
        ann.line("/msg bob " + "x" * 5000)
        bob.until("say", text="🦜" * 1024)
        texts = [ann.until("error", code="too_long")["text"] for _ in range(3)]
        assert texts == [
            "Your text has 1,025 characters (4,097 bytes): 4,096 bytes fit, which is about 1,024 of such characters. "
            "It was not said.",
            "Your text has 4,097 characters: 4,096 fit. It was not said.",
            "Your command has 5,009 characters: 4,224 fit. It was not carried out.",
        ]
        bob.nothing_but()


def test_a_refused_line_is_named_by_its_number(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.send(kind="line", text="x" * 5000, n=1)
        ann.send(kind="line", text="/nosuch", n=2)
        ann.send(kind="line", text="/msg nobody x", n=3)
        ann.send(kind="line", text="/msg bob", n=-4)
        ann.send(kind="line", text="/nosuch", n="5")
        ann.send(kind="line", text="/nosuch", n=True)
        ann.send(kind="line", text="/nosuch", n=10**30)
        ann.send(kind="line", text="/nosuch")
        errors = [ann.until("error") for _ in range(8)]
        ann.line("/leave")
        ann.until("left")
        ann.send(kind="line", text="one", n=6)
        ann.send(kind="line", text="two")
        errors += [ann.until("error") for _ in range(2)]
        codes = [(one["code"], one.get("n")) for one in errors]
        assert codes[:8] == [
            ("too_long", 1),
            ("unknown_command", 2),
            ("bad_command", 3),
            ("bad_command", -4),
            *[("unknown_command", None)] * 4,
        ]
        assert sorted(codes[8:], key=str) == [("bad_command", 6), ("bad_command", None)]
        bob.nothing_but("left")


def test_what_is_said_as_it_is(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        for line in ("hello", "", "  two  spaces ", " ", " /join x", "//x /y", "//", "/etc/hosts", "/ hello", "/me/ x"):
            ann.line(line)
        texts = [bob.until("say")["text"] for _ in range(8)]
        assert texts == ["hello", "  two  spaces ", " /join x", "/x /y", "/", "/etc/hosts", "/ hello", "/me/ x"]
