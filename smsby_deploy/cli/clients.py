"""The account of a run: its clients, its id, and the facts about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyUnavailable

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import ApiSettings
    from smsby_deploy.lock.binding import Binding
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.facts import AccountFacts
    from smsby_deploy.smsby.send_client import SendClient
    from smsby_deploy.smsby.transport import ReadTransport, SendTransport

_Transport = TypeVar("_Transport", bound="ReadTransport")


class AccountAccess(NamedTuple):
    """The account given by the settings and the environment variables, read when needed.

    All but `listing_seconds` raise:
        TokenRefused: there is no token.
        SmsbyUnavailable: the token must not be sent to the URL.
        UsageError: SMSBY_API_URL is not a URL.
        FilesInvalid: the facts file is not valid.
    """

    api: ApiSettings
    environ: Mapping[str, str]

    def url(self) -> str:
        from smsby_deploy.config.environments import service_url

        return service_url(self.api.environment, self.environ)

    def token(self) -> str:
        from smsby_deploy.config.environments import read_token

        return read_token(self.api.environment, self.environ)

    def id(self) -> str:
        """The id of the account that the URL and the token belong to."""
        from smsby_deploy.plan.plan_file import account_id

        return account_id(self.url(), self.token())

    def secret(self) -> str:
        """The secret that seals what is stored in `.smsby/`: URL and token."""
        return f"{self.url()} {self.token()}"

    def binding(self) -> Binding:
        """Where a run sends to."""
        from smsby_deploy.lock.binding import Binding, service_of

        return Binding(self.api.environment.name, service_of(self.url()), self.id())

    def facts(self) -> AccountFacts:
        """What is known about the account."""
        from smsby_deploy.smsby.facts import NO_FACTS, read_facts

        return NO_FACTS if self.api.facts_file is None else read_facts(self.api.facts_file, self.id())

    def listing_seconds(self) -> float:
        """How long the account may take to list a mailing; without a token, as configured.

        Raises:
            FilesInvalid, UsageError: as above.
        """
        try:
            return self.facts().reconcile_seconds(self.api.reconcile_seconds)
        except SmsbyUnavailable:
            return self.api.reconcile_seconds

    def open_reader(self) -> ReadClient:
        """A client that cannot send."""
        from smsby_deploy.smsby.client import ReadClient
        from smsby_deploy.smsby.transport import ReadTransport

        facts = self.facts()
        return ReadClient(self._open(ReadTransport, facts), facts)

    def open_sender(self, facts: AccountFacts | None = None) -> SendClient:
        """A client that can send, by `facts` or those of the facts file."""
        from smsby_deploy.smsby.send_client import SendClient

        facts = facts or self.facts()
        return SendClient(self.open_send_transport(facts), facts)

    def open_send_transport(
        self, facts: AccountFacts | None = None, *, token: str | None = None
    ) -> SendTransport:
        """The transport of `open_sender`, perhaps with another `token`."""
        from smsby_deploy.smsby.transport import SendTransport

        return self._open(SendTransport, facts or self.facts(), token)

    def _open(self, kind: type[_Transport], facts: AccountFacts, token: str | None = None) -> _Transport:
        from smsby_deploy.smsby.parameters import CallStyle

        return kind(
            self.url(),
            self.token() if token is None else token,
            timeout=self.api.timeout_seconds,
            requests_per_second=self.api.requests_per_second,
            body=self.api.body,
            clock=SystemClock(),
            call_styles={name: CallStyle(style) for name, style in facts.call_styles.items()},
            callback_path=self.api.callback_path,
        )
