"""The lines with which a pipe logs in."""

import pytest

from sockctl.client.login_lines import LoginLines
from sockctl.errors import OptionError


def needed(*lines: str, piped: bool = True, resumed_as: str = "", named: str = "", users: tuple[str, ...] = ()) -> str:
    one = LoginLines(piped=piped)
    return " ".join(
        line for line in lines if one.needs(line, resumed_as=resumed_as, named=named, users=[resumed_as, *users])
    )


def test_which_lines_are_said() -> None:
    assert needed("ann", "secret", "hello") == "ann secret hello", "they answer questions"
    assert needed("Ann ", "secret", "hello", resumed_as="ann") == "hello"
    assert needed("ann", "secret", "hello", named="ann") == "secret hello", "the name is given already"
    assert needed("hello", "ann", "secret", resumed_as="ann") == "hello ann secret"
    assert needed("ann", "secret", piped=False, resumed_as="ann") == "ann secret"


def test_lines_are_counted_over_all_connections() -> None:
    one = LoginLines(piped=True)
    says = [one.needs(line, resumed_as="ann", named="", users=["ann"]) for line in ("hello", "ann", "dear")]
    assert says == [True, True, True]


def test_another_users_name_is_never_said() -> None:
    with pytest.raises(OptionError, match="Add --user bob"):
        needed("bob", "secret", resumed_as="ann", users=("bob",))
    assert needed("bob", "hello", resumed_as="ann") == "bob hello", "nothing says that this is a user"
