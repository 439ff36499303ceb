"""The program's door: `--version` is answered before anything is imported."""

from __future__ import annotations

import gc
import sys

from smsby_deploy import __version__

# New containers between two looks for garbage in circles. By default it is 700: thousands of objects of a project, none
# of them garbage, would be looked through again and again (a third of the time of a long list in a campaign).
_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"smsby-deploy {__version__}\n")
        sys.exit(0)
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    from smsby_deploy.cli.main import run

    code = run(arguments)
    gc.freeze()  # the memory is given back in a moment: a last look through all of it would only take time
    sys.exit(code)


if __name__ == "__main__":
    main()
