"""Tests for `shared_pages`: which pages the servers of a chat know of each other."""

import datetime
from collections.abc import Sequence

import pytest

from sockctl.cluster.entry import Entry
from sockctl.cluster.posting import Posting
from sockctl.protocol.http_rules import Origin
from sockctl.services.chat.shared_pages import KEPT_S, MOST, SharedPages

ONE, TWO = (Origin("http", f"{name}.example", 9080) for name in ("one", "two"))


class Chat:
    """What the servers of a chat share: a log and a state; and the time."""

    def __init__(self) -> None:
        self.now = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
        self.posted: list[Posting] = []
        self.state: dict[str, bytes] = {}

    def make(self, own: Origin | None) -> SharedPages:
        pages = SharedPages(own, clock=lambda: self.now)
        pages.restore(self.state)
        return pages

    def post(self, one: Posting) -> bool:
        self.posted.append(one)
        if one.value is None:
            self.state.pop(one.field, None)
        else:
            self.state[one.field] = one.value
        return True

    def pass_on(self, pages: Sequence[SharedPages]) -> None:
        """Let servers read what was posted."""
        for one in self.posted:
            for each in pages:
                assert each.hear(Entry(1, one.kind, "node", 0, "", one.data, 1))
        self.posted.clear()


def test_each_server_tells_its_page_when_that_is_due() -> None:
    chat = Chat()
    one, two, silent = chat.make(ONE), chat.make(TWO), chat.make(None)
    for each in (one, two, silent):
        each.tell(chat.post, is_due=False)
        each.tell(chat.post, is_due=False)
    assert len(chat.posted) == 2
    chat.pass_on([one, two, silent])
    assert one.list_all() == two.list_all() == silent.list_all() == {ONE, TWO}
    one.tell(chat.post, is_due=True)
    assert len(chat.posted) == 1


def test_a_server_that_has_died_is_known_for_a_day_also_to_new_ones() -> None:
    chat = Chat()
    chat.make(ONE).tell(chat.post, is_due=True)
    chat.now += datetime.timedelta(seconds=KEPT_S - 60)
    two = chat.make(TWO)
    assert two.list_all() == {ONE, TWO}
    chat.now += datetime.timedelta(seconds=120)
    assert two.list_all() == {TWO}
    two.tell(chat.post, is_due=True)
    assert list(chat.state) == [f"page:{TWO}"]
    chat.pass_on([two])
    assert two.list_all() == {TWO}


@pytest.mark.parametrize(
    "page",
    [
        b'"evil.example"',
        b'"javascript:alert(1)"',
        b'"http://a.example; script-src *"',
        b'"http://a.example/<script>"',
        b'"http://a\\r\\nX: b"',
        b"3",
        b"null",
    ],
)
def test_what_is_no_address_is_passed_over(page: bytes) -> None:
    data = b'{"do":"page","page":' + page + b',"at":"2026-11-29T12:00:00Z"}'
    pages = SharedPages(ONE)
    pages.restore({"page:x": data, "page:y": b"[]", "page:z": b"\xff", "topic:#a": b"{}"})
    assert pages.list_all() == {ONE}


def test_other_acts_are_left_to_others() -> None:
    assert not SharedPages().hear(Entry(1, "act", "node", 0, "", b'{"do":"topic"}', 1))
    assert not SharedPages().hear(Entry(1, "say", "node", 0, "", b"", 1))


def test_the_pages_are_bounded() -> None:
    chat = Chat()
    for number in range(MOST + 10):
        chat.make(Origin("http", f"n{number}.example", 80)).tell(chat.post, is_due=True)
        chat.now += datetime.timedelta(seconds=1)
    found = chat.make(None).list_all()
    assert len(found) == MOST
    assert Origin("http", f"n{MOST + 9}.example", 80) in found
