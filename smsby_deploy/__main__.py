"""The entry point; answers `--version` before anything else is imported."""

from __future__ import annotations

import sys
from contextlib import suppress

from smsby_deploy import TOOL
from smsby_deploy.gc_tuning import collect_seldom, end_quickly


def main() -> None:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"] and sys.stdout is not None:
        with suppress(OSError):  # the command line below reports it
            sys.stdout.write(f"{TOOL}\n")
            sys.stdout.flush()
            sys.exit(0)
    collect_seldom()
    import signal

    # SIGTERM ends a command like Ctrl-C: the lock is released, and the exit code is ours.
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from smsby_deploy.cli.main import run
    except ModuleNotFoundError as error:
        from smsby_deploy.errors import missing_package

        failure = missing_package(error)
        sys.exit(f"error: {failure.message}\nhint: {failure.hint}")

    code = run(arguments)
    end_quickly()
    sys.exit(code)


if __name__ == "__main__":
    main()
