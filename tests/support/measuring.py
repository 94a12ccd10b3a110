"""Lets coverage measure the processes under test at a fifth of the cost, and the collection of tests at half.

By the project's own configuration, each process would walk through the source and name the modules that did not run.
The test worker names those once for all, so its processes get a configuration that lists what to measure instead.
"""

import contextlib
import os
import pkgutil
from collections.abc import Iterator
from importlib import import_module
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


@contextlib.contextmanager
def unmeasured_collection() -> Iterator[None]:
    """Import all of sockctl, and measure nothing more until the tests are collected."""
    if coverage.Coverage.current() is not None:
        for module in pkgutil.walk_packages(sockctl.__path__, "sockctl."):
            if module.name != "sockctl.__main__":
                import_module(module.name)
    paused = []  # a test worker is measured twice: as a process, and by pytest-cov
    while (measuring := coverage.Coverage.current()) is not None:
        measuring.stop()
        paused.append(measuring)
    try:
        yield
    finally:
        for measuring in reversed(paused):
            measuring.start()


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
