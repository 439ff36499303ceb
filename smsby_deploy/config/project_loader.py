"""Reads the files of a project into typed declarations, and collects all problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os.path import lexists
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from smsby_deploy.clock import read_duration
from smsby_deploy.config.campaign_loader import CampaignContext, load_campaign
from smsby_deploy.config.declarations import (
    ApiSettings,
    ApprovalPolicy,
    Campaign,
    Guardrails,
    Mailing,
    Project,
)
from smsby_deploy.config.environments import (
    API_URL,
    default_lock,
    facts_name,
    freeze_in,
    is_loopback,
    lock_in,
    read_callback_path,
    read_environment,
    read_lock_place,
    service_url,
    settings_in,
)
from smsby_deploy.config.project_files import (
    IMPOSSIBLE_PATH,
    PROJECT_FILE,
    campaign_files,
    is_impossible,
    project_file,
    resolve_inside,
)
from smsby_deploy.config.recipient_sources import read_file_source, read_query_source
from smsby_deploy.config.scalars import read_zone
from smsby_deploy.config.schema import check_document, drop_invalid
from smsby_deploy.config.settings import (
    check_project_name,
    key_locations,
    read_approval_rules,
    read_guardrails,
    read_price,
)
from smsby_deploy.config.sources import HOME_TIMEZONE, OptOuts, RecipientsFile, RecipientsParquet
from smsby_deploy.config.yaml_nodes import YamlFiles, YamlMap, read_yaml
from smsby_deploy.digest_key import read_digest_key
from smsby_deploy.errors import FilesInvalid, SmsbyUnavailable, UsageError
from smsby_deploy.files import may_be_file, real_path
from smsby_deploy.lock.places import PRODUCTION, SANDBOX, LockPlace, SharedPlace, scope_of
from smsby_deploy.problems import Location, Problem, ProblemLog, has_errors
from smsby_deploy.wording import join_sentences, sentence

_LONGEST_LOCK_SUFFIX = 32  # of the files next to a lock, which have its name and a suffix
ANY_ADDRESS = "*"  # concerned by problems of a file whose campaign cannot be read
PROJECT_SUBFOLDER = "campaigns"  # the usual place of a project in a larger repository


class LoadedProject(NamedTuple):
    """The valid part of a project, and every problem of its files.

    `flawed` are invalid mailings, and those of invalid campaigns. They are never planned, but their recipients and texts are
    also checked for problems. `is_whole` is False if some mailings may be in neither. `concerns` maps each problem that does
    not concern the whole project to the addresses it may concern: `sale/vip`, `sale/*`, or `*` if a campaign's name cannot
    be read.
    """

    project: Project
    problems: tuple[Problem, ...]
    flawed: tuple[Mailing, ...] = ()
    is_whole: bool = True
    concerns: Mapping[Problem, frozenset[str]] = MappingProxyType({})

    @property
    def all_mailings(self) -> tuple[Mailing, ...]:
        return (*self.project.mailings, *self.flawed)


class ProjectFlawed(FilesInvalid):
    """smsby.yaml breaks its schema; `loaded` is the rest, in which more problems can be found."""

    def __init__(self, loaded: LoadedProject) -> None:
        super().__init__(loaded.problems)
        self.loaded = loaded


def find_project(option: str | None, environ: Mapping[str, str]) -> Path:
    """Return the project folder: `option`, SMSBY_PROJECT, ./ or ./campaigns/, in that order.

    Raises:
        UsageError: no smsby.yaml there.
    """
    if option == "":
        # An unset variable of a pipeline must not select the project that happens to be here.
        raise UsageError("-C: the name of the project folder is empty", hint="name a folder, or leave out -C")
    asked = option or environ.get("SMSBY_PROJECT")
    if asked and is_impossible(asked):
        raise UsageError(f"the project folder: {IMPOSSIBLE_PATH}", hint="see -C and SMSBY_PROJECT")
    for folder in [Path(asked)] if asked else [Path(), Path(PROJECT_SUBFOLDER)]:
        if may_be_file(folder / PROJECT_FILE) or lexists(folder / PROJECT_FILE):
            return real_path(folder)
    raise UsageError(
        f"no {PROJECT_FILE} in {asked or 'this folder or in campaigns/'}",
        hint="name the project folder with -C, or create a project with: smsby-deploy init",
    )


def load_project(
    folder: Path, environ: Mapping[str, str] | None = None, environment: str = PRODUCTION
) -> LoadedProject:
    """Load the project in `folder` for an environment; `environ` has the URLs of databases.

    Raises:
        FilesInvalid: smsby.yaml cannot be used; as ProjectFlawed if the rest could be loaded.
        UsageError: there is no such environment.
    """
    root = real_path(folder)
    document = read_yaml(project_file(root), PROJECT_FILE)
    problems = check_document("project", document, PROJECT_FILE)
    if not problems:
        return _ProjectLoader(root, document, environ or {}, environment).load()
    had_environments = "environments" in document
    is_usable = drop_invalid("project", document)
    are_dropped = had_environments and "environments" not in document
    if not is_usable or (are_dropped and environment not in (PRODUCTION, SANDBOX)):
        raise FilesInvalid(problems)
    loaded = _ProjectLoader(root, document, environ or {}, environment).load()
    raise ProjectFlawed(loaded._replace(problems=(*problems, *loaded.problems)))


def check_environments(
    folder: Path,
    environ: Mapping[str, str],
    check_phones: Callable[[Sequence[Any], Location], Iterable[Problem]],
    only: str | None = None,
) -> tuple[Problem, ...]:
    """Return the problems in the settings of all environments, or of `only` one; no campaigns.

    `check_phones` returns the problems of test phones. Violations of the schema are left to `load_project`.
    """
    document = read_yaml(folder / PROJECT_FILE, PROJECT_FILE)
    if check_document("project", document, PROJECT_FILE):
        return ()
    log = ProblemLog()
    locks: dict[Path, str] = {}
    declared: YamlMap = document.get("environments") or YamlMap(document.mark)
    for name in (only,) if only else dict.fromkeys((PRODUCTION, SANDBOX, *declared)):
        lock, problems = _ProjectLoader(real_path(folder), document, environ, name).check()
        log.extend(problems)
        settings = settings_in(document, name)
        if "test_phones" in settings:
            log.extend(check_phones(settings["test_phones"], key_locations(settings)["test_phones"]))
        if (other := locks.setdefault(real_path(lock), name)) != name:
            place = Location(PROJECT_FILE, *(declared.values_at[name] if name in declared else document.mark))
            message = sentence(
                "{name} has the same lock as {other}, which is refused once either has sent; give it its own `lock`",
                name=name,
                other=other,
            )
            log.warning("ENVIRONMENT", message, place)
    return log.distinct()


def campaign_inputs(project: Project, mailing: Mailing) -> tuple[Path, ...]:
    """Return the files that determine a mailing; suppression files are not among them."""
    names = [PROJECT_FILE, mailing.file]
    if isinstance(mailing.audience, RecipientsFile):
        names.append(mailing.audience.name)
    elif isinstance(mailing.audience, RecipientsParquet):
        names.extend(name for _, name in mailing.audience.files)
    names.extend(source.file for source in mailing.text_sources if source.file)
    return tuple(project.root / name for name in dict.fromkeys(names))


class _ProjectLoader:
    def __init__(self, root: Path, document: YamlMap, environ: Mapping[str, str], environment: str) -> None:
        self._root = root
        self._whole = document
        self._document = document = settings_in(document, environment)
        self._environment = environment
        self._environ = environ
        self._log = ProblemLog()
        self._files = YamlFiles()
        self._locations = key_locations(document)
        self._flawed: list[Mailing] = []
        self._concerns: dict[Problem, frozenset[str]] = {}
        self._is_whole = True

    def check(self) -> tuple[Path, Sequence[Problem]]:
        """Return the lock and the problems of this environment's settings; campaigns are not read."""
        api = self._api()
        if not self._environ.get(API_URL):  # which takes precedence
            try:
                service_url(api.environment, {})
            except (UsageError, SmsbyUnavailable) as error:
                place = api.environment.url_location
                self._log.warning("ENVIRONMENT", join_sentences([error.message, error.hint]), place)
        self._account_zone(api)
        self._guardrails()
        self._approvals()
        self._opt_outs()
        self._rehearsal()
        return self._lock()[0], self._log.distinct()

    def load(self) -> LoadedProject:
        document = self._document
        api = self._api()
        check_project_name(document["project"], self._locations["project"], self._log)
        self._check_facts(api)
        account_zone = self._account_zone(api)
        if account_zone is None:  # reported; code that only looks for more problems needs a valid one
            api = api._replace(account_timezone=ApiSettings().account_timezone)
        digest_key = read_digest_key(self._environ)
        context = CampaignContext(self._root, document, account_zone, self._environ, self._log, digest_key)
        lock, shared_lock = self._lock()
        project = Project(
            root=self._root,
            name=document["project"],
            api=api,
            guardrails=self._guardrails(),
            price=read_price(document["price"]) if "price" in document else None,
            suppress=self._opt_outs(),
            lock=lock,
            shared_lock=shared_lock,
            campaigns=self._campaigns(context),
            locations=self._locations,
            rehearsed_in=self._rehearsal(),
            freeze=freeze_in(document),
            notify=tuple(document.get("notify", ())),
            approvals=self._approvals(),
            test_phones=tuple(map(str, document["test_phones"])) if "test_phones" in document else None,
            digest_key=digest_key,
            language=document.get("language", "en"),
            timezone=self._timezone(),
            settle_after=read_duration((document.get("status") or {}).get("settle_after", "72h")),
        )
        problems, flawed = self._log.distinct(), tuple(self._flawed)
        return LoadedProject(project, problems, flawed, self._is_whole, self._concerns)

    def _api(self) -> ApiSettings:
        settings = {key: value for key, value in (self._document.get("api") or {}).items() if key != "url"}
        environment = read_environment(self._document, self._environment)
        if environment.is_limited and not self._document.get("test_phones"):
            message = sentence("only_to: there are no `test_phones`")
            self._log.error("ENVIRONMENT", message, self._locations["only_to"])
        facts_file = self._root / facts_name(environment)
        callback_path = read_callback_path(
            self._environ, scope_of(self._document["project"], self._environment)
        )
        api = ApiSettings(environment, **settings, callback_path=callback_path, facts_file=facts_file)
        if urlsplit(api.callback_url).scheme == "http" and not is_loopback(api.callback_url):
            message = sentence(
                "callback_url: plain http shows phones and their statuses to the network; use https"
            )
            self._log.warning("CALLBACK_HTTP", message, self._locations["api.callback_url"])
        return api

    def _check_facts(self, api: ApiSettings) -> None:
        if api.facts_file is not None and api.facts_file.exists():
            from smsby_deploy.smsby.facts import read_accounts  # few projects have the file

            try:
                read_accounts(api.facts_file)
            except FilesInvalid as error:
                self._log.extend(error.problems)

    def _account_zone(self, api: ApiSettings) -> ZoneInfo | None:
        place = self._locations.get("api.account_timezone", Location(PROJECT_FILE, 1))
        return read_zone(api.account_timezone, place, self._log)

    def _guardrails(self) -> Guardrails:
        settings = self._document.get("guardrails") or YamlMap((1, 1))
        return read_guardrails(settings, "price" in self._document, self._log)

    def _campaigns(self, context: CampaignContext) -> tuple[Campaign, ...]:
        """Return the valid campaigns; mailings that are not valid are kept in `_flawed`."""
        valid: dict[str, Campaign] = {}
        before = len(self._log)
        files = campaign_files(self._root, self._document.get("campaigns"), self._log)
        self._is_whole = not has_errors(self._log.since(before))
        for path, name in files:
            count = len(self._log)
            document, addresses = self._read_campaign(path, name)
            if document is not None and (other := valid.get(document["campaign"])) is not None:
                message = sentence(
                    "duplicate campaign name {name}, already used in {file}", name=other.name, file=other.file
                )
                self._log.error("DUPLICATE_NAME", message, Location(name, *document.values_at["campaign"]))
            found = self._log.since(count)
            self._concern(found, addresses)
            self._is_whole &= not has_errors(found)
            if document is None:
                continue
            campaign, flawed, concerns = load_campaign(context, name, document)
            for problem, address in concerns:
                self._concern([problem], address)
            self._flawed.extend(flawed)
            if has_errors(found):
                self._flawed.extend(campaign.mailings)
            else:
                valid[campaign.name] = campaign
        return tuple(valid.values())

    def _concern(self, problems: Iterable[Problem], addresses: str) -> None:
        for problem in problems:
            self._concerns[problem] = self._concerns.get(problem, frozenset()) | {addresses}

    def _read_campaign(self, path: Path, name: str) -> tuple[YamlMap | None, str]:
        """Return the valid parts of a campaign file (None if unusable), and the addresses in it."""
        try:
            document = self._files.read(path, name)
        except FilesInvalid as error:
            self._log.extend(error.problems)
            return None, ANY_ADDRESS
        problems = check_document("campaign", document, name)
        self._log.extend(problems)
        is_usable = not problems or drop_invalid("campaign", document)
        campaign = document.get("campaign")
        addresses = f"{campaign}/*" if isinstance(campaign, str) else ANY_ADDRESS
        return document if is_usable else None, addresses

    def _opt_outs(self) -> tuple[OptOuts, ...]:
        if "suppress" not in self._document:
            return ()
        entries = self._document["suppress"]
        found = (
            self._opt_outs_of(entry, Location(PROJECT_FILE, *mark), number)
            for number, (entry, mark) in enumerate(zip(entries, entries.items_at, strict=True), 1)
        )
        return tuple(one for one in found if one is not None)

    def _opt_outs_of(self, entry: YamlMap | str, place: Location, number: int) -> OptOuts | None:
        """Return the entry `number` of `suppress`; None, and an error, if its file does not exist."""
        settings: Mapping[str, Any] = entry if isinstance(entry, YamlMap) else {"file": entry}
        on_invalid = settings.get("on_invalid", "fail")
        if isinstance(entry, YamlMap) and "sql" in entry:
            query = read_query_source(
                entry,
                name=f"sql:suppress/{number}",
                file=PROJECT_FILE,
                content=self._document.content,
                timezone=self._timezone(),
                environ=self._environ,
            )
            return OptOuts(query._replace(may_tie=True), on_invalid)
        path = resolve_inside(self._root, settings["file"], place, self._log)
        if path is None:
            return None
        return OptOuts(
            read_file_source(path, settings, place, self._environ)._replace(is_opt_outs=True), on_invalid
        )

    def _timezone(self) -> str:
        """Return the default time zone, that of mailings which set none."""
        name = (self._document.get("defaults") or {}).get("timezone", HOME_TIMEZONE)
        place = self._locations.get("defaults.timezone", Location(PROJECT_FILE))
        return HOME_TIMEZONE if read_zone(name, place, self._log) is None else name

    def _rehearsal(self) -> LockPlace | None:
        """Return where mailings must have been rehearsed; an unknown environment is an error."""
        name = self._document.get("rehearsed_in")
        if name is None or name == self._environment:
            return None
        place = self._locations["rehearsed_in"]
        try:
            lock, shared = lock_in(self._whole, name, self._environ)
        except UsageError as error:
            why = join_sentences([error.message, error.hint])
            self._log.error("ENVIRONMENT", sentence("rehearsed_in: {why}", why=why), place)
            return None
        path = resolve_inside(self._root, lock, place, self._log, must_exist=False, is_lock=True)
        return None if path is None else LockPlace(path, name, shared)

    def _approvals(self) -> ApprovalPolicy | None:
        """Return which signatures mailings need; without the file of signers, no signature counts."""
        if "approvals" not in self._document:
            return None
        settings, place = self._document["approvals"], self._locations["approvals.signers"]
        path = resolve_inside(self._root, settings["signers"], place, self._log)
        rules = read_approval_rules(settings["rules"], "price" in self._document, self._log)
        return ApprovalPolicy(path or self._root / settings["signers"], settings["signers"], rules)

    def _lock(self) -> tuple[Path, SharedPlace | None]:
        name, shared = read_lock_place(self._document, self._environment, self._environ)
        place = self._locations.get("lock", Location(PROJECT_FILE))
        if is_impossible(f"{name}{'x' * _LONGEST_LOCK_SUFFIX}"):
            self._log.error("FILE_MISSING", IMPOSSIBLE_PATH, place)
            return self._root / default_lock(self._environment), None
        path = resolve_inside(self._root, name, place, self._log, must_exist=False, is_lock=True)
        return path or self._root / default_lock(self._environment), shared
