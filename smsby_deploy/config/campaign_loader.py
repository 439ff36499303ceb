"""Loads a campaign file as typed mailings, with inherited settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.clock import find_zone, read_duration
from smsby_deploy.config.declarations import HOME, Campaign, Mailing, OwnSettings, Release, Waves
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.recipient_sources import (
    ListPlaces,
    read_inline_recipients,
    read_parquet_source,
    read_query_source,
)
from smsby_deploy.config.scalars import check_in_account_zone, read_time, read_zone
from smsby_deploy.config.settings import (
    read_countries,
    read_expected,
    read_release,
    read_rewrite,
    read_spread,
    read_waves,
)
from smsby_deploy.config.sources import HOME_TIMEZONE, Audience, ContactList, Upload
from smsby_deploy.config.text_sources import TextReader
from smsby_deploy.config.yaml_nodes import Mark, YamlList, YamlLocator, YamlMap
from smsby_deploy.digest_key import DigestKey
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, ProblemLog
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.config.mailing_tests import MailingTest

# Errors of unreadable files: their mailing cannot be checked for more problems.
_MISSING = "FILE_MISSING"
_UNREADABLE = frozenset({_MISSING, "PATH_OUTSIDE", "PATH_HIDDEN"})


class CampaignContext(NamedTuple):
    """What a campaign takes from its project.

    `project` is smsby.yaml; `account_zone` is the time zone in which sms.by reads dates, None if it is not valid.
    """

    root: Path
    project: YamlMap
    account_zone: ZoneInfo | None
    environ: Mapping[str, str]
    log: ProblemLog
    digest_key: DigestKey


class _Schedule(NamedTuple):
    time: datetime | None
    location: Location | None  # None: no schedule_time
    timezone: str


class LoadedCampaign(NamedTuple):
    """A campaign with its valid mailings, and its flawed ones.

    Mailings that only lack files count as valid. `concerns` has the problems of single mailings, with their addresses.
    """

    campaign: Campaign
    flawed: tuple[Mailing, ...]
    concerns: tuple[tuple[Problem, str], ...]


def load_campaign(context: CampaignContext, file: str, document: YamlMap) -> LoadedCampaign:
    """Return the campaign in a valid `document`; problems go to the log of `context`."""
    loader = _CampaignLoader(context, file, document)
    names: set[str] = set()
    valid: list[Mailing] = []
    flawed: list[Mailing] = []
    concerns: list[tuple[Problem, str]] = []
    nodes = document["mailings"]
    for node, mark in zip(nodes, nodes.items_at, strict=True):
        count = len(context.log)
        address = f"{document['campaign']}/{node['name']}"
        if node["name"] in names:
            place = Location(file, *node.values_at["name"])
            context.log.error(
                "DUPLICATE_NAME", sentence("duplicate mailing name {name}", name=node["name"]), place
            )
        else:
            mailing = loader.load_mailing(node, mark)
            errors = [one for one in context.log.since(count) if one.is_error]
            codes = {one.code for one in errors}
            if "ENCODING" in codes:  # its texts are not those that were tested
                mailing = mailing._replace(tests=())
            if errors:
                unreadable = tuple(one for one in errors if one.code in _UNREADABLE)
                mailing = mailing._replace(unreadable=unreadable)
            (valid if codes <= {_MISSING} else flawed).append(mailing)
        names.add(node["name"])
        concerns += ((problem, address) for problem in context.log.since(count))
    campaign = Campaign(document["campaign"], file, tuple(valid))
    return LoadedCampaign(campaign, tuple(flawed), tuple(concerns))


class _CampaignLoader:
    def __init__(self, context: CampaignContext, file: str, document: YamlMap) -> None:
        self._context = context
        self._root = context.root
        self._log = context.log
        self._file = file
        self._document = document
        locator = YamlLocator(file, document.content)
        self._at, self._at_key = locator.at, locator.at_key
        self._labels = self._read_labels(document.get("labels") or YamlMap((1, 1)))
        self._defaults = context.project.get("defaults") or YamlMap((1, 1))
        folder_env = context.project.get("lists_dir_env")
        self._lists = ListPlaces(context.root, folder_env, context.environ, context.log)
        key = context.digest_key.salt(f"variants {context.project.get('project')} {document['campaign']}")
        self._texts = TextReader(context.root, file, document.content, context.log, key)

    def _read_labels(self, labels: YamlMap) -> dict[str, str]:
        for name, value in labels.items():
            if any(mask_phones(text) != text for text in (str(name), str(value))):
                message = sentence(
                    "labels.{name} looks like a phone number; the lock records labels, but never phones",
                    name=name,
                )
                self._log.error("LABEL", message, self._at(labels.values_at[name]))
        return dict(labels)

    def load_mailing(self, node: YamlMap, mark: Mark) -> Mailing:
        schedule = self._schedule(node, mark)
        upload = self._upload(node)
        in_bulk = upload is None and "list" not in node and node.get("via") != "single"
        spread = self._spread(node, schedule, in_bulk=in_bulk)
        self._check_transport(node, schedule, is_upload=upload is not None, in_bulk=in_bulk)
        alphaname, alphaname_at = self._inherited(node, "alphaname", "0", mark)
        revision, _ = self._inherited(node, "revision", 1, mark)
        max_late, _ = self._inherited(node, "max_late", None, mark)
        expected = node.get("expect_recipients")
        text = self._texts.read(node, mark, schedule.timezone)
        self._texts.warn_of_comments(node, f"{self._document['campaign']}/{node['name']}")
        return Mailing(
            campaign=self._document["campaign"],
            name=node["name"],
            file=self._file,
            location=self._at(mark),
            via="list" if "list" in node or upload else node.get("via", "bulk"),
            audience=self._audience(node, schedule.timezone),
            text=text,
            alphaname=str(alphaname),
            alphaname_location=alphaname_at,
            schedule_time=schedule.time,
            schedule_location=schedule.location,
            timezone=schedule.timezone,
            revision=revision,
            on_invalid=node.get("on_invalid", "fail"),
            countries=self._countries(node),
            max_late=None if max_late is None else read_duration(max_late),
            expect_recipients=read_expected(
                expected, self._at(node.values_at["expect_recipients"]), self._log
            )
            if expected
            else None,
            rewrite=read_rewrite(node),
            upload=upload,
            release=self._release(node, schedule),
            is_fresh=self._is_fresh(node),
            own=_read_own(node),
            cancelled=node.get("cancelled"),
            priority=self._inherited(node, "priority", 0, mark)[0],
            tests=self._tests(node, schedule.timezone) if "tests" in node else (),
            spread=spread,
            waves=self._waves(node, in_bulk=in_bulk, is_spread=spread is not None),
            labels=self._labels,
        )

    def _tests(self, node: YamlMap, timezone: str) -> tuple[MailingTest, ...]:
        from smsby_deploy.config.mailing_tests import read_tests

        zone = find_zone(timezone)  # an unknown one was reported
        return read_tests(node["tests"], self._file, zone=zone, is_list="list" in node, log=self._log)

    def _schedule(self, node: YamlMap, mark: Mark) -> _Schedule:
        name, name_at = self._inherited(node, "timezone", HOME_TIMEZONE, mark)
        text, text_at = self._inherited(node, "schedule_time", None, mark)
        zone = read_zone(name, name_at, self._log)
        if text is None:
            return _Schedule(None, None, name)
        time = None if zone is None else read_time(text, zone, text_at, self._log)
        if time is not None:
            check_in_account_zone(time, self._context.account_zone, text_at, self._log)
        return _Schedule(time, text_at, name)

    def _check_transport(self, node: YamlMap, schedule: _Schedule, *, is_upload: bool, in_bulk: bool) -> None:
        is_list = "list" in node
        if (is_list or is_upload) and "via" in node:
            other = "list" if is_list else "upload"
            self._log.error(
                "VIA", sentence("via cannot be combined with {other}", other=other), self._at_key(node, "via")
            )
        if not in_bulk and schedule.location and schedule.time and schedule.time.second:
            message = sentence(
                "schedule_time cannot have seconds in a mailing with list, upload or via: single"
            )
            self._log.error("WHOLE_MINUTES", message, schedule.location)

    def _upload(self, node: YamlMap) -> Upload | None:
        setting = node.get("upload", False)
        if setting is False:
            return None
        place = self._at_key(node, "upload")
        if "list" in node:
            message = sentence(
                "upload cannot be combined with list: it makes a list of the mailing's recipients"
            )
            self._log.error("UPLOAD", message, place)
            return None
        fields = setting.get("fields") if isinstance(setting, YamlMap) else None
        return Upload(None if fields is None else tuple(map(str, fields)), place)

    def _countries(self, node: YamlMap) -> tuple[str, ...]:
        found = self._find_setting(node, "countries")
        return (HOME,) if found is None else read_countries(*found, self._log)

    def _release(self, node: YamlMap, schedule: _Schedule) -> Release | None:
        objection = "" if schedule.location else sentence("release requires a schedule_time")
        found = self._find_allowed(node, "release", objection)
        return None if found is None else read_release(*found, self._log)

    def _spread(self, node: YamlMap, schedule: _Schedule, *, in_bulk: bool) -> timedelta | None:
        objection = ""
        if not in_bulk:
            objection = sentence(
                "spread cannot be combined with list, upload or via: single: they have one time for all"
            )
        elif schedule.location is None:
            objection = sentence("spread requires a schedule_time, at which the first chunk is sent")
        found = self._find_allowed(node, "spread", objection)
        if found is None:
            return None
        spread, place = found
        return read_spread(spread["over"], schedule.time, self._context.account_zone, place, self._log)

    def _waves(self, node: YamlMap, *, in_bulk: bool, is_spread: bool) -> Waves | None:
        objection = ""
        if not in_bulk:
            objection = sentence("waves cannot be combined with list, upload or via: single")
        elif is_spread:
            objection = sentence(
                "waves cannot be combined with spread: a wave is sent at once when the previous one has its verdict"
            )
        elif self._holder_of_audience(node).get("audience") == "fresh":
            objection = sentence(
                "waves cannot be combined with audience: fresh: all waves go to the recipients that were approved"
            )
        found = self._find_allowed(node, "waves", objection)
        if found is None:
            return None
        waves, place = found
        key = self._context.digest_key.salt(f"waves {self._context.project.get('project')}")
        return Waves(read_waves(waves, place.file, self._log), key)

    def _find_allowed(self, node: YamlMap, key: str, objection: str) -> tuple[Any, Location] | None:
        """Return a setting and its place; None, and an error, if there is an `objection` to it.

        In smsby.yaml it is not an error: a setting there applies only to mailings that can have it.
        """
        found = self._find_setting(node, key)
        if found is not None and objection and found[1].file != PROJECT_FILE:
            self._log.error(key.upper(), objection, found[1])
        return None if objection else found

    def _holder_of_audience(self, node: YamlMap) -> YamlMap:
        return node if "audience" in node else self._document

    def _is_fresh(self, node: YamlMap) -> bool:
        holder = self._holder_of_audience(node)
        if holder.get("audience") != "fresh":
            return False
        guardrails = self._context.project.get("guardrails") or {}
        if "expect_recipients" not in node and "expect_recipients" not in guardrails:
            message = sentence(
                "audience: fresh requires expect_recipients, within which the recipients may change"
            )
            self._log.error("RELEASE", message, self._at(holder.values_at["audience"]))
        if self._find_setting(node, "release") is None:
            message = sentence("audience: fresh requires release: without it, no mailing waits")
            self._log.error("RELEASE", message, self._at(holder.values_at["audience"]))
        return True

    def _find_setting(
        self, node: YamlMap, key: str, shared: YamlMap | None = None
    ) -> tuple[Any, Location] | None:
        """Return a setting and its place; None if there is none.

        The mailing takes precedence over the campaign, and the campaign over smsby.yaml: its top level, or `shared` in it.
        """
        for holder in (node, self._document):
            if key in holder:
                return holder[key], self._at(holder.values_at[key])
        project = self._context.project if shared is None else shared
        return (project[key], Location(PROJECT_FILE, *project.values_at[key])) if key in project else None

    def _inherited(self, node: YamlMap, key: str, default: Any, mark: Mark) -> tuple[Any, Location]:
        """Return an inherited setting and its place; `default` if it is set nowhere.

        The mailing takes precedence over the campaign, and the campaign over `defaults` in smsby.yaml.
        """
        return self._find_setting(node, key, self._defaults) or (default, self._at(mark))

    def _audience(self, node: YamlMap, timezone: str) -> Audience:
        if "list" in node:
            return ContactList(str(node["list"]), self._at(node.values_at["list"]))
        recipients, place = node["recipients"], self._at(node.values_at["recipients"])
        if isinstance(recipients, YamlList):
            return read_inline_recipients(recipients, place)
        if "sql" in recipients:
            return read_query_source(
                recipients,
                name=f"sql:{self._document['campaign']}/{node['name']}",
                file=self._file,
                content=self._document.content,
                timezone=timezone,
                environ=self._context.environ,
            )
        if "parquet" in recipients:
            return read_parquet_source(self._root, recipients, self._file, self._log)
        return self._lists.read(recipients, self._file, place)


def _read_own(node: YamlMap) -> OwnSettings:
    alphaname = node.get("alphaname")
    return OwnSettings(
        None if alphaname is None else str(alphaname),
        node.get("schedule_time"),
        node.get("timezone"),
        read_duration(node["spread"]["over"]) if "spread" in node else None,
        "waves" in node,
    )
