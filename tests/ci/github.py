"""A `gh` for the script of the action: GitHub as files of a test, which this process reads and writes.

The program is a shell script that asks this process: it runs hundreds of times, and Python starts ten times more slowly.
"""

from __future__ import annotations

import json
import re
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

_PROGRAM = """\
#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
printf '%s\\0' "$@" '' >&3
read -r code <&3
cat <&3
exit "$code"
"""


@contextmanager
def fake_gh(program: Path, state: Path) -> Iterator[None]:
    """While the block runs, `program` answers from the files in `state`, stores what is posted, and logs its calls."""
    for name, text in (("comments", "[]"), ("artifacts", "[]"), ("pulls", "{}"), ("compare", "[]")):
        (state / f"{name}.json").write_text(text)

    class Call(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            said = b""
            while not said.endswith(b"\0\0"):
                said += self.request.recv(1 << 16)
            with (state / "gh.log").open("a", encoding="utf-8") as log:
                arguments = said.decode().split("\0")[:-2]
                log.write(" ".join(arguments) + "\n")
            answer = _answer(state, arguments)
            self.wfile.write(b"1\n" if answer is None else b"0\n" + answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Call) as server:
        program.write_text(_PROGRAM.format(port=server.server_address[1]))
        program.chmod(0o755)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield
        server.shutdown()


def _answer(state: Path, arguments: list[str]) -> bytes | None:
    """Return the stdout of a call, or None if nothing of that name exists."""

    def read(name: str) -> Any:
        return json.loads((state / name).read_text("utf-8"))

    called = " ".join(arguments)
    notes = read("comments.json")
    found: object
    if "--input" in arguments:
        body = json.loads(Path(arguments[-1]).read_text("utf-8"))["body"]
        if number := re.search(r"/issues/(\d+)/comments", called):
            notes.append(
                {"id": 41 + len(notes), "pull": int(number[1]), "user": {"type": "Bot"}, "body": body}
            )
        elif one := re.search(r"/issues/comments/(\d+)", called):
            next(note for note in notes if note["id"] == int(one[1]))["body"] = body
        (state / "comments.json").write_text(json.dumps(notes), "utf-8")
        return b""
    if number := re.search(r"/issues/(\d+)/comments", called):
        found = [note for note in notes if note["pull"] == int(number[1])]
    elif commit := re.search(r"/commits/(\w+)/pulls", called):
        found = read("pulls.json").get(commit[1], [])
    elif "/compare/" in called:
        found = {"commits": read("compare.json")}
    elif name := re.search(r"/artifacts\?name=([^&]+)", called):
        found = {"artifacts": [one for one in read("artifacts.json") if one["name"] == name[1]]}
    elif zipped := re.search(r"/artifacts/(\d+)/zip", called):
        return (state / f"{zipped[1]}.zip").read_bytes()
    else:
        return None
    return json.dumps(found).encode()
