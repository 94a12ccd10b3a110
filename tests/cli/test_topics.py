"""The topic pages as they are read."""

import pytest
import typer

from sockctl.cli.topic_lists import MAKERS
from sockctl.cli.topics import PAGES, list_topics, read_topic


def test_each_page_is_a_topic_with_its_title() -> None:
    topics = list_topics()
    assert set(topics) == {page.stem for page in PAGES.glob("*.md")}
    for topic, title in topics.items():
        assert title
        assert read_topic(topic).startswith(f"# {title}\n")


def test_a_mark_becomes_its_list() -> None:
    marked = [topic for topic in list_topics() if "{{" in (PAGES / f"{topic}.md").read_text(encoding="utf-8")]
    assert marked
    for topic in marked:
        page = read_topic(topic)
        assert "{{" not in page
        assert any(make() in page for make in MAKERS.values())


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("event", "There is no topic 'event'. Did you mean events?"),
        ("Events", "There is no topic 'Events'. Did you mean events?"),
        ("users", "There is no topic 'users', but a command: 'sockctl users --help' explains it."),
        ("CLOSE", "There is no topic 'CLOSE', but one to see live: 'sockctl explain close'."),
        ("handshak", "There is no topic 'handshak'. Did you mean 'sockctl explain handshake'?"),
        ("../README", "There is no topic '../README'. 'sockctl help' lists the topics."),
        ("", "There is no topic ''. 'sockctl help' lists the topics."),
    ],
)
def test_a_topic_that_there_is_not(topic: str, says: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_topic(topic)
    assert caught.value.message == says
