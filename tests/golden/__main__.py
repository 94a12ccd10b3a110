"""Make all golden files anew: ``python -m tests.golden``. Look at what ``git diff`` shows then."""

import os
import sys

import pytest

from tests.support.screens import REMAKE


def main() -> int:
    """Run the tests that compare screens, and let them write the files."""
    os.environ[REMAKE] = "1"
    return int(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "golden", "tests"]))


if __name__ == "__main__":
    sys.exit(main())
