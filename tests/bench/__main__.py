"""python -m tests.bench [NAME…] [--runs N] [--rows N] [--json FILE]: print the figures as a table, or write JSON."""

from __future__ import annotations

import argparse
import compileall
import importlib
import sys
from pathlib import Path

from tests.bench.measure import REPOSITORY, describe_machine, table, to_json

_NAMES = ("start", "yaml", "journal", "plan", "apply", "distance", "growth", "years", "pressure")


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure commands against a floor."
    )
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(_NAMES)}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    compileall.compile_dir(str(REPOSITORY / "smsby_deploy"), quiet=1)
    machine = describe_machine()
    sys.stdout.write(f"{machine}\n")
    figures = []
    for name in options.names or _NAMES:
        module = importlib.import_module(f"tests.bench.bench_{name}")
        new = module.measure(options.runs, options.rows)
        figures.extend(new)
        for figure in new:
            sys.stderr.write(f"{figure.what}: {figure.rated:.2f}\n")
    sys.stdout.write(table(figures) + "\n")
    if options.json:
        options.json.write_text(to_json(figures, machine) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
