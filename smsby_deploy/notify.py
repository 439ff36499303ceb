"""Notifications through Apprise, to chats, mail and web hooks.

The URLs come from environment variables only: most of them contain a secret. A notification that fails is reported by the
name of its variable, and affects nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from threading import Thread
from typing import NamedTuple

OFF_SWITCH = "SMSBY_NOTIFY"  # `off`: this run sends no notifications
_TIMEOUT = 30.0  # seconds for all URLs of one variable


class NotificationKind(StrEnum):
    """How a service shows a notification, in the words of Apprise."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Notification(NamedTuple):
    """What is sent; it contains no phone and no text of a mailing."""

    kind: NotificationKind
    title: str
    body: str


def notify_all(
    notification: Notification, variables: Sequence[str], environ: Mapping[str, str]
) -> Iterator[str]:
    """Send `notification` to the URLs in `variables`, and yield the reason for each failure.

    No reason contains a URL.
    """
    if environ.get(OFF_SWITCH, "").strip().lower() == "off":
        return
    for variable in variables:
        urls = environ.get(variable, "").strip()
        problem = _send(notification, urls) if urls else "it is not set"
        if problem:
            yield f"no notification to {variable}: {problem}"


def _send(notification: Notification, urls: str) -> str:
    """Send to the URLs of one variable; return why that failed, empty on success."""
    try:
        import apprise
    except ImportError:
        return "it requires pip install 'smsby-deploy[notify]'"
    _silence()
    asset = apprise.AppriseAsset(
        app_id="smsby-deploy", app_desc="", app_url="", plugin_paths=[], async_mode=False
    )
    service = apprise.Apprise(asset=asset)
    if not service.add(urls):
        return "it has no URL that Apprise knows"
    outcomes: list[bool] = []

    def send() -> None:
        kind, title, body = notification
        outcomes.append(
            bool(service.notify(body=body, title=title, notify_type=apprise.NotifyType(kind.value)))
        )

    # A service that never answers must not hold up the command.
    sender = Thread(target=send, daemon=True)
    sender.start()
    sender.join(_TIMEOUT)
    if not outcomes:
        return f"no answer within {_TIMEOUT:.0f} s" if sender.is_alive() else "it failed"
    return "" if outcomes[0] else "the service did not accept it, or cannot be reached"


def _silence() -> None:
    """Keep Apprise's own log, which has URLs, off stderr."""
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
