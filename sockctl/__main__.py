"""The entry point: answer ``--version`` without loading the command line, else hand over to it."""

import sys


def main() -> int:
    """Run the command line.

    Returns:
        The exit code, see ``sockctl.cli.exit_codes``.
    """
    if sys.argv[1:] == ["--version"]:
        from sockctl import __version__  # noqa: PLC0415  every import here costs start-up time

        sys.stdout.write(f"sockctl {__version__}\n")
        return 0
    from sockctl.cli.app import run  # noqa: PLC0415  as above

    return run()


if __name__ == "__main__":
    sys.exit(main())
