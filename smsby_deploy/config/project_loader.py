"""Files → a typed project. Every problem is collected; a campaign that is not valid is left out of the project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.config.campaign_files import EVERY_YAML, PROJECT_FILE, find_campaign_files, why_missing
from smsby_deploy.config.declarations import (
    HOME,
    ApiSettings,
    Audience,
    Campaign,
    ContactList,
    Mailing,
    Project,
    RecipientsFile,
    RecipientsParquet,
    TextSource,
    Upload,
)
from smsby_deploy.config.limits import read_countries, read_duration, read_expected, read_guardrails
from smsby_deploy.config.read_settings import key_locations, read_price, read_rewrite
from smsby_deploy.config.recipient_sources import (
    read_file_source,
    read_inline_recipients,
    read_parquet_source,
    read_query_source,
)
from smsby_deploy.config.schedule import check_on_wire, read_time, read_zone
from smsby_deploy.config.schema import check_document, drop_invalid
from smsby_deploy.config.yaml_nodes import Mark, YamlList, YamlMap, read_yaml
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.problems import Location, Problem, Severity

_NOT_THERE = frozenset(
    {"FILE_MISSING", "PATH_OUTSIDE"}
)  # of files that can't be looked into for more problems


class LoadedProject(NamedTuple):
    """The valid part of a project, and everything that is wrong with its files.

    `flawed` are mailings of campaigns that are not valid: never planned, but what is wrong with their recipients and
    texts is told together with the rest. `is_whole` says that no campaign is missing in `project`.
    """

    project: Project
    problems: tuple[Problem, ...]
    flawed: tuple[Mailing, ...] = ()
    is_whole: bool = True


class ProjectFlawed(FilesInvalid):
    """smsby.yaml breaks its schema. `loaded` is the project without what is wrong in it: good for finding more problems,
    and for nothing else."""

    def __init__(self, loaded: LoadedProject) -> None:
        super().__init__(loaded.problems)
        self.loaded = loaded


def find_project(option: str | None, environ: Mapping[str, str]) -> Path:
    """The project's folder: the option, SMSBY_PROJECT, ./ or ./campaigns/, whichever holds smsby.yaml.

    Raises:
        UsageError: none does.
    """
    asked = option or environ.get("SMSBY_PROJECT")
    for folder in [Path(asked)] if asked else [Path(), Path("campaigns")]:
        if (folder / PROJECT_FILE).is_file():
            return folder.resolve()
    place = f"{asked} holds no" if asked else "neither this folder nor campaigns/ holds a"
    raise UsageError(
        f"{place} {PROJECT_FILE}", hint="name the folder with -C, or start one: smsby-deploy init"
    )


def load_project(folder: Path, environ: Mapping[str, str] | None = None) -> LoadedProject:
    """The project in `folder`; `environ` holds the addresses of databases that its campaigns name by `url_env`.

    Raises:
        FilesInvalid: its smsby.yaml can't be used; a ProjectFlawed if the rest could be read without what is wrong in it.
    """
    root = folder.resolve()
    path = root / PROJECT_FILE
    if not path.is_file():
        raise FilesInvalid(
            [
                Problem(
                    Severity.ERROR, "FILE_MISSING", "there is no such file", location=Location(PROJECT_FILE)
                )
            ]
        )
    document = read_yaml(path, PROJECT_FILE)
    problems = check_document("project", document, PROJECT_FILE)
    if not problems:
        return _Loader(root, document, environ or {}).load()
    if not drop_invalid("project", document):
        raise FilesInvalid(problems)
    loaded = _Loader(root, document, environ or {}).load()
    raise ProjectFlawed(loaded._replace(problems=(*problems, *loaded.problems)))


def campaign_inputs(project: Project, mailing: Mailing) -> tuple[Path, ...]:
    """The files that a mailing is made of; suppression files are not among them."""
    names = [project.file, mailing.file]
    if isinstance(mailing.audience, RecipientsFile):
        names.append(mailing.audience.name)
    elif isinstance(mailing.audience, RecipientsParquet):
        names.extend(name for _, name in mailing.audience.files)
    if mailing.text is not None and mailing.text.file:
        names.append(mailing.text.file)
    return tuple(project.root / name for name in dict.fromkeys(names))


class _Loader:
    def __init__(self, root: Path, document: YamlMap, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.document = document
        self.problems: list[Problem] = []
        self.flawed: list[Mailing] = []
        self.is_whole = True
        self.account_zone: ZoneInfo | None = None
        self.defaults: YamlMap = document.get("defaults") or YamlMap((1, 1))

    def load(self) -> LoadedProject:
        document = self.document
        api = ApiSettings(**(document.get("api") or {}))
        locations = dict(key_locations(document, ""))
        zone_at = locations.get("api.account_timezone", Location(PROJECT_FILE, 1))
        self.account_zone = read_zone(api.account_timezone, zone_at, self._problem)
        if self.account_zone is None:  # told; whoever goes on with what can be read needs one that is there
            api = api._replace(account_timezone=ApiSettings().account_timezone)
        price = document.get("price")
        rails = read_guardrails(
            document.get("guardrails") or YamlMap((1, 1)), locations, price is not None, self._problem
        )
        suppress = tuple(
            source
            for index, entry in enumerate(document.get("suppress") or [])
            if (
                source := self._suppression(
                    entry, Location(PROJECT_FILE, *document["suppress"].items_at[index])
                )
            )
        )
        lock = self._inside(
            document.get("lock", "smsby.lock.json"),
            locations.get("lock", Location(PROJECT_FILE)),
            must_exist=False,
        )
        project = Project(
            root=self.root,
            name=document["project"],
            api=api,
            guardrails=rails,
            price=read_price(price) if price else None,
            suppress=suppress,
            lock=lock or self.root / "smsby.lock.json",
            campaigns=self._campaigns(),
            locations=locations,
            test_phones=tuple(map(str, document["test_phones"])) if "test_phones" in document else None,
        )
        # Once a place: several mailings take one setting from it.
        problems = tuple(dict.fromkeys(self.problems))
        return LoadedProject(project, problems, tuple(self.flawed), self.is_whole)

    def _campaigns(self) -> tuple[Campaign, ...]:
        found: dict[str, Campaign] = {}
        for path, name in self._campaign_files():
            before = len(self.problems)
            campaign = self._campaign(path, name, found)
            if not any(problem.severity is Severity.ERROR for problem in self.problems[before:]):
                assert campaign is not None
                found[campaign.name] = campaign
                continue
            self.is_whole = False
            self.flawed.extend(campaign.mailings if campaign else ())
        return tuple(found.values())

    def _campaign(self, path: Path, name: str, found: Mapping[str, Campaign]) -> Campaign | None:
        """The campaign in a file, as far as it can be made out; every problem is told."""
        try:
            document = read_yaml(path, name)
        except FilesInvalid as error:
            self.problems.extend(error.problems)
            return None
        problems = check_document("campaign", document, name)
        self.problems.extend(problems)
        if problems and not drop_invalid("campaign", document):
            return None
        if document["campaign"] in found:
            message = (
                f"the campaign {document['campaign']} stands in {found[document['campaign']].file} already"
            )
            self._problem("DUPLICATE_NAME", message, Location(name, *document.values_at["campaign"]))
        return _CampaignLoader(self, name, document).load()

    def _campaign_files(self) -> list[tuple[Path, str]]:
        patterns = self.document.get("campaigns")
        if patterns is None:
            return find_campaign_files(self.root, [(EVERY_YAML, Location(PROJECT_FILE, 1))], self._problem)
        places = [Location(PROJECT_FILE, *mark) for mark in patterns.items_at]
        return find_campaign_files(self.root, list(zip(patterns, places, strict=True)), self._problem)

    def _suppression(self, entry: Any, location: Location) -> RecipientsFile | None:
        settings = entry if isinstance(entry, YamlMap) else {"file": entry}
        path = self._inside(settings["file"], location)
        return read_file_source(path, settings, location) if path else None

    def _inside(self, name: str, location: Location, *, must_exist: bool = True) -> Path | None:
        """The path `name` of the project, or None and a problem: it leaves the folder, or is not there."""
        path = self.root / name
        if not path.resolve().is_relative_to(self.root):
            self._problem("PATH_OUTSIDE", f"{name} leads out of the project's folder", location)
            return None
        if must_exist and not path.is_file():
            self._problem("FILE_MISSING", why_missing(path, name), location)
            return None
        return path

    def _problem(self, code: str, message: str, location: Location, address: str | None = None) -> None:
        self.problems.append(Problem(Severity.ERROR, code, message, address, location))


class _CampaignLoader:
    def __init__(self, loader: _Loader, file: str, document: YamlMap) -> None:
        self.loader = loader
        self.file = file
        self.document = document

    def load(self) -> Campaign:
        mailings: dict[str, Mailing] = {}
        for index, node in enumerate(self.document["mailings"]):
            mark = self.document["mailings"].items_at[index]
            if node["name"] in mailings:
                message = f"the mailing {node['name']} stands twice in this campaign"
                self.loader._problem("DUPLICATE_NAME", message, self._at(node.values_at["name"]))
                continue
            before = len(self.loader.problems)
            mailing = self._mailing(node, mark)
            if not any(problem.code in _NOT_THERE for problem in self.loader.problems[before:]):
                mailings[mailing.name] = mailing
        return Campaign(self.document["campaign"], self.file, tuple(mailings.values()))

    def _mailing(self, node: YamlMap, mark: Mark) -> Mailing:
        complain = self.loader._problem
        alphaname, alphaname_at = self._setting(node, "alphaname", "0", mark)
        zone_name, zone_at = self._setting(node, "timezone", "Europe/Minsk", mark)
        revision, _ = self._setting(node, "revision", 1, mark)
        zone = read_zone(zone_name, zone_at, complain)
        when, when_at = self._setting(node, "schedule_time", None, mark)
        schedule = read_time(when, zone, when_at, complain) if when is not None and zone is not None else None
        late, _ = self._setting(node, "max_late", None, mark)
        expected = node.get("expect_recipients")
        is_list = "list" in node
        if schedule is not None:
            check_on_wire(schedule, self.loader.account_zone, when_at, complain)
        upload = self._upload(node)
        if (is_list or upload) and "via" in node:
            whose = "mailings with recipients; a list has" if is_list else "other mailings; `upload` has"
            complain("VIA", f"via is for {whose} its own way", self._at(node.keys_at["via"]))
        is_by_minute = is_list or upload or node.get("via") == "single"
        if schedule is not None and schedule.second and is_by_minute:
            message = "a mailing to a list, and one with `upload` or via: single, takes whole minutes"
            complain("WHOLE_MINUTES", message, when_at)
        return Mailing(
            campaign=self.document["campaign"],
            name=node["name"],
            file=self.file,
            location=self._at(mark),
            via="list" if is_list or upload else node.get("via", "bulk"),
            audience=self._audience(node, zone_name),
            text=self._text(node, mark),
            alphaname=str(alphaname),
            alphaname_location=alphaname_at,
            schedule_time=schedule,
            schedule_location=when_at if when is not None else None,
            timezone=zone_name,
            revision=revision,
            on_invalid=node.get("on_invalid", "fail"),
            countries=self._countries(node, mark),
            max_late=None if late is None else read_duration(late),
            expect_recipients=read_expected(expected, self._at(node.values_at["expect_recipients"]), complain)
            if expected
            else None,
            rewrite=read_rewrite(node),
            upload=upload,
        )

    def _upload(self, node: YamlMap) -> Upload | None:
        """That the recipients are uploaded as a contact list; False is as left out."""
        asked = node.get("upload", False)
        if asked is False:
            return None
        place = self._at(node.keys_at["upload"])
        if "list" in node:
            message = "upload makes a list of a mailing's recipients; this one goes to a list that is there"
            self.loader._problem("UPLOAD", message, place)
            return None
        fields = asked.get("fields") if isinstance(asked, YamlMap) else None
        return Upload(None if fields is None else tuple(map(str, fields)), place)

    def _countries(self, node: YamlMap, mark: Mark) -> tuple[str, ...]:
        """`countries` of the mailing, else of the campaign, else of smsby.yaml."""
        for holder, file in (
            (node, self.file),
            (self.document, self.file),
            (self.loader.document, PROJECT_FILE),
        ):
            if "countries" in holder:
                place = Location(file, *holder.values_at["countries"])
                return read_countries(holder["countries"], place, self.loader._problem)
        return (HOME,)

    def _setting(self, node: YamlMap, key: str, default: Any, mark: Mark) -> tuple[Any, Location]:
        """A key of the mailing, else of the campaign, else of the project's defaults."""
        for holder in (node, self.document):
            if key in holder:
                return holder[key], self._at(holder.values_at[key])
        if key in self.loader.defaults:
            return self.loader.defaults[key], Location(PROJECT_FILE, *self.loader.defaults.values_at[key])
        return default, self._at(mark)

    def _audience(self, node: YamlMap, timezone: str) -> Audience:
        if "list" in node:
            return ContactList(str(node["list"]), self._at(node.values_at["list"]))
        recipients, place = node["recipients"], self._at(node.values_at["recipients"])
        if isinstance(recipients, YamlList):
            return read_inline_recipients(recipients, place)
        if "sql" in recipients:
            return read_query_source(
                recipients,
                address=f"{self.document['campaign']}/{node['name']}",
                file=self.file,
                content=self.document.content,
                timezone=timezone,
                environ=self.loader.environ,
            )
        if "parquet" in recipients:
            return read_parquet_source(
                self.loader.root, recipients, place, self.loader._inside, self.loader._problem
            )
        path = self.loader._inside(recipients["file"], self._at(recipients.values_at["file"]))
        return read_file_source(path or self.loader.root / recipients["file"], recipients, place)

    def _text(self, node: YamlMap, mark: Mark) -> TextSource | None:
        if "text" in node:
            at = node.values_at["text"]
            return TextSource(
                str(node["text"]),
                self._at(at),
                self.document.content,
                root=self.loader.root,
                rewrite=read_rewrite(node),
            )
        if "text_file" in node:
            name = node["text_file"]
            path = self.loader._inside(name, self._at(node.values_at["text_file"]))
            if path is None:
                return None
            try:
                text = path.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError:
                self.loader._problem("ENCODING", "it is not UTF-8: save it as UTF-8", Location(name, 1))
                return None
            return TextSource(
                text, Location(name, 1, 1), file=name, root=self.loader.root, rewrite=read_rewrite(node)
            )
        recipients = node.get("recipients")
        own_texts = isinstance(recipients, YamlList) and all(
            isinstance(row, YamlMap) and "text" in row for row in recipients
        )
        if (
            "list" in node
            or node.get("upload", False) is not False
            or (isinstance(recipients, YamlList) and not own_texts)
        ):
            message = "the key text is missing (or text_file, or a text of their own for all recipients)"
            if node.get("upload", False) is not False:
                message = "the key text is missing (or text_file): what is uploaded as a list gets one text"
            self.loader._problem("SCHEMA", message, self._at(mark))
        return None

    def _at(self, mark: Mark) -> Location:
        return Location(self.file, *mark)
