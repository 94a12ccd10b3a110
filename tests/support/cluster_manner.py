"""How a member of the cluster's tests behaves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a member behaves.

    Attributes:
        every_s: How often it says something.
        patience_s: How long it waits for its own words, or to be let in, before it goes on at the next node.
        hops_every_s: How often it moves to another node without need, after it has heard all its words; 0 for never.
        shows_blocks: Whether it hears a block as one message.
        comes_back: Whether it goes on when the connection over which it was let in has ended.
        acts_every_s: How often it does something else than talking, as `Acts` says, while it may move; 0 for never.
    """

    every_s: float = 0.1
    patience_s: float = 2.0
    hops_every_s: float = 0.0
    shows_blocks: bool = True
    comes_back: bool = True
    acts_every_s: float = 0.0
