"""The pictures of the README, from real runs: `make pictures`.

The sample project is planned, applied and asked about at a terminal of 80 columns, against a sandbox that reaches nobody.
Terminals become SVG; the HTML report and the sandbox's page are photographed by a headless Chromium.
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

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "img"
COLUMNS = 80
COMMAND = [sys.executable, "-m", "smsby_deploy"]


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


def _at_terminal(words: list[str], folder: Path, environ: Mapping[str, str]) -> str:
    """What is printed and said, a plan before where it was saved, an apply's requests before its end. Only stdout is the
    terminal, so that no moving bar is in the picture."""
    leader, terminal = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env=environ, stdout=terminal, stderr=subprocess.PIPE
    ) as process:
        os.close(terminal)
        printed = b""
        try:
            while part := os.read(leader, 65536):
                printed += part
        except OSError:  # Linux tells the end of a terminal so
            pass
        os.close(leader)
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode:
        sys.exit(f"{words} ended with {process.returncode}: {said.decode()}")
    told = printed + said if words[0] == "plan" else said + printed
    return told.decode().replace("\r\n", "\n")


def _draw(name: str, words: list[str], text: str) -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, legacy_windows=False)
        console.print(Text("$ smsby-deploy " + " ".join(words), style="bold"))
        console.print(Text.from_ansi(text.rstrip()))
        svg = console.export_svg(title="smsby-deploy", theme=MONOKAI, unique_id=name)
    # Fonts from elsewhere would be fetched by whoever looks at it.
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
    # A page of a few colours: a palette makes it half as large.
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
