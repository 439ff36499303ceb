"""notify: a failure is reported by the name of the variable, and never holds up the command."""

from __future__ import annotations

import sys
from threading import Event

import pytest

from smsby_deploy import notify
from smsby_deploy.notify import Notification, NotificationKind, notify_all

apprise = pytest.importorskip("apprise")

_NEWS = Notification(NotificationKind.SUCCESS, "shop: done", "sale/vip: sent")


def test_off_switch_keeps_a_run_quiet() -> None:
    """With the off switch nothing is sent, and unset variables are not reported."""
    assert list(notify_all(_NEWS, ["A"], {"SMSBY_NOTIFY": " Off "})) == []
    assert list(notify_all(_NEWS, ["A"], {})) == ["no notification to A: it is not set"]


def test_service_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a service never answers, the command continues without it."""
    monkeypatch.setattr(notify, "_TIMEOUT", 0.01)
    forever = Event()
    monkeypatch.setattr(apprise.Apprise, "notify", lambda self, **_: forever.wait())
    try:
        (problem,) = notify_all(_NEWS, ["A"], {"A": "json://127.0.0.1/hush"})
    finally:
        forever.set()
    assert problem.startswith("no notification to A: no answer within")


def test_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the library is not installed, the extra is named."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    (problem,) = notify_all(_NEWS, ["A"], {"A": "json://127.0.0.1"})
    assert "pip install 'smsby-deploy[notify]'" in problem


def test_every_kind_is_one_of_the_library() -> None:
    """Every kind of notification exists in the library under the same name."""
    assert {kind.value for kind in NotificationKind} <= {kind.value for kind in apprise.NotifyType}
