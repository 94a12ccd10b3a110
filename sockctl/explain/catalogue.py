"""The topics, in the order in which they are best read."""

import importlib
from typing import Any

from sockctl.explain.topic import Topic

_QUESTIONS: dict[str, tuple[int, ...]] = {
    "sockets": (1,),
    "handshake": (7,),
    "blocking": (3, 4),
    "stream": (2, 5),
    "text": (2,),
    "close": (),
    "backlog": (6,),
    "nagle": (),
    "buffers": (3,),
    "loss": (5,),
    "calls": (1, 6),
    "c10k": (4,),
}
"""For each topic the lab's questions that it answers, by their numbers on the page ``sockctl help questions``."""
NAMES = tuple(_QUESTIONS)
"""Each topic's name is that of its module in `sockctl.explain.topics`, whose `TOPIC` it is."""


def find_topics(question: int) -> list[str]:
    """Return the names of the topics that answer one of the lab's questions."""
    return [name for name, questions in _QUESTIONS.items() if question in questions]


def load_topic(name: str) -> Topic[Any]:
    """Return the topic of that name, one of `NAMES`."""
    topic: Topic[Any] = importlib.import_module(f"sockctl.explain.topics.{name}").TOPIC
    return topic
