"""Environments: which account and which lock a run uses, and which URLs may get the token.

Production is the top level of smsby.yaml, `sandbox` is built in, and others are declared under `environments`.

The author of a pull request writes smsby.yaml, and must not be able to read the pipeline's token. So only environment
variables of the process may name an unknown service.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from smsby_deploy.config.project_files import PROJECT_FILE, project_file
from smsby_deploy.config.schema import check_document
from smsby_deploy.config.yaml_nodes import YamlMap, read_yaml
from smsby_deploy.errors import FilesInvalid, SmsbyUnavailable, TokenRefused, UsageError
from smsby_deploy.lock.places import (
    LOCK_BRANCH,
    PRODUCTION,
    SANDBOX,
    GitPlace,
    LockPlace,
    PostgresPlace,
    S3Place,
    SharedPlace,
    copy_name,
)
from smsby_deploy.problems import Location
from smsby_deploy.wording import sentence

API_URL = "SMSBY_API_URL"
CALLBACK_SECRET = "SMSBY_CALLBACK_SECRET"
KNOWN_SERVICES = ("https://app.sms.by", "https://app.startsend.ru")
SANDBOX_URL = "http://127.0.0.1:8025"
_MIN_CALLBACK_SECRET = 32  # characters, like a digest key
_PATH_DIGITS = 32
_NAME = re.compile(r"[a-z][a-z0-9-]{0,9}")
_SANDBOX_TOKEN = "sandbox"  # any token will do, so the real one stays where it is
_NOT_FROZEN = "false"  # the YAML reader leaves scalars as text
_SANDBOX_LOCK = ".smsby/sandbox.lock.json"
_FACTS = "smsby.facts.json"
_SANDBOX_FACTS = ".smsby/sandbox.facts.json"  # nothing of a rehearsal is committed
# No URL that two parsers could read differently: the host of `https://a\@b` is b for one, and a for another.
_URL = re.compile(
    r"https?://(?:[^\s/\\?#@\[\]]*@)?(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s\\?#]*)?",
    re.ASCII | re.IGNORECASE,
)


class Environment(NamedTuple):
    """An account to send to, with its own lock.

    `url` is as written in the files, at `url_location`. `token_env` names the variable with the token; None if any token
    will do, as in the sandbox.
    """

    name: str = PRODUCTION
    url: str = "https://app.sms.by"
    url_location: Location = Location(PROJECT_FILE)
    token_env: str | None = "SMSBY_TOKEN"
    is_limited: bool = False  # only test phones are sent to

    @property
    def is_sandbox(self) -> bool:
        return self.name == SANDBOX

    @property
    def is_rehearsal(self) -> bool:
        """Whether sends here do not count, so that mailings may be sent again and again."""
        return self.is_sandbox or self.is_limited


_BUILT_IN = {PRODUCTION: Environment(), SANDBOX: Environment(SANDBOX, SANDBOX_URL, token_env=None)}


def choose_environment(option: str | None, environ: Mapping[str, str]) -> str:
    """Return the name of the environment: `option`, otherwise SMSBY_ENV, otherwise production.

    Raises:
        UsageError: it is not a valid name.
    """
    name = (environ.get("SMSBY_ENV", "").strip() or PRODUCTION) if option is None else option
    if not _NAME.fullmatch(name):
        raise UsageError(
            "the name of the environment is not valid",
            hint="expected lowercase letters, digits and hyphens, at most 10 characters; see --env and SMSBY_ENV",
        )
    return name


def settings_in(document: YamlMap, name: str) -> YamlMap:
    """Return the settings of the environment `name`; keys that it lacks are inherited.

    Raises:
        UsageError: there is no such environment.
    """
    declared: YamlMap = document.get("environments") or YamlMap(document.mark)
    own = declared.get(name)
    if own is None:
        if name not in _BUILT_IN:
            known = ", ".join(dict.fromkeys((*_BUILT_IN, *declared)))
            raise UsageError(
                sentence("there is no environment {name}", name=name),
                hint=sentence("use one of {known}", known=known),
            )
        own = YamlMap(document.mark)
    merged = YamlMap(document.mark)
    merged.content = document.content
    for source in (document, own):
        merged.update(source)
        merged.values_at.update(source.values_at)
    if name == SANDBOX and "lock" not in own:
        merged.pop("lock", None)  # it never shares a lock with another environment
    return merged


def freeze_in(settings: YamlMap) -> str:
    """Return why these settings freeze sending, on one line; empty if they do not."""
    why: str = settings.get("freeze", _NOT_FROZEN)
    return "" if why == _NOT_FROZEN else " ".join(why.split())


def read_freeze(path: Path, environment: str) -> str:
    """Return why the current smsby.yaml at `path` freezes sending; empty if it does not.

    Raises:
        FilesInvalid: it cannot be read, or is not valid.
        UsageError: it does not have the environment.
    """
    document = read_yaml(project_file(path.parent), path.name)  # a pipe may never end
    if problems := check_document("project", document, path.name):
        raise FilesInvalid(problems)
    return freeze_in(settings_in(document, environment))


def default_lock(name: str) -> str:
    """Return the lock file of an environment that has no key `lock`."""
    return _SANDBOX_LOCK if name == SANDBOX else "smsby.lock.json"


def facts_name(environment: Environment) -> str:
    """Return the path of the facts file, relative to the project folder."""
    return _SANDBOX_FACTS if environment.is_sandbox else _FACTS


def lock_in(document: YamlMap, name: str, environ: Mapping[str, str]) -> tuple[str, SharedPlace | None]:
    """Return an environment's lock file and the store it copies; raises like `settings_in`."""
    return read_lock_place(settings_in(document, name), name, environ)


def find_lock_places(root: Path, environ: Mapping[str, str]) -> list[LockPlace]:
    """Return where the lock of each environment is, except the sandbox's.

    `root` is the folder of a valid project.
    """
    document = read_yaml(root / PROJECT_FILE, PROJECT_FILE)
    names = [name for name in (PRODUCTION, *document.get("environments", ())) if name != SANDBOX]
    places = ((name, *lock_in(document, name, environ)) for name in dict.fromkeys(names))
    return [LockPlace(root / lock, name, shared) for name, lock, shared in places]


def read_lock_place(
    settings: YamlMap, name: str, environ: Mapping[str, str]
) -> tuple[str, SharedPlace | None]:
    """Return the lock file in the `settings` of an environment, and the store it is a copy of."""
    lock: str | YamlMap = settings.get("lock", default_lock(name))
    if isinstance(lock, str):
        return lock, None
    shared: SharedPlace
    if "git" in lock:
        shared = GitPlace(lock["git"], lock.get("ref", LOCK_BRANCH))
    elif "postgres_env" in lock:
        shared = PostgresPlace(lock["postgres_env"], environ.get(lock["postgres_env"]) or None)
    else:
        variable = lock.get("endpoint_env")
        shared = S3Place(lock["s3"], variable, environ.get(variable) or None if variable else None)
    return copy_name(name), shared


def read_environment(settings: YamlMap, name: str) -> Environment:
    """Return the environment `name`, which has these `settings`."""
    environment = _BUILT_IN.get(name, Environment(name))
    environment = environment._replace(is_limited="only_to" in settings)
    if "token_env" in settings:
        environment = environment._replace(token_env=settings["token_env"])
    holders = (settings,) if name == SANDBOX else (settings, settings.get("api") or YamlMap(settings.mark))
    for holder in holders:
        if "url" in holder:
            place = Location(PROJECT_FILE, *holder.values_at["url"])
            return environment._replace(url=holder["url"], url_location=place)
    return environment


def built_in(name: str) -> Environment:
    """Return an environment that needs no project; raises UsageError for any other."""
    if name not in _BUILT_IN:
        raise UsageError(
            f"there is no environment {name}", hint=f"outside a project there are only {', '.join(_BUILT_IN)}"
        )
    return _BUILT_IN[name]


def service_url(environment: Environment, environ: Mapping[str, str]) -> str:
    """Return the URL for requests and token: SMSBY_API_URL, otherwise the one in the files.

    Raises:
        UsageError: SMSBY_API_URL is not a URL, or the sandbox would not be on this machine.
        SmsbyUnavailable: the token must not be sent there.
    """
    override = environ.get(API_URL, "").strip()
    if not override:
        if environment.name == SANDBOX:
            _check_sandbox(environment.url)
        _check_written(environment.url, environment.url_location)
        return environment.url.rstrip("/")
    if not _URL.fullmatch(override) or not _has_port(override):
        raise UsageError(
            f"{API_URL} is not an http or https URL, or has a query",
            hint="for example https://app.sms.by, or what `smsby-deploy sandbox` prints",
        )
    if environment.name == SANDBOX:
        _check_sandbox(override)
    is_far = not is_loopback(override) and ("." in _host(override) or ":" in _host(override))
    if urlsplit(override).scheme == "http" and is_far:
        raise SmsbyUnavailable(
            f"{API_URL} is plain http, which would show the token to the network",
            hint="use https; http is allowed only to this machine and to a host name without a dot",
        )
    return override.rstrip("/")


def read_token(environment: Environment, environ: Mapping[str, str]) -> str:
    """Return the token, which only ever comes from the variable of the environment.

    Raises:
        TokenRefused: the variable is not set.
    """
    if environment.token_env is None:
        return _SANDBOX_TOKEN
    token = environ.get(environment.token_env, "").strip()
    if not token:
        raise TokenRefused(
            f"no token: {environment.token_env} is not set",
            hint=f"export {environment.token_env}=… (the API key of your account at sms.by), or rehearse with "
            f"`--env {SANDBOX}`",
        )
    return token


def read_callback_path(environ: Mapping[str, str], scope: str) -> str:
    """Return the last segment of the callback address, which only sms.by and `listen` know.

    It is an HMAC of project and environment; empty without a secret.

    Raises:
        UsageError: the secret is too short to be one.
    """
    secret = environ.get(CALLBACK_SECRET, "").strip()
    if not secret:
        return ""
    if len(secret) < _MIN_CALLBACK_SECRET:
        raise UsageError(
            f"{CALLBACK_SECRET} is too short: it needs at least {_MIN_CALLBACK_SECRET} characters",
            hint="make one with `openssl rand -hex 32`, and keep it with the other secrets of the pipeline",
        )
    key = secret.encode("utf-8", "surrogateescape")
    return hmac.digest(key, f"smsby-deploy callback {scope}".encode(), "sha256").hex()[:_PATH_DIGITS]


def is_loopback(url: str) -> bool:
    """Return whether `url` leads to this machine."""
    host = _host(url)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_sandbox(url: str) -> None:
    """Check that a rehearsal cannot become a real send.

    Raises:
        UsageError: `url` does not lead to this machine.
    """
    if not is_loopback(url):
        raise UsageError(
            f"the environment {SANDBOX} is only used with a sandbox on this machine, but {API_URL} or "
            "`url` names another machine",
            hint=f"unset {API_URL}, or set it to what `smsby-deploy sandbox` prints",
        )


def _check_written(url: str, place: Location) -> None:
    """Check that a URL in the project's files may get the token.

    Raises:
        SmsbyUnavailable: it is neither a known service nor this machine.
    """
    if url in KNOWN_SERVICES:
        return
    if _URL.fullmatch(url) and _has_port(url):
        if is_loopback(url):
            return
        from smsby_deploy.lock.binding import service_of  # loads records, for which `validate` has no use

        if service_of(url) in KNOWN_SERVICES:
            return
    raise SmsbyUnavailable(
        sentence("the token is not sent to the URL in the project's files: it is not a known service"),
        hint=sentence(
            "known services are {known} and this machine; if the URL is right, set {variable} to it where "
            "the token is set",
            known=", ".join(KNOWN_SERVICES),
            variable=API_URL,
        ),
        location=place,
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # a bracket that is not closed
        return ""


def _has_port(url: str) -> bool:
    """Return whether the port in `url`, if any, is valid."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
