"""The examples that end each command's `--help`."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """A click epilog of command lines, kept as they are written; a test parses every one of them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
