"""Mailings for these tests: an audience, and settings that do not matter."""

from __future__ import annotations

from typing import Any

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import Audience, TextSource
from smsby_deploy.problems import Location

AT = Location("sale.yaml", 5, 17)


def make_mailing(audience: Audience, **changes: Any) -> Mailing:
    """Return a mailing `a/b` of the campaign file sale.yaml with its own text."""
    return Mailing(
        campaign="a",
        name="b",
        file="sale.yaml",
        location=AT,
        via="bulk",
        audience=audience,
        text=TextSource("Hello", AT),
        alphaname="0",
        alphaname_location=AT,
        schedule_time=None,
        schedule_location=None,
        timezone="Europe/Minsk",
        revision=1,
        on_invalid="fail",
    )._replace(**changes)
