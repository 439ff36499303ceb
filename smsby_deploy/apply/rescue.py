"""The rescue file: results that could not be written to the journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smsby_deploy.errors import OutcomeUnknown, SmsbyDeployError, StoreUnavailable, UsageError
from smsby_deploy.lock.document_checks import check_rescue
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.lease import StoreFailed
from smsby_deploy.lock.records import Lock

FORMAT = "smsby-rescue"


def not_recorded(error: ResultNotSaved, lock: Lock, lock_path: Path) -> SmsbyDeployError:
    """Return the error for the user; save a result that would be lost to a rescue file."""
    if all(event["event"] != "result" for event in error.events):
        kind = StoreUnavailable if isinstance(error.__cause__, StoreFailed) else SmsbyDeployError
        return kind(
            f"cannot write the journal next to the lock ({error}): stopped sending; nothing is lost",
            hint=f"{error.remedy}, then run `smsby-deploy apply` again",
        )
    return write_rescue(error, lock, lock_path)


def write_rescue(error: ResultNotSaved, lock: Lock, lock_path: Path) -> OutcomeUnknown:
    """Save the results in `error` to a file, and return the error that names the file.

    If it cannot be written anywhere, its content is part of the hint.
    """
    text = json.dumps(_rescue_document(error, lock), ensure_ascii=False)
    path = _save(text, lock_path)
    if path is not None:
        where, source, first = f"it is saved in {path}", path, ""
    else:
        # Phone numbers are masked in the message but not in the hint, and a digest may look like one.
        where, source = "it could not be saved either", "FILE"
        first = f"save this line as FILE:\n{text}\nthen "
    return OutcomeUnknown(
        f"cannot write the journal next to the lock ({error}): stopped sending. The last result was not recorded; {where}",
        hint=f"{first}{error.remedy}, then run `smsby-deploy lock rescue {source}`, then `smsby-deploy apply`",
    )


def _rescue_document(error: ResultNotSaved, lock: Lock) -> dict[str, Any]:
    """Return the results as a document without phone numbers, texts or the token.

    Each chunk is [address, index, fingerprint].
    """
    results = [
        {
            "chunks": [[a, i, lock.mailings[a].chunks[i].fingerprint] for a, i in event["chunks"]],
            "changes": event["changes"],
            **({"row": event["row"]} if "row" in event else {}),
        }
        for event in error.events
        if event["event"] == "result"
    ]
    return {"format": FORMAT, "project": lock.project, "lineage": lock.lineage, "results": results}


def _save(text: str, lock_path: Path) -> str | None:
    """Write `text` to a new file and return its path; None if that fails everywhere."""
    import tempfile

    for folder in (lock_path.parent, Path(tempfile.gettempdir()), Path.home()):
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=folder, prefix=f"{lock_path.name}.rescue-", delete=False, encoding="utf-8"
            ) as file:
                file.write(text + "\n")
        except OSError:
            continue
        return file.name
    return None


def read_rescue(path: Path) -> dict[str, Any]:
    """Return the document of a rescue file.

    Raises:
        UsageError: the file is not a rescue file.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check_rescue(document)
        return document
    except RecursionError:
        why = "nested too deep"
    except OSError as error:
        why = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        why = "it is not a text file"
    except json.JSONDecodeError as error:
        why = f"not JSON, or truncated (line {error.lineno})"
    except ValueError as error:
        why = str(error)
    raise UsageError(
        f"{path} is not a rescue file: {why}",
        hint="apply printed the path of the rescue file when it stopped",
    )
