"""python -m tests.bench [NAME…] [--runs N] [--rows N] [--json FILE]: the figures as a table, and as JSON."""

from __future__ import annotations

import argparse
import compileall
import importlib
import sys
from pathlib import Path

from tests.bench.measure import REPOSITORY, describe_machine, table, to_json

_NAMES = ("start", "yaml", "journal", "plan", "apply")


def main() -> None:
    """Measure what is named, all of it if nothing is."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Figures, floors and ratios.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(_NAMES)}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    compileall.compile_dir(str(REPOSITORY / "smsby_deploy"), quiet=1)
    machine = describe_machine()
    sys.stdout.write(f"{machine}\n")
    figures = []
    for name in asked.names or _NAMES:
        module = importlib.import_module(f"tests.bench.bench_{name}")
        new = module.measure(asked.runs, asked.rows)
        figures.extend(new)
        for figure in new:
            sys.stderr.write(f"{figure.what}: {figure.judged:.2f}\n")
    sys.stdout.write(table(figures) + "\n")
    if asked.json:
        asked.json.write_text(to_json(figures, machine) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
