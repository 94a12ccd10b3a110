"""Compile the programs in C of this folder."""

import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent


def compile_program(name: str, folder: Path) -> str:
    """Compile ``NAME.c`` of this folder with gcc into `folder`, and return the program's path."""
    program = folder / name
    subprocess.run(["gcc", "-O2", "-pthread", "-o", program, SOURCES / f"{name}.c"], check=True)
    return str(program)
