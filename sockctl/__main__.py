"""The entry point: answer ``--version`` without loading the command line, else hand over to it."""

import gc
import sys


def main() -> int:
    """Run the command line.

    Returns:
        The exit code, see ``sockctl.cli.exit_codes``.
    """
    if sys.argv[1:] in (["--version"], ["-V"]) and sys.stdout is not None:
        from sockctl import __version__  # noqa: PLC0415  every import here costs start-up time

        try:
            print(f"sockctl {__version__}", flush=True)
        except OSError:
            pass  # the command line tries again, and tells what is wrong
        else:
            return 0
    from signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal  # noqa: PLC0415  as above

    if getsignal(SIGINT) is default_int_handler:  # until a command runs, and behind it, Ctrl-C shows no traceback
        signal(SIGINT, SIG_DFL)
    gc.disable()  # what is loaded stays, and looking it through again and again is a tenth of the start; see `app`
    from sockctl.cli.app import run  # noqa: PLC0415  as above

    return run()


if __name__ == "__main__":
    sys.exit(main())
