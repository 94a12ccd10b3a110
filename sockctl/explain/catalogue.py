"""The topics, in the order in which they are best read."""

import importlib
from typing import Any

from sockctl.explain.topic import Topic

NAMES = ("handshake", "stream", "text", "close", "nagle", "loss")
"""Each topic's name is that of its module in `sockctl.explain.topics`, whose `TOPIC` it is."""


def load_topic(name: str) -> Topic[Any]:
    """Return the topic of that name, one of `NAMES`."""
    topic: Topic[Any] = importlib.import_module(f"sockctl.explain.topics.{name}").TOPIC
    return topic
