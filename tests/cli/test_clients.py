"""The account that a command works with."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.config.declarations import ApiSettings
from smsby_deploy.config.environments import built_in
from smsby_deploy.errors import TokenRefused
from smsby_deploy.lock.binding import Binding
from smsby_deploy.smsby.facts import NO_FACTS

_API = ApiSettings(built_in("production"))
_ENVIRON = {"SMSBY_API_URL": "https://sms.example/api", "SMSBY_TOKEN": "secret"}


def test_account_depends_on_url_and_token() -> None:
    """Two tokens are two accounts, and without a token there is none."""
    known = AccountAccess(_API, _ENVIRON).id()
    assert AccountAccess(_API, _ENVIRON).binding() == Binding("production", "https://sms.example", known)
    assert AccountAccess(_API, _ENVIRON | {"SMSBY_TOKEN": "other"}).id() != known
    with pytest.raises(TokenRefused):
        AccountAccess(_API, {}).id()


def test_account_outside_a_project_has_no_facts() -> None:
    """Outside a project there are no facts."""
    assert AccountAccess(_API, _ENVIRON).facts() is NO_FACTS


def test_listing_seconds_needs_no_token(tmp_path: Path) -> None:
    """Without a token the account of the facts is not known, so the setting counts."""
    api = _API._replace(facts_file=tmp_path / "smsby.facts.json", reconcile_seconds=12)
    with pytest.raises(TokenRefused):
        AccountAccess(api, {}).facts()
    assert AccountAccess(api, {}).listing_seconds() == 12
