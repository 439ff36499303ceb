"""Where a lock belongs: the service and the account that accepted what it records."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from smsby_deploy.errors import CHECK_TOKEN, Refused
from smsby_deploy.lock.records import Lock

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Binding:
    """An environment, its service (scheme, host and port) and the id of its account."""

    environment: str
    service: str
    account: str | None


def service_of(url: str) -> str:
    """Return the scheme, host and port of `url`; the default port is left out."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    is_default = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{parts.port}"


def check_service(lock: Lock, service: str) -> None:
    """Check that `lock` may be used with `service`.

    A lock without mailings is bound to nothing.

    Raises:
        Refused: what it records was accepted by another service.
    """
    if not lock.is_empty and lock.service not in (None, service):
        raise Refused(
            f"the lock records what {lock.service} accepted, but this run uses {service}",
            hint="check SMSBY_API_URL and api.url, and rehearse with --env sandbox, which has its own lock; if the "
            "service has moved, run `smsby-deploy lock bind`",
        )


def find_binding(lock: Lock, here: Binding, *, is_shown: bool) -> Binding | None:
    """Return the binding that the next write of `lock` records; None if it does not change.

    `is_shown` says whether the list of the account shows a mailing of the lock.

    Raises:
        Refused: the lock belongs to another service, or perhaps to another account.
    """
    check_service(lock, here.service)
    known = Binding(lock.environment or here.environment, lock.service or here.service, lock.account)
    if lock.mailings and not is_shown:
        if lock.account not in (None, here.account):
            raise Refused(
                f"the lock records what account {lock.account} of {lock.service} accepted, but this run uses account "
                f"{here.account}, whose list shows none of its mailings",
                hint=f"{CHECK_TOKEN}; if the token of the same account was replaced, run `smsby-deploy lock bind`",
            )
        return None
    is_recorded = lock.service is not None and known == here
    return None if is_recorded else here
