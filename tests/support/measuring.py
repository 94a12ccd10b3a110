"""Lets coverage measure the processes under test at a fifth of the cost.

By the project's own configuration, each process would walk through the source and name the modules that did not run.
The test worker names those once for all, so its processes get a configuration that lists what to measure instead.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

import sockctl


@contextlib.contextmanager
def measured_processes(folder: Path) -> Iterator[None]:
    """Give processes a short configuration in `folder`, if this process is measured, too."""
    measuring = coverage.Coverage.current()
    with pytest.MonkeyPatch.context() as patch:
        if measuring is not None and "COVERAGE_PROCESS_CONFIG" in os.environ:
            configuration = folder / "coverage.ini"
            configuration.write_text(_configuration(measuring))
            patch.delenv("COVERAGE_PROCESS_CONFIG")
            patch.setenv("COVERAGE_PROCESS_START", str(configuration))
        yield


def _configuration(measuring: coverage.Coverage) -> str:
    data_file = Path(str(measuring.get_option("run:data_file"))).absolute()
    lines = [
        "[run]",
        f"data_file = {data_file}",
        "parallel = true",
        f"branch = {measuring.get_option('run:branch')}",
        f"include = {Path(sockctl.__file__).resolve().parent}/*",
    ]
    return "".join(line + "\n" for line in lines)
