"""The login of a service, for tests that don't wait for it."""

from pathlib import Path

from sockctl.accounts.hash_queue import HashQueue
from sockctl.services.login import LoginConversation


def make_login(data_dir: Path, *, signup: bool = False) -> LoginConversation:
    return LoginConversation(data_dir, signup=signup, queue=HashQueue(slots=2), floor_s=0.001)
