"""Where recipients live beside the campaign: a file of text, Parquet files, a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from smsby_deploy.config.declarations import (
    Freshness,
    InlineRecipient,
    InlineRecipients,
    RecipientsFile,
    RecipientsParquet,
    RecipientsQuery,
    TextSource,
)
from smsby_deploy.config.limits import Complain, read_duration
from smsby_deploy.config.yaml_nodes import YamlList, YamlMap
from smsby_deploy.problems import Location


def read_inline_recipients(rows: YamlList, location: Location) -> InlineRecipients:
    """Return the recipients listed in a campaign file; by its schema, all their values are text."""
    recipients = []
    for row, (line, column) in zip(rows, rows.items_at, strict=True):
        place = Location(location.file, line, column)
        if row.__class__ is YamlMap:
            variables = dict(row)
            phone, text = variables.pop("phone"), variables.pop("text", None)
            recipients.append(InlineRecipient(phone, variables, text, place))
        else:
            recipients.append(InlineRecipient(row, {}, None, place))
    return InlineRecipients(tuple(recipients), location)


def read_file_source(path: Path, settings: Mapping[str, str], location: Location) -> RecipientsFile:
    """A file of phones, with what the project says of how to read it."""
    return RecipientsFile(
        path,
        settings["file"],
        settings.get("phone", "phone"),
        location,
        settings.get("encoding"),
        settings.get("delimiter"),
    )


def read_query_source(
    node: YamlMap, *, address: str, file: str, content: str, timezone: str, environ: Mapping[str, str]
) -> RecipientsQuery:
    """A query, and the address of its database as `environ` has it; `content` is the campaign's `file`, `timezone` that
    of times without one."""
    fresh = node.get("freshness")
    return RecipientsQuery(
        sql=_read_sql(node, file, content),
        name=f"sql:{address}",
        url_env=node["url_env"],
        url=environ.get(node["url_env"]) or None,
        order_by=node["order_by"],
        phone=node.get("phone", "phone"),
        location=Location(file, *node.values_at["sql"]),
        freshness=Freshness(_read_sql(fresh, file, content), read_duration(fresh["max_age"]), timezone)
        if fresh
        else None,
    )


def read_parquet_source(
    root: Path,
    node: YamlMap,
    location: Location,
    inside: Callable[[str, Location], Path | None],
    complain: Complain,
) -> RecipientsParquet:
    """The Parquet files that a path or glob names, by name; `inside` complains of those that lead out of `root`."""
    pattern, place = node["parquet"], Location(location.file, *node.values_at["parquet"])
    names = [pattern]
    if any(sign in pattern for sign in "*?["):
        try:
            if ".." in PurePosixPath(pattern).parts:
                raise ValueError
            names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern) if path.is_file())
        except (NotImplementedError, ValueError):  # it begins at / or leads up by ..
            complain("PATH_OUTSIDE", f"{pattern} leads out of the project's folder", place)
            names = []
        else:
            if not names:
                complain("FILE_MISSING", f"there is no file {pattern}", place)
    paths = [(inside(name, place), name) for name in names]
    files = tuple((path, name) for path, name in paths if path is not None)
    return RecipientsParquet(files, pattern, node.get("phone", "phone"), place)


def _read_sql(node: YamlMap, file: str, content: str) -> TextSource:
    mark = node.values_at["sql"]
    return TextSource(node["sql"], Location(file, *mark), content)
