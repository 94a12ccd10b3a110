"""The keys that go to another room: Alt with a digit, or with an arrow."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sockctl.client.chat.window import DIGITS

if TYPE_CHECKING:
    from sockctl.client.chat.window import ChatWindow


def bind_rooms(window: "ChatWindow", go: Callable[[str | None], None]) -> dict[str, Callable[[], None]]:
    """Return what keys do, by prompt_toolkit's names of the keys.

    Args:
        window: The window on the chat.
        go: Goes to a room; None for no room.
    """

    def pick(number: int) -> None:
        go(window.pick(number))

    def step(by: int) -> None:
        go(window.step(by))

    digits = {f"escape {number}": partial(pick, number) for number in range(1, DIGITS + 1)}
    return {**digits, "escape left": partial(step, -1), "escape right": partial(step, 1)}
