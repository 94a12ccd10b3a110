"""Standard input and output of the tests' own process."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def in_place_of(number: int, descriptor: int) -> Iterator[None]:
    """Put a descriptor in the place of the one with this number."""
    before = os.dup(number)
    os.dup2(descriptor, number)
    try:
        yield
    finally:
        os.dup2(before, number)
        os.close(before)
