"""A lock belongs to the service and the account that accepted what it records."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from smsby_deploy.errors import Refused
from smsby_deploy.lock.binding import Binding, check_service, find_binding, service_of
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.lock.serialization import read_lock, write_lock
from tests.lock.examples import entry

HERE = Binding("production", "https://app.sms.by", "0123456789ab")
OTHER_ACCOUNT = replace(HERE, account="ba9876543210")
SANDBOX = Binding("production", "http://127.0.0.1:8080", "0123456789ab")
EMPTY = Lock("shop", lineage="line")
OLD = replace(EMPTY, mailings={"a/b": entry(ChunkState.ACCEPTED)})


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://app.sms.by", "https://app.sms.by"),
        ("https://APP.sms.by:443/api/", "https://app.sms.by"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_service_of_is_scheme_host_and_port(url: str, service: str) -> None:
    """Path, case of the host and default port do not change a service."""
    assert service_of(url) == service


def test_lock_without_mailings_is_bound_to_nothing() -> None:
    """A lock without mailings is bound to its next service, even if it was used elsewhere before."""
    assert find_binding(EMPTY, HERE, is_shown=False) == HERE
    assert find_binding(replace(EMPTY, **asdict(SANDBOX)), HERE, is_shown=False) == HERE


def test_old_lock_is_bound_once_its_mailing_is_listed() -> None:
    """A lock of an older version is bound once the list shows one of its mailings."""
    assert find_binding(OLD, HERE, is_shown=False) is None
    assert find_binding(OLD, HERE, is_shown=True) == HERE
    assert find_binding(replace(OLD, **asdict(HERE)), HERE, is_shown=True) is None
    account_alone = replace(OLD, account=HERE.account)
    assert find_binding(account_alone, HERE, is_shown=True) == HERE
    with pytest.raises(Refused):
        find_binding(account_alone, OTHER_ACCOUNT, is_shown=False)


@pytest.mark.parametrize("is_shown", [True, False])
def test_other_service_is_refused(is_shown: bool) -> None:
    """Another service is refused, whatever is listed there, since ids of two services may be equal; the error names both."""
    lock = replace(OLD, **asdict(SANDBOX))
    with pytest.raises(Refused, match=r"127\.0\.0\.1:8080 .*https://app\.sms\.by") as caught:
        find_binding(lock, HERE, is_shown=is_shown)
    assert caught.value.exit_code == 4 and "lock bind" in caught.value.hint
    with pytest.raises(Refused):
        check_service(lock, HERE.service)


def test_other_token_is_the_same_account_if_it_lists_ours() -> None:
    """Another token is the same account if its list shows a mailing of the lock; if not, the error names both accounts."""
    lock = replace(OLD, **asdict(HERE))
    assert find_binding(lock, OTHER_ACCOUNT, is_shown=True) == OTHER_ACCOUNT
    with pytest.raises(Refused, match=r"0123456789ab .*ba9876543210"):
        find_binding(lock, OTHER_ACCOUNT, is_shown=False)


def test_binding_is_written_and_read_back() -> None:
    """A binding is read back as written, and an unbound lock is written as before."""
    lock = replace(EMPTY, **asdict(HERE))
    assert read_lock(write_lock(lock), "lock") == lock
    assert '"service"' not in write_lock(EMPTY)
