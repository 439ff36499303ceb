"""Recipients as declared: inline, in a file, in Parquet files or in a database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from smsby_deploy.clock import read_duration
from smsby_deploy.config.project_files import expand, is_impossible, is_plain_name, outside, resolve_inside
from smsby_deploy.config.sources import (
    AGE_IDENTITY,
    FalseText,
    Freshness,
    HiddenText,
    InlineRecipients,
    Pin,
    RecipientsFile,
    RecipientsParquet,
    RecipientsQuery,
    TextSource,
)
from smsby_deploy.config.yaml_nodes import YamlList, YamlMap
from smsby_deploy.files import may_be_file, real_path
from smsby_deploy.problems import Location, ProblemLog
from smsby_deploy.wording import sentence

_FALSE_STARTS = frozenset("fF+-.0")
# `NO` is the text that the author wrote.
_FALSE = re.compile(r"false|False|FALSE|[-+]?(?:0+(?:\.0*)?|\.0+)(?:[eE][-+]?\d+)?|0x0+|0o0+")


def read_inline_recipients(rows: YamlList, location: Location) -> InlineRecipients:
    """Return the recipients listed in a campaign file.

    The schema allows only text and null as their values; null becomes empty.
    """
    for row in rows:
        if row.__class__ is not YamlMap:
            continue
        for name in row.untyped:
            scalar = row[name]
            # Checking one character is faster than the pattern, and than a call.
            if scalar.__class__ is str and scalar[:1] in _FALSE_STARTS and name not in ("phone", "text"):
                row[name] = FalseText(scalar) if _FALSE.fullmatch(scalar) else scalar
        if None in row.values():
            row.update({name: "" for name, value in row.items() if value is None})
    written = [row if row.__class__ is YamlMap else {"phone": row} for row in rows]
    return InlineRecipients(written, location, rows.items_at)


def read_file_source(
    path: Path, settings: Mapping[str, str], location: Location, environ: Mapping[str, str]
) -> RecipientsFile:
    """Return the file at `path`, with the project's settings for reading it."""
    identity = environ.get(AGE_IDENTITY, "").strip()
    return RecipientsFile(
        path,
        settings["file"],
        settings.get("phone", "phone"),
        location,
        settings.get("encoding"),
        settings.get("delimiter"),
        identity=HiddenText(identity) if identity else None,
    )


class ListPlaces(NamedTuple):
    """Where lists are searched: in the project, and pinned ones in another folder as well.

    `folder_env` is the variable that names that folder; None if there is none.
    """

    root: Path
    folder_env: str | None
    environ: Mapping[str, str]
    log: ProblemLog

    def read(self, node: YamlMap, file: str, location: Location) -> RecipientsFile:
        """Return the list in `node`, the key `recipients` of `file`; errors go to the log."""
        name, at = node["file"], Location(file, *node.values_at["file"])
        pin = Pin(node["sha256"], Location(file, *node.values_at["sha256"])) if "sha256" in node else None
        source = read_file_source(self.root / name, node, location, self.environ)._replace(pin=pin)
        if self.folder_env is None or is_impossible(name) or may_be_file(source.path):
            resolve_inside(self.root, name, at, self.log)
            return source
        folder = self.environ.get(self.folder_env, "").strip()
        if pin is None:
            return self._read_unpinned(source, folder, at)
        source = source._replace(folder_env=self.folder_env)
        if not folder:
            return source._replace(is_elsewhere=True)
        copy = real_path(folder) / pin.sha256
        path = resolve_inside(real_path(folder), name, at, self.log, must_exist=False)
        if path is not None and not may_be_file(path) and not may_be_file(copy):
            message = sentence(
                "file {name} is neither in the project nor in the folder that {variable} names",
                name=name,
                variable=self.folder_env,
            )
            self.log.error("FILE_MISSING", message, at)
        return source._replace(path=path or source.path, pin=pin._replace(copy=copy))

    def _read_unpinned(self, source: RecipientsFile, folder: str, at: Location) -> RecipientsFile:
        """Return a list without a pin that is not in the project; one in `folder` must be pinned."""
        path = None
        if folder:
            path = resolve_inside(real_path(folder), source.name, at, ProblemLog(), must_exist=False)
        if path is None or not may_be_file(path):
            resolve_inside(self.root, source.name, at, self.log)
            return source
        message = sentence(
            "file {name} is not in the project, and a list in the folder that {variable} names must be pinned: run "
            "`smsby-deploy pin {name}`",
            name=source.name,
            variable=self.folder_env,
        )
        self.log.error("FILE_MISSING", message, at)
        return source._replace(to_pin=path)


def read_query_source(
    node: YamlMap, *, name: str, file: str, content: str, timezone: str, environ: Mapping[str, str]
) -> RecipientsQuery:
    """Return the query in `node`: `recipients`, or an entry of `suppress`.

    Plans and problems call it `name`, e.g. `sql:sale/vip`. It is in `file`, whose text is `content`. Times in the
    database that have no zone are in `timezone`; `environ` has the URL of the database.
    """
    fresh, url = node.get("freshness"), environ.get(node["url_env"])
    return RecipientsQuery(
        sql=_read_sql(node, file, content),
        name=name,
        url_env=node["url_env"],
        url=HiddenText(url) if url else None,
        order_by=node.get("order_by"),
        phone=node.get("phone", "phone"),
        location=Location(file, *node.values_at["sql"]),
        freshness=Freshness(_read_sql(fresh, file, content), read_duration(fresh["max_age"]), timezone)
        if fresh
        else None,
    )


def read_parquet_source(root: Path, node: YamlMap, file: str, log: ProblemLog) -> RecipientsParquet:
    """Return the Parquet files of a path or glob, sorted; one outside `root` is an error."""
    pattern, place = node["parquet"], Location(file, *node.values_at["parquet"])
    names = [pattern]
    if any(sign in pattern for sign in "*?["):
        before = len(log)

        def unread(folder: Path, error: OSError) -> None:
            name = folder.relative_to(root).as_posix()
            message = sentence("cannot read the folder {name}: {why}", name=name, why=error.strerror)
            log.error("FILE_MISSING", message, place)

        try:
            if ".." in PurePosixPath(pattern).parts:
                raise ValueError
            found = filter(Path.is_file, expand(root, pattern, unread))
            names = sorted(path.relative_to(root).as_posix() for path in found)
        except ValueError:  # an absolute pattern, or one with ..
            log.error("PATH_OUTSIDE", outside(pattern), place)
            names = []
        else:
            if not names and len(log) == before:
                log.error("FILE_MISSING", sentence("no file matches {pattern}", pattern=pattern), place)
    paths = [(resolve_inside(root, name, place, log), name) for name in names if is_plain_name(name, log)]
    files = tuple((path, name) for path, name in paths if path is not None)
    return RecipientsParquet(files, pattern, node.get("phone", "phone"), place)


def _read_sql(node: YamlMap, file: str, content: str) -> TextSource:
    return TextSource(node["sql"], Location(file, *node.values_at["sql"]), content)
