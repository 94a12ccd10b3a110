"""Tests for `sockctl.client.tty.above_prompt`; output above a prompt stands in `test_line_editor`."""

import contextlib
import sys

from sockctl.client.tty.above_prompt import above_prompt


def test_standard_output_comes_back_even_after_an_error() -> None:
    before = sys.stdout, sys.stderr
    with contextlib.suppress(KeyboardInterrupt), above_prompt():
        assert sys.stdout is sys.stderr is not before[0]
        raise KeyboardInterrupt
    assert (sys.stdout, sys.stderr) == before
