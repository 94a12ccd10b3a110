"""Lets coverage measure the processes under test at a fifth of the cost, and the collection of tests at half.

By the project's own configuration, each process would walk through the source and name the modules that did not run.
The test worker names those once for all, so its processes get a configuration that lists what to measure instead.
They write what they measured into a folder of the worker's: a process that is killed as it writes leaves a file there
that can't be read.
"""

import contextlib
import os
import pkgutil
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import coverage
import pytest
from coverage.exceptions import CoverageException

import sockctl


@contextlib.contextmanager
def measured_processes(folder: Path) -> Iterator[None]:
    """Give processes a short configuration in `folder`, if this process is measured, too."""
    measuring = coverage.Coverage.current()
    if measuring is None or "COVERAGE_PROCESS_CONFIG" not in os.environ:
        yield
        return
    data_file = Path(str(measuring.get_option("run:data_file"))).absolute()
    configuration = folder / "coverage.ini"
    configuration.write_text(_configuration(measuring, folder / data_file.name))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG")
        patch.setenv("COVERAGE_PROCESS_START", str(configuration))
        yield
    move_readable(folder, data_file)


def move_readable(folder: Path, data_file: Path) -> None:
    """Move the files of measured processes from `folder` to where coverage combines them into `data_file`."""
    for path in folder.glob(f"{data_file.name}.*"):
        measured = coverage.CoverageData(path)
        with contextlib.suppress(CoverageException):  # its process was killed as it wrote
            measured.read()
            measured.close()
            shutil.move(path, data_file.parent)


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


def _configuration(measuring: coverage.Coverage, data_file: Path) -> str:
    lines = [
        "[run]",
        f"data_file = {data_file}",
        "parallel = true",
        f"branch = {measuring.get_option('run:branch')}",
        f"include = {Path(sockctl.__file__).resolve().parent}/*",
    ]
    return "".join(line + "\n" for line in lines)
