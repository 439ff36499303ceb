"""Results that the disk did not take: kept where there is room, and taken in again by `lock rescue`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from smsby_deploy.errors import OutcomeUnknown, UsageError
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.records import Lock

FORMAT = "smsby-rescue"


def write_rescue(error: ResultNotSaved, lock: Lock, lock_path: Path) -> OutcomeUnknown:
    """Save the results that `error` contains to a file, and return the error that names it.

    If no disk takes the file, its content is part of the hint. It holds the chunks of each result as [address, index,
    fingerprint] and their changes: no phone number, text or token.
    """
    document = {
        "format": FORMAT,
        "project": lock.project,
        "lineage": lock.lineage,
        "results": [
            {
                "chunks": [[a, i, lock.mailings[a].chunks[i].fingerprint] for a, i in event["chunks"]],
                "changes": event["changes"],
                **({"row": event["row"]} if "row" in event else {}),
            }
            for event in error.events
            if event["event"] == "result"
        ],
    }
    text = json.dumps(document, ensure_ascii=False)
    for folder in (lock_path.parent, Path(tempfile.gettempdir()), Path.home()):
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=folder, prefix=f"{lock_path.name}.rescue-", delete=False, encoding="utf-8"
            ) as file:
                file.write(text + "\n")
        except OSError:
            continue
        where, source, first = f"it is saved in {file.name}", file.name, ""
        break
    else:
        # The hint is printed as it is, while phone numbers are masked in the message, and a digest may look like one.
        where, source, first = (
            "it could not be saved either",
            "FILE",
            f"save this line as FILE:\n{text}\nthen ",
        )
    return OutcomeUnknown(
        f"cannot write the journal beside the lock ({error}): stopped sending. The last result was not recorded; {where}",
        hint=f"{first}free disk space, then run `smsby-deploy lock rescue {source}`, then `smsby-deploy apply`",
    )


def read_rescue(path: Path) -> dict[str, Any]:
    """The document of a rescue file.

    Raises:
        UsageError: it is none.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT or not {"project", "lineage", "results"} <= document.keys():
            raise ValueError("keys are missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not a rescue file: {error}", hint="its path was told when apply stopped"
        ) from error
    return document
