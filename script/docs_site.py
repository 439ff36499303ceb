"""MkDocs hooks: the README, in both languages, is the front page; links out of docs/ lead to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).resolve().parent.parent
_FRONT = {"README.md": "index.md", "README.ru.md": "ru.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the front pages, generated from the READMEs."""
    for name, page in _FRONT.items():
        text = (
            (_ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](").replace('src="docs/', 'src="')
        )
        for other, target in _FRONT.items():
            text = text.replace(f"]({other})", f"]({target})")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links that leave docs/, or lead to a file that is not a page, to the repository."""

    def to_repository(link: re.Match[str]) -> str:
        target = link[1].removeprefix("../")
        inner = page.file.src_uri.count("/")
        if inner and files.get_file_from_path(target):
            return f"]({link[1]})"  # from a folder of docs/ to a page
        if inner and (_ROOT / "docs" / target.partition("#")[0]).exists():
            return f"]({link[1]})"
        folder = "docs/" if target.startswith("ci/") else ""
        return f"]({config.extra['repository']}/blob/main/{folder}{target})"

    return re.sub(r"\]\(((?:\.\./|\.github/|ci/)[^)]+)\)", to_repository, markdown)
