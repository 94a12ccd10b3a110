"""Libraries that only some commands need."""

import pytest

from sockctl.cli.extras import needing
from sockctl.errors import LibraryMissingError


def test_a_missing_library_is_explained_by_its_own_name() -> None:
    with pytest.raises(LibraryMissingError, match=r"^no lib$"), needing({"lib"}, explain):
        raise ModuleNotFoundError("no", name="lib.part")


@pytest.mark.parametrize("name", [None, "sockctl.net.missing", "library"])
def test_another_failure_of_an_import_stays_as_it_is(name: str | None) -> None:
    with pytest.raises(ImportError), needing({"lib"}, explain):
        raise ImportError("no", name=name)


def explain(library: str) -> LibraryMissingError:
    return LibraryMissingError(f"no {library}")
