"""The clients of a run, the id of its account, and the facts about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from smsby_deploy.errors import SmsbyUnavailable

if TYPE_CHECKING:
    from smsby_deploy.clock import Clock
    from smsby_deploy.config.declarations import ApiSettings
    from smsby_deploy.lock.binding import Binding
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.facts import AccountFacts
    from smsby_deploy.smsby.send_client import SendClient
    from smsby_deploy.smsby.transport import ReadTransport, SendTransport


_Transport = TypeVar("_Transport", bound="ReadTransport")


def open_reader(api: ApiSettings, environ: Mapping[str, str], clock: Clock) -> ReadClient:
    """A client that cannot send.

    Raises:
        TokenRefused: there is no token.
        SmsbyUnavailable: the token must not be sent to the URL.
        UsageError: SMSBY_API_URL is not a URL.
    """
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.transport import ReadTransport

    facts = facts_of(api, environ)
    return ReadClient(
        _open_transport(ReadTransport, api, environ, clock, call_styles=facts.call_styles), facts
    )


def open_sender(
    api: ApiSettings, environ: Mapping[str, str], clock: Clock, facts: AccountFacts | None = None
) -> SendClient:
    """A client that can send, by `facts` or those of the facts file; raises as open_reader."""
    from smsby_deploy.smsby.send_client import SendClient

    facts = facts or facts_of(api, environ)
    return SendClient(open_send_transport(api, environ, clock, facts), facts)


def open_send_transport(
    api: ApiSettings,
    environ: Mapping[str, str],
    clock: Clock,
    facts: AccountFacts | None = None,
    *,
    token: str | None = None,
) -> SendTransport:
    """The transport of open_sender, perhaps with another `token`; raises as open_reader."""
    from smsby_deploy.smsby.transport import SendTransport

    call_styles = (facts or facts_of(api, environ)).call_styles
    return _open_transport(SendTransport, api, environ, clock, call_styles=call_styles, token=token)


def _open_transport(
    kind: type[_Transport],
    api: ApiSettings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    call_styles: Mapping[str, str],
    token: str | None = None,
) -> _Transport:
    from smsby_deploy.config.environments import read_token, service_url
    from smsby_deploy.smsby.parameters import CallStyle

    return kind(
        service_url(api.environment, environ),
        read_token(api.environment, environ) if token is None else token,
        timeout=api.timeout_seconds,
        requests_per_second=api.requests_per_second,
        body=api.body,
        clock=clock,
        call_styles={name: CallStyle(style) for name, style in call_styles.items()},
    )


def account_of(api: ApiSettings, environ: Mapping[str, str]) -> str:
    """The id of the account that the URL and the token belong to; raises as open_reader."""
    from smsby_deploy.config.environments import read_token, service_url
    from smsby_deploy.plan.plan_file import account_id

    return account_id(service_url(api.environment, environ), read_token(api.environment, environ))


def facts_of(api: ApiSettings, environ: Mapping[str, str]) -> AccountFacts:
    """What is known about the account.

    Raises:
        FilesInvalid: the facts file is not valid.
        TokenRefused, SmsbyUnavailable, UsageError: as open_reader.
    """
    from smsby_deploy.smsby.facts import NO_FACTS, read_facts

    return NO_FACTS if api.facts_file is None else read_facts(api.facts_file, account_of(api, environ))


def listing_seconds(api: ApiSettings, environ: Mapping[str, str]) -> float:
    """How long the account may take to list a mailing, as far as that is known without a token.

    Raises:
        FilesInvalid, UsageError: as facts_of.
    """
    try:
        return facts_of(api, environ).reconcile_seconds(api.reconcile_seconds)
    except SmsbyUnavailable:
        return api.reconcile_seconds


def binding_of(api: ApiSettings, environ: Mapping[str, str]) -> Binding:
    """Where a run sends to; raises as open_reader."""
    from smsby_deploy.config.environments import service_url
    from smsby_deploy.lock.binding import Binding, service_of

    service = service_of(service_url(api.environment, environ))
    return Binding(api.environment.name, service, account_of(api, environ))


def secret_of(api: ApiSettings, environ: Mapping[str, str]) -> str:
    """The secret that seals what is stored in `.smsby/`: URL and token; raises as open_reader."""
    from smsby_deploy.config.environments import read_token, service_url

    return f"{service_url(api.environment, environ)} {read_token(api.environment, environ)}"
