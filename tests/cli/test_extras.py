"""Libraries that only some commands need."""

import pytest

from sockctl.cli.extras import needing
from sockctl.errors import LibraryMissingError


def test_a_missing_library_is_explained_by_its_own_name() -> None:
    with (
        pytest.raises(
            LibraryMissingError, match=r"^ws:// needs the library h11, .* pip install 'sockctl\[web\]' brings it\.$"
        ),
        needing("web", "ws://"),
    ):
        raise ModuleNotFoundError("no", name="h11.part")


@pytest.mark.parametrize("name", [None, "sockctl.net.missing", "h111", "redis"])
def test_another_failure_of_an_import_stays_as_it_is(name: str | None) -> None:
    with pytest.raises(ImportError), needing("web", "ws://"):
        raise ImportError("no", name=name)
