"""What commands cost: those that reach many or are answered at length are held back sooner."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.events.journal import Journal
from sockctl.net.limits import Limits
from sockctl.protocol.messages import make_message
from sockctl.services.chat.commands import PAGE_LINES
from sockctl.services.chat.costs import ANSWERED, REACHED, WORK_S, Costs
from sockctl.services.chat.history import SHOWN
from sockctl.services.chat.member import FloodLimit, Member
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.stores.timestamps import read_utc_clock
from tests.support.budgets import NO_WORK
from tests.support.chat_client import chat_of, client, members
from tests.support.chat_room import Played
from tests.support.frames import framed
from tests.support.running import MemorySink, receive_all, running

AT = "2026-01-31T12:00:00Z"
MOST = 10
SAID = 60


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    """Give a chat with a small room, a crowded one, and an empty one in which something was said."""
    chat = Chat(tmp_path, ChatRules(), limits=ChatLimits(told_singly=MOST))
    for name, count in (("#small", 5), ("#crowded", 20)):
        room = chat.rooms.open(name)
        for number in range(count):
            room.join(Played(f"{name[1:]}{number}"), new=True, after=-1)
        room.process_pending()
    chat.rooms.open("#said").say(Played("ann"), ["hello"] * SAID, AT)
    journal = Journal(MemorySink(), service="chat")
    chat.start(journal)
    yield chat
    chat.stop()
    journal.close()


@pytest.mark.parametrize(
    ("line", "cost"),
    [
        ("hello", 1),
        ("//join small", 1),
        ("/nick other", 1 + 5 / REACHED),
        ("/join small", 1 + 5 / REACHED + SHOWN / ANSWERED),
        ("/j CROWDED", 1 + SHOWN / ANSWERED),
        ("/join", 1),
        ("/leave", 1 + 5 / REACHED),
        ("/leave crowded", 1),
        ("/leave ..", 1),
        ("/topic", 1),
        ("/topic Tea", 1 + 5 / REACHED),
        ("/who", 1 + 5 / 100 + 5 / 1_000),
        ("/who crowded 7", 1 + 20 / 100 + 20 / 1_000),
        ("/whois ann", 1),
        ("/history", 1),
        ("/rooms", 1 + PAGE_LINES / ANSWERED),
        ("/help", 1 + PAGE_LINES / ANSWERED),
        ("/me waves", 1),
        ("/nonsense", 1),
        ("/", 1),
    ],
)
def test_each_costs_what_it_reaches_or_is_answered(chat: Chat, line: str, cost: float) -> None:
    member = Member("ann", since=read_utc_clock())
    chatter = Played("ann", member=member)
    chat.members.join(member, "#crowded")
    chat.members.join(member, "#small")
    chatter.room = "#small"
    costs = Costs(chat.members, chat.rooms)
    assert costs.count(chatter, make_message("line", line)) == pytest.approx(cost)
    assert costs.count(chatter, make_message("other", line)) == 1
    assert costs.count(chatter, make_message("block", line, lines=[line] * 30)) == 11 + 30 * len(line) / 4_096
    assert costs.count(chatter, make_message("typing", line)) == 0
    member.operator = True
    assert costs.count(chatter, make_message("line", line)) == 1
    assert costs.count(chatter, make_message("block", line, lines=[line] * 30)) == 1


@pytest.mark.parametrize(
    ("lines", "beyond"),
    [
        (["hello"], 5 / REACHED),
        (["hello", "//there", "/me waves"], 5 / REACHED),  # one piece for each member
        (["/topic Tea"], 5 / REACHED),
        (["/topic Tea", "hello"], 10 / REACHED),
        (["/who"], 5 / 100 + 5 / 1_000),
        (["/quiet"], 0),
        ([], 0),
    ],
)
def test_the_work_is_that_of_what_is_told(chat: Chat, lines: list[str], beyond: float) -> None:
    chatter = Played("ann", member=Member("ann", since=read_utc_clock()))
    chatter.room = "#small"
    costs = Costs(chat.members, chat.rooms)
    batch = [make_message("line", line) for line in lines]
    assert costs.estimate_work_s(chatter, batch) == pytest.approx(beyond * WORK_S)
    assert costs.estimate_work_s(chatter, [make_message("other", "hello"), make_message("typing")]) == 0
    assert costs.estimate_work_s(chatter, [make_message("block", lines=["a", "b"])]) == 5 / REACHED * WORK_S
    chatter.member.operator = True
    assert costs.estimate_work_s(chatter, batch) == 0


def test_a_member_is_charged_for_what_others_are_told(tmp_path: Path) -> None:
    chat, limits = Chat(tmp_path, ChatRules(flood=(1000, 1000))), Limits(member_input=NO_WORK)
    with running(chat, limits) as run, members(run, "ann", "bob") as (ann, _):
        ann.sock.sendall(framed(kind="line", text="/topic Tea") * 40)  # 2.4 ms of work for two members
        run.sink.wait_for("input_throttled")


@pytest.mark.parametrize(("count", "told"), [("", SHOWN), (" 30", 30), (" 1000", SAID), (" x", 0)])
def test_a_history_costs_what_is_told_of_it(chat: Chat, count: str, told: int) -> None:
    chatter = Played("ann")
    chatter.room = "#said"
    costs = Costs(chat.members, chat.rooms)
    assert costs.count(chatter, make_message("line", f"/history{count}")) == pytest.approx(1 + told / ANSWERED)


def test_what_costs_more_than_the_burst_passes_once_and_is_paid_for() -> None:
    limit = FloodLimit(5, 0.001)
    assert limit.allow(50)
    assert not limit.allow()
    limit = FloodLimit(5, 0.001)
    assert limit.allow()
    assert not limit.allow(50), "it waits until the member has rested"


def test_who_asks_for_much_is_held_back_sooner(tmp_path: Path) -> None:
    rules = ChatRules(flood=(SHOWN, 0.01))
    with running(Chat(tmp_path, rules)) as run, members(run, "ann") as (ann,), client(run) as bob:
        ann.sock.sendall(framed(kind="line", text="hello") * SHOWN)
        for _ in range(SHOWN):
            ann.until("say")
        bob.enter("bob").ready()
        bob.sock.sendall(framed(kind="line", text="/history") * SHOWN)
        told = 0
        while (one := bob.receive()) is not None and one["kind"] != "notice":
            told += one["kind"] == "history" and one.get("again", False)
        assert one is not None
        assert one["code"] == "held_back"
        assert told == SHOWN // 2 * SHOWN, "each costs a message, and one for what is told"


# The list of the rooms.


def test_rooms_are_listed_by_pages(tmp_path: Path) -> None:
    count = 2 * PAGE_LINES + 10
    with running(Chat(tmp_path, ChatRules(flood=None))) as run, members(run, "ann") as (ann,), run.client() as bob:
        chat = chat_of(run)
        for number in range(count - 1):
            chat.rooms.open(f"#room{number}")
        names: list[str] = []
        for page in (1, 2, 3):
            ann.line(f"/rooms {page}")
            names += [ann.expect("notice", code="room")["room"] for _ in range(min(PAGE_LINES, count - len(names)))]
            if page < 3:
                ann.expect(
                    "notice",
                    code="rooms",
                    page=page,
                    pages=3,
                    text=f"That is page {page} of 3: /rooms {page + 1} goes on.",
                )
        assert names == [room.name for room in chat.rooms.list_all()]
        ann.line("/rooms 4")
        assert ann.expect("error", code="bad_command")["text"] == "There are 3 pages of rooms."
        ann.line("/rooms x")
        assert "is no number of pages" in ann.expect("error", code="bad_command")["text"]
        bob.sendall(b"bob\n/rooms\n/quit\n")
        lines = receive_all(bob).decode().split("\r\n")
        assert "#room7: 0 members" in lines
        assert "That is page 1 of 3: /rooms 2 goes on." in lines


def test_a_room_is_listed_as_before_until_it_changes(tmp_path: Path) -> None:
    with running(Chat(tmp_path, ChatRules(flood=None))) as run, members(run, "ann") as (ann,), client(run) as bob:
        chat = chat_of(run)
        lobby = chat.rooms.open("#lobby")
        assert lobby.info.encode_listing() is lobby.info.encode_listing()
        bob.enter("bob").ready()
        ann.line("/topic Tea")
        ann.until("notice", code="topic")
        ann.line("/rooms")
        ann.until("notice", code="room", count=2, topic="Tea", text="#lobby: 2 members, Tea")
