"""Approvals: the signatures that the rules under `approvals` require.

A signature covers environment, address, revision, content and audience digest, time, settings, and which recipients had
opted out; it stays valid after later opt-outs. Each is a separate file in approvals/, so pull requests with approvals never
conflict.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from smsby_deploy.config.declarations import ApprovalPolicy, ApprovalRule, Guardrails, Mailing, Project
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.project_loader import campaign_inputs
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.git import Author, find_author
from smsby_deploy.lock.document_checks import check_approval
from smsby_deploy.plan.audience_source import hash_source
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.fingerprint import canonical_json, hash_json
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.suppression import count_gone_opt_outs
from smsby_deploy.texts.reviewed_text import included_texts
from smsby_deploy.wording import sentence

FOLDER = "approvals"
APPROVAL = "APPROVAL"
_MAX_BYTES = 10_000_000
NAMESPACE = "smsby-deploy"  # so that a signature made for git or a file does not count for a mailing
_TIMEOUT = 60.0  # seconds, to verify; a user who signs may take longer
_PATTERN = frozenset("*?!")  # a name with one of these is a pattern


class SignedMailing(NamedTuple):
    """The properties of one mailing that a signature covers.

    `schedule_time` is in ISO format with offset. If it is `fresh`, its audience may change until the hand-over.
    `settings_digest` comes from `hash_settings`. `recipients` is the number after opt-outs; None if only sms.by knows.
    `opted_out` holds the positions of recipients who had opted out, in the format of `write_positions`; None if only sms.by
    knows the audience, or if it has changed since.
    """

    address: str
    revision: int
    content_digest: str
    audience_digest: str
    schedule_time: str | None
    fresh: bool
    settings_digest: str
    recipients: int | None
    opted_out: str | None

    @classmethod
    def of(cls, mailing: Mailing, desired: Desired, rails: Guardrails) -> SignedMailing:
        """Return what a signature of a mailing would cover now."""
        time = desired.schedule_time
        return cls(
            desired.address,
            desired.revision,
            desired.content_digest,
            desired.audience_digest,
            None if time is None else time.isoformat(),
            mailing.is_fresh,
            hash_settings(mailing, rails),
            desired.recipients,
            desired.opted_out,
        )

    def covers(self, now: SignedMailing) -> bool:
        """Whether `now` is what was signed, and goes to no further recipients.

        Recipients may have opted out since, but those who had opted out then must not get it now.
        """
        then, current = (one._replace(recipients=None, opted_out=None) for one in (self, now))
        if then != current:
            return False
        if self.recipients is not None and now.recipients is not None and now.recipients > self.recipients:
            return False
        is_known = self.opted_out is not None and now.opted_out is not None
        return not is_known or count_gone_opt_outs(self.opted_out or "", now.opted_out or "") == 0


def hash_settings(mailing: Mailing, rails: Guardrails) -> str:
    """Return a digest of how and whether a mailing is sent; others cover text, time and rows."""
    release = mailing.release
    settings = {
        "via": mailing.via,
        "source": hash_source(mailing, rails),
        "upload": None if mailing.upload is None else mailing.upload.fields,
        "max_late": _seconds(mailing.max_late),
        "release": None if release is None else [_seconds(one) for one in release],
        "priority": mailing.priority,
        "labels": dict(mailing.labels),
    }
    return hash_json(settings)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


class Size(NamedTuple):
    """The total recipients and cost of some mailings; None if unknown."""

    recipients: int | None
    cost: Decimal | None

    @classmethod
    def total(cls, sizes: Sequence[Size]) -> Size:
        """Return the sum; what is unknown of one is unknown of all."""
        recipients = [one.recipients for one in sizes if one.recipients is not None]
        costs = [one.cost for one in sizes if one.cost is not None]
        return cls(
            sum(recipients) if len(recipients) == len(sizes) else None,
            sum(costs, Decimal(0)) if len(costs) == len(sizes) else None,
        )


class ApprovalFile(NamedTuple):
    """One signature, over the mailings of one plan."""

    name: str
    signed: dict[str, Any]
    signature: str
    mailings: Mapping[str, SignedMailing]  # by address


class Signatures(NamedTuple):
    """The signers of a mailing, and what it lacks; `lack` is None if it lacks nothing."""

    names: tuple[str, ...]
    lack: str | None


@dataclass(slots=True)
class ApprovalCheck:
    """Judges mailings by the approvals in the project.

    Approvals are read and verified only when they are needed; unusable ones are added to `problems`.
    """

    project: Project
    policy: ApprovalPolicy
    now: datetime
    problems: list[Problem]
    _read: list[ApprovalFile] | None = None
    _names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by the name of the file
    _authors: dict[str, Author] = field(default_factory=dict)

    def judge(
        self, mailing: Mailing, signed: SignedMailing, size: Size, sizes: Mapping[str, Size]
    ) -> Signatures:
        """Return who signed `mailing`, and what the strictest unmet rule lacks.

        The mailings of a campaign that are sent together count together, so that splitting one does not avoid a rule.
        `sizes` has these mailings, and perhaps others, by address.

        Raises:
            SmsbyDeployError: ssh-keygen is missing.
        """
        campaign = f"{mailing.campaign}/"
        own = (one for one in sizes if one.startswith(campaign) and one != mailing.address)
        together = Size.total([size, *map(sizes.__getitem__, own)])
        rules = [rule for rule in self.policy.rules if _applies(rule, mailing, together)]
        if not rules:
            return Signatures((), None)
        persons = self._find_persons(signed)
        names = tuple(sorted(person[0] for person in persons))
        strictest_first = sorted(rules, key=lambda rule: -rule.need)
        lacks = (
            self._find_lack(rule, mailing, persons, is_alone=_applies(rule, mailing, size))
            for rule in strictest_first
        )
        return Signatures(names, next((lack for lack in lacks if lack), None))

    def _find_lack(
        self, rule: ApprovalRule, mailing: Mailing, persons: Sequence[tuple[str, ...]], *, is_alone: bool
    ) -> str | None:
        """Return which signatures a rule lacks; `is_alone`: it applies even to this mailing alone."""
        counting = list(persons)
        aside = "" if is_alone else sentence("; the mailings of its campaign count together")
        if rule.is_without_author:
            authors = self._authors_of(mailing)
            unknown = next((one.why_unknown for one in authors.values() if not one.email), "")
            emails = {one.email: file for file, one in reversed(authors.items())}
            counting = [
                one for one in persons if not unknown and emails.keys().isdisjoint(map(str.casefold, one))
            ]
            if unknown:
                aside += sentence("; no signature counts while {why}", why=unknown)
            elif len(counting) < len(persons):
                who = {name.casefold() for one in persons if one not in counting for name in one}
                file = next(file for email, file in emails.items() if email in who)
                aside += sentence("; the author of the last commit of {file} does not count", file=file)
        if len(counting) >= rule.need:
            return None
        return sentence(
            "it needs {need:signature|signatures} and has {count}{who}{aside}; sign its plan: smsby-deploy approve PLANFILE",
            need=rule.need,
            count=len(counting),
            who=f" ({', '.join(sorted(one[0] for one in counting))})" if counting else "",
            aside=aside,
        )

    def _find_persons(self, signed: SignedMailing) -> list[tuple[str, ...]]:
        """Return the names of each signer; two keys that share a name, in any case, are one person."""
        persons: list[tuple[str, ...]] = []
        for approval in self._files():
            then = approval.mailings.get(signed.address)
            if then is None or not then.covers(signed):
                continue
            names = self._verify(approval)
            if not names:
                continue
            folded = set(map(str.casefold, names))
            same = [one for one in persons if not folded.isdisjoint(map(str.casefold, one))]
            persons = [one for one in persons if one not in same]
            persons.append(tuple(dict.fromkeys(name for one in (*same, names) for name in one)))
        return persons

    def _verify(self, approval: ApprovalFile) -> tuple[str, ...]:
        if approval.name not in self._names:
            content = canonical_json(approval.signed)
            names = find_signer(content, approval.signature, self.policy.path, self.now)
            if not names:
                message = sentence(
                    "its signature does not count: it was not made by a key in {file} that is valid now",
                    file=self.policy.name,
                )
                self.problems.append(_problem(message, approval.name))
            self._names[approval.name] = names
        return self._names[approval.name]

    def _files(self) -> Iterable[ApprovalFile]:
        """Return the approvals of this project and environment."""
        if self._read is None:
            self._read = []
            for path in sorted((self.project.root / FOLDER).glob("*.json")):
                try:
                    approval = read_approval(path)
                except (OSError, ValueError, RecursionError):
                    message = sentence("not an approval of this version, or edited; sign the plan again")
                    self.problems.append(_problem(message, f"{FOLDER}/{path.name}"))
                    continue
                place = (approval.signed["project"], approval.signed["environment"])
                if place == (self.project.name, self.project.environment.name):
                    self._read.append(approval)
        return self._read

    def _authors_of(self, mailing: Mailing) -> dict[str, Author]:
        """Return the authors, by file, of its campaign, each text, and its list if git has it.

        The author of a text must not count as a signer, even if another user wrote the campaign file.
        """
        own = (one.file for one in mailing.text_sources if one.file)
        written = (mailing.file, *own, *included_texts(mailing.text))
        authors = {file: self._author_of(file) for file in written}
        root = self.project.root
        inputs = (path for path in campaign_inputs(self.project, mailing) if path.is_relative_to(root))
        lists = (path.relative_to(root).as_posix() for path in inputs)
        found = {file: self._author_of(file) for file in lists if file not in (*authors, PROJECT_FILE)}
        return authors | {file: author for file, author in found.items() if author.email}

    def _author_of(self, file: str) -> Author:
        if file not in self._authors:
            self._authors[file] = find_author(self.project.root, file)
        return self._authors[file]


def _applies(rule: ApprovalRule, mailing: Mailing, size: Size) -> bool:
    """Whether a rule applies; an unknown number counts as over the limit."""
    if any(mailing.labels.get(key) != value for key, value in rule.labels.items()):
        return False
    if rule.people_over is not None and size.recipients is not None and size.recipients <= rule.people_over:
        return False
    return rule.cost_over is None or size.cost is None or size.cost > rule.cost_over


def _problem(message: str, name: str) -> Problem:
    return Problem(Severity.WARNING, APPROVAL, message, location=Location(name))


# --- Files -----------------------------------------------------------------------------------------------------------


def read_approval(path: Path) -> ApprovalFile:
    """Return the approval in `path`.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is not an approval.
    """
    if path.is_symlink() or path.stat().st_size > _MAX_BYTES:
        raise ValueError("a link, or too large")
    document = json.loads(path.read_text(encoding="utf-8"))
    check_approval(document)
    signature = document.pop("signature")
    mailings = {one["address"]: SignedMailing(**one) for one in document["mailings"]}
    return ApprovalFile(f"{FOLDER}/{path.name}", document, signature, mailings)


# --- SSH signatures, made and verified by ssh-keygen: keys in files, agents and hardware work as for git ---------------


def sign(content: bytes, key: Path) -> str:
    """Return the armored signature of `content`.

    `key` is a private key, or a public one whose private key an agent holds. ssh-keygen asks for a passphrase itself.

    Raises:
        SmsbyDeployError: ssh-keygen is missing or fails.
    """
    done = _run("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), content=content, timeout=None)
    if done.returncode != 0:
        raise SmsbyDeployError(
            f"ssh-keygen did not sign with {key.name}", hint="name a private key that you can use with --key"
        )
    return done.stdout.decode("ascii", "replace")


def find_signer(content: bytes, signature: str, signers: Path, now: datetime) -> tuple[str, ...]:
    """Return the names under which the file `signers` lists the key that signed `content`.

    Return () if it does not list the key, if the key is not valid at `now`, or if the signature is not over `content`.
    Patterns are not names.

    Raises:
        SmsbyDeployError: ssh-keygen is missing.
    """
    # Local time, because older versions of ssh-keygen accept no time zone.
    valid_at = f"-Overify-time={now.astimezone():%Y%m%d%H%M%S}"
    with _stored(signature) as file:
        found = _run("-Y", "find-principals", "-s", file, "-f", str(signers), valid_at)
        if found.returncode != 0:
            return ()
        names = tuple(
            name
            for name in found.stdout.decode("utf-8", "replace").splitlines()
            if name and not _PATTERN & set(name)
        )
        if not names:
            return ()
        verify = ("-Y", "verify", "-n", NAMESPACE, "-I", names[0], "-s", file, "-f", str(signers), valid_at)
        return names if _run(*verify, content=content).returncode == 0 else ()


@contextmanager
def _stored(signature: str) -> Iterator[str]:
    """Put the signature into a temporary file for ssh-keygen."""
    with TemporaryDirectory(prefix="smsby-deploy-") as folder:
        path = Path(folder) / "signature"
        path.write_bytes(signature.replace("\r\n", "\n").encode())  # it may come from Windows
        yield str(path)


def _run(
    *arguments: str, content: bytes = b"", timeout: float | None = _TIMEOUT
) -> subprocess.CompletedProcess[bytes]:
    command: Sequence[str] = ("ssh-keygen", *arguments)
    try:
        return subprocess.run(  # noqa: S603  # fixed commands
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise SmsbyDeployError(
            "ssh-keygen, which makes and verifies signatures, is not installed",
            hint="install OpenSSH (openssh-client)",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SmsbyDeployError("ssh-keygen did not finish", hint="run the command again") from error
