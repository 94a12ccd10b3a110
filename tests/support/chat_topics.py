"""Sets topics, as ``/topic`` does."""

from collections.abc import Collection

from sockctl.services.chat.bans import Topic
from sockctl.services.chat.state import ChatState


def set_topic(state: ChatState, room: str, text: str, *, by: str, rooms: Collection[str] = ()) -> Topic | None:
    topic = state.make_topic(text, by=by)
    state.put_topic(room, topic, rooms=rooms)
    return topic
