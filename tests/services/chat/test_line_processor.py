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
        bob.until("say", text="🦜" * 1024)
        ann.until("error", code="too_long")
        ann.until("error", code="bad_command")
        bob.nothing_but()


def test_what_is_said_as_it_is(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        for line in ("hello", "", "  two  spaces ", " ", " /join x", "//x /y", "//"):
            ann.line(line)
        texts = [bob.until("say")["text"] for _ in range(5)]
        assert texts == ["hello", "  two  spaces ", " /join x", "/x /y", "/"]
