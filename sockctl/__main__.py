"""The entry point: answer ``--version`` without loading the command line, else hand over to it."""

import gc
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
    gc.disable()  # what is loaded stays, and looking it through again and again is a tenth of the start; see `app`
    from sockctl.cli.app import run  # noqa: PLC0415  as above

    return run()


if __name__ == "__main__":
    sys.exit(main())
