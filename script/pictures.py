"""The pictures of the README, from real runs: `make pictures`.

The sample project is planned and applied on a terminal of 80 columns, against a sandbox that reaches no phone.
Terminals become SVG; the HTML report, the comment on a pull request and the sandbox's page are photographed by a headless
Chromium.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options
from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "img"
COLUMNS = 80
COMMAND = [sys.executable, "-m", "smsby_deploy"]
# Markdown as GitHub's renderer makes it, in a page that looks like a comment.
_COMMENT = """<!doctype html><meta charset="utf-8"><style>
body {{ font: 14px/1.5 system-ui, sans-serif; color: #1f2328; margin: 0; padding: 16px; }}
article {{ border: 1px solid #d1d9e0; border-radius: 6px; padding: 16px; }} h3 {{ font-size: 20px; margin: 0 0 16px; }}
table {{ border-collapse: collapse; margin-bottom: 16px; }} th, td {{ border: 1px solid #d1d9e0; padding: 6px 10px; }}
code, pre {{ background: #f0f1f2; border-radius: 6px; font: 12px/1.45 ui-monospace, monospace; }}
code {{ padding: 2px 5px; }} pre {{ padding: 16px; white-space: pre-wrap; }} details {{ margin-bottom: 8px; }}
p, ul {{ margin: 0 0 12px; }} ul {{ padding-left: 24px; }} sub {{ vertical-align: baseline; color: #59636e; }}
del {{ background: #ffd7d5; }} ins {{ background: #aceebb; }}
</style><article>{html}</article>"""


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("chromium is needed: make browser")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        sandbox = subprocess.Popen(
            [*COMMAND, "sandbox", "--port", "0", "--delay", "0"], stdout=subprocess.PIPE, text=True, cwd=name
        )
        try:
            assert sandbox.stdout is not None
            url = sandbox.stdout.readline().strip()
            _take_all(Path(name), url, chromium)
        finally:
            sandbox.terminate()
            sandbox.wait()


def _take_all(folder: Path, url: str, chromium: str) -> None:
    environ = {
        **os.environ,
        "SMSBY_API_URL": url,
        "SMSBY_TOKEN": "any",
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }
    environ.pop("NO_COLOR", None)
    subprocess.run([*COMMAND, "-q", "init", str(folder / "my-shop")], check=True, stdout=subprocess.DEVNULL)
    shop = folder / "my-shop"
    _draw_comment(folder, shop, environ, chromium)
    for picture, words in (
        ("plan", ["plan", "--out", "plan.json"]),
        ("apply", ["apply", "plan.json"]),
        ("status", ["status"]),
    ):
        _draw(picture, words, _at_terminal(words, shop, environ))
    subprocess.run(
        [*COMMAND, "-q", "status", "--format", "html", "--out", "status.html"],
        cwd=shop,
        env=environ,
        check=True,
    )
    _photograph(chromium, (shop / "status.html").as_uri(), IMAGES / "report.png", "1000,1400")
    _photograph(chromium, f"{url}/#/phone/375290000101", IMAGES / "sandbox.png", "1000,620")


def _draw_comment(folder: Path, shop: Path, environ: Mapping[str, str], chromium: str) -> None:
    """Draw the comment that a reviewer sees of a change to the sample project."""
    changed = folder / "changed"
    shutil.copytree(shop, changed)
    for name, old, new in (
        ("spring-sale.yaml", "ваша весенняя скидка", "ваша скидка к 8 марта:"),
        ("spring-sale.yaml", "«Кветке» на Немиге", "«Кветке»"),
        ("smsby.yaml", "max_cost: 100.00", "max_cost: 900.00"),
        ("lists/vip.csv", "375290000002,Мария,20\n", "375290000077,Ольга,25\n375290000078,Максим,10\n"),
    ):
        path = changed / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            sys.exit(f"{name} of the sample project has no {old!r} any more")
        path.write_text(text.replace(old, new), encoding="utf-8")
    words = [
        "plan",
        "spring-sale/*",
        "pickup/*",
        "--out",
        "plan.json",
        "--format",
        "markdown",
        "--compare",
        str(shop),
    ]
    done = subprocess.run(
        [*COMMAND, "-q", *words], cwd=changed, env=environ, check=True, capture_output=True, text=True
    )
    html = cmarkgfm.github_flavored_markdown_to_html(done.stdout, options=Options.CMARK_OPT_UNSAFE)
    for fold in ("Text of spring-sale/vip", "Sample texts of spring-sale/vip"):
        html = html.replace(f"<details><summary>{fold}", f"<details open><summary>{fold}")
    page = folder / "comment.html"
    page.write_text(_COMMENT.format(html=html), encoding="utf-8")
    _photograph(chromium, page.as_uri(), IMAGES / "comment.png", "1000,1240")
    # The same change as a page, in the language of docs/ru.
    settings = changed / "smsby.yaml"
    settings.write_text(f"{settings.read_text(encoding='utf-8')}language: ru\n", encoding="utf-8")
    words = ["plan", "spring-sale/*", "pickup/*", "--format", "html", "--compare", str(shop)]
    done = subprocess.run(
        [*COMMAND, "-q", *words], cwd=changed, env=environ, check=True, capture_output=True, text=True
    )
    text = re.sub(r" · сервис http://127[^·]*(?= ·)", "", done.stdout)  # readers have no sandbox
    page.write_text(text, encoding="utf-8")
    _photograph(chromium, page.as_uri(), IMAGES / "plan-page.png", "1000,1180")


def _at_terminal(words: list[str], folder: Path, environ: Mapping[str, str]) -> str:
    """Return stdout and stderr in reading order: a plan before where it was saved, an apply's requests before its end.

    Only stdout is the terminal, so that no moving bar is in the picture.
    """
    leader, terminal = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env=environ, stdout=terminal, stderr=subprocess.PIPE
    ) as process:
        os.close(terminal)
        printed = b""
        try:
            while part := os.read(leader, 65536):
                printed += part
        except OSError:  # how Linux reports the end of a terminal
            pass
        os.close(leader)
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode:
        sys.exit(f"{words} ended with {process.returncode}: {said.decode()}")
    output = printed + said if words[0] == "plan" else said + printed
    return output.decode().replace("\r\n", "\n")


def _draw(name: str, words: list[str], text: str) -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, legacy_windows=False)
        console.print(Text("$ smsby-deploy " + " ".join(words), style="bold"))
        console.print(Text.from_ansi(text.rstrip()))
        svg = console.export_svg(title="smsby-deploy", theme=MONOKAI, unique_id=name)
    # Fonts from other hosts would be fetched by every viewer.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    (IMAGES / f"{name}.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


def _photograph(chromium: str, address: str, path: Path, size: str) -> None:
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size={size}",
            "--virtual-time-budget=4000",
            f"--screenshot={path}",
            address,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    # A page of a few colors: a palette halves its size.
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
