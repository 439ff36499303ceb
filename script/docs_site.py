"""Hooks of MkDocs: the README, in both languages, is the front page; what lies outside docs/ is linked in the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).resolve().parent.parent
_FRONT = {"README.md": "index.md", "README.ru.md": "ru.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the front pages."""
    for name, page in _FRONT.items():
        text = (
            (_ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](").replace('src="docs/', 'src="')
        )
        for other, target in _FRONT.items():
            text = text.replace(f"]({other})", f"]({target})")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A link out of docs/, or to a file that is no page, leads to the file in the repository."""

    def lead(found: re.Match[str]) -> str:
        target = found[1].removeprefix("../") if found[1].startswith("../") else f"docs/{found[1]}"
        return f"]({config.extra['repository']}/blob/main/{target})"

    return re.sub(r"\]\((\.\./[^)]+|ci/[^)]+)\)", lead, markdown)
