"""Where a mailing's recipients come from: the campaign itself, a text file, Parquet files, a database."""

from __future__ import annotations

from collections.abc import Mapping
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
from smsby_deploy.config.problem_log import ProblemLog
from smsby_deploy.config.project_files import outside, resolve_inside
from smsby_deploy.config.schedule import read_duration
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
    """Return the file at `path`, with the project's settings for reading it."""
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
    """Return the query in `node`, with the database URL from `environ`.

    Args:
        node: the mapping `recipients`.
        address: the address of the mailing.
        file: the project path of the campaign file.
        content: the text of that file.
        timezone: the zone of times in the database that have none.
        environ: the environment variables.
    """
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


def read_parquet_source(root: Path, node: YamlMap, file: str, log: ProblemLog) -> RecipientsParquet:
    """Return the Parquet files that a path or glob pattern names, sorted by name; those outside `root` are errors."""
    pattern, place = node["parquet"], Location(file, *node.values_at["parquet"])
    names = [pattern]
    if any(sign in pattern for sign in "*?["):
        try:
            if ".." in PurePosixPath(pattern).parts:
                raise ValueError
            names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern) if path.is_file())
        except (NotImplementedError, ValueError):  # an absolute pattern, or one with ..
            log.error("PATH_OUTSIDE", outside(pattern), place)
            names = []
        else:
            if not names:
                log.error("FILE_MISSING", f"no file matches {pattern}", place)
    paths = [(resolve_inside(root, name, place, log), name) for name in names]
    files = tuple((path, name) for path, name in paths if path is not None)
    return RecipientsParquet(files, pattern, node.get("phone", "phone"), place)


def _read_sql(node: YamlMap, file: str, content: str) -> TextSource:
    return TextSource(node["sql"], Location(file, *node.values_at["sql"]), content)
