"""Writes configuration files for tests."""

from pathlib import Path


def write_config(folder: Path, text: str) -> Path:
    """Write the configuration file in a folder, and return its path."""
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file
