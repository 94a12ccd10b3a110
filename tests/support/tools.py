"""Tools that some tests need. Where one is missing the test says so; in CI it fails, so that none is skipped unseen."""

import os
import shutil
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have this: {reason}")
    pytest.skip(reason)


def tool(name: str, package: str) -> str:
    """Return the path of a command."""
    path = shutil.which(name)
    if path is None:
        unavailable(f"the command {name} is missing (Debian's package {package})")
    return path
