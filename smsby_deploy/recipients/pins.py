"""Pins: the digests of lists, written into the campaign files that name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smsby_deploy.config.project_files import why_missing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import RecipientsFile
from smsby_deploy.config.yaml_edit import add_value, rewrite_texts
from smsby_deploy.config.yaml_nodes import Mark, YamlMap, read_yaml
from smsby_deploy.errors import SmsbyDeployError, UsageError
from smsby_deploy.problems import Location
from smsby_deploy.recipients.file_content import hash_list


class PinnedList(NamedTuple):
    """A list whose digest was written, or could not be written, at `place`.

    `before` is the previous digest.
    """

    name: str
    place: Location
    sha256: str
    before: str | None
    is_written: bool = True


def pin_lists(loaded: LoadedProject, path: str | None) -> list[PinnedList]:
    """Write the digests of lists into campaign files, and return the lists that have changed.

    `path` is a list or a campaign file, named as in the project; None means all pinned lists.

    Raises:
        UsageError: there is no such list, or its folder is unknown.
        SmsbyDeployError: a list cannot be read, or a campaign cannot be written.
        FilesInvalid: a campaign file is not valid.
    """
    mailings = loaded.all_mailings
    files = [(mailing.file, mailing.audience) for mailing in mailings]
    lists = [(file, one) for file, one in files if isinstance(one, RecipientsFile)]
    chosen = [
        (file, one) for file, one in lists if (path in (file, one.name) if path else one.pin is not None)
    ]
    if not chosen:
        what = f"no mailing uses the list {path}" if path else "no list is pinned"
        names = ", ".join(dict.fromkeys(one.name for _, one in lists)) or "none"
        raise UsageError(what, hint=f"name a list as its campaign does: {names}")
    digests = {one.name: _digest_of(one) for one in dict.fromkeys(one for _, one in chosen)}
    changed: list[PinnedList] = []
    for file in dict.fromkeys(file for file, _ in chosen):
        changed += _pin_in(loaded, file, digests, only_pinned=path is None)
    return changed


def _digest_of(source: RecipientsFile) -> str:
    if source.is_elsewhere:
        raise UsageError(
            f"{source.name} is not in the project, and {source.folder_env} is not set",
            hint=f"export {source.folder_env}=… (the folder with the lists)",
        )
    path, hint = source.to_pin or source.path, "check its path in the campaign"
    if not path.is_file():  # a pipe may never end
        raise SmsbyDeployError(why_missing(path, source.name), hint=hint)
    try:
        return hash_list(path)
    except OSError as error:
        raise SmsbyDeployError(f"cannot read {source.name}: {error.strerror}", hint=hint) from error


def _pin_in(
    loaded: LoadedProject, file: str, digests: dict[str, str], *, only_pinned: bool
) -> Iterator[PinnedList]:
    """Yield the lists in one campaign file whose pins have changed, last first."""
    path = loaded.project.root / file
    for node in _list_nodes(read_yaml(path, file)["mailings"]):
        name, before = node["file"], node.get("sha256")
        digest = digests.get(name)
        if digest is None or digest == before or (only_pinned and before is None):
            continue
        mark: Mark = node.values_at["file" if before is None else "sha256"]
        try:
            is_written = (
                add_value(path, file, mark, "sha256", digest)
                if before is None
                else not rewrite_texts(path, file, {mark: digest})
            )
        except OSError as error:
            raise SmsbyDeployError(
                f"cannot write {file}: {error.strerror}", hint="fix its permissions"
            ) from error
        yield PinnedList(name, Location(file, *mark), digest, before, is_written)


def _list_nodes(mailings: Iterable[YamlMap]) -> list[YamlMap]:
    """Return the mappings that name a list, last first, so that no edit moves the next ones.

    A mapping that several mailings share through an alias counts once.
    """
    nodes = (node.get("recipients") for node in mailings)
    found = {node.mark: node for node in nodes if isinstance(node, YamlMap) and "file" in node}
    return [node for _, node in sorted(found.items(), reverse=True)]
