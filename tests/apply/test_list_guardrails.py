"""The guardrails of a list, on the figures that sms.by reports about its draft."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.apply.list_guardrails import ExpectedList, ListGuardrails
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.output.translation import translator
from smsby_deploy.smsby.parsers import ListInfo
from tests.apply.fake_smsby import Shop

UPLOADED = ExpectedList(recipients=40, cost=Decimal("1.04"), objection="", must_be_counted=False)


def guardrails(
    shop: Shop, rails: str = "{}", *, planned: str = "0", spent: str = "0"
) -> tuple[ListGuardrails, Mailing]:
    shop.configure(guardrails=rails, price="{currency: BYN, per_part: 0.026}")
    shop.mailing("list: Newsletter, text: News")
    project = shop.load().project
    return ListGuardrails(project, planned_cost=Decimal(planned), spent=Decimal(spent)), project.mailings[0]


def draft_info(recipients: int | None = 40, parts: int | None = 40, cost: str | None = "1.04") -> ListInfo:
    return ListInfo(recipients, parts, None if cost is None else Decimal(cost), "DRAFT")


@pytest.mark.parametrize(
    ("rails", "figures", "key"),
    [
        ("{}", draft_info(), ""),
        ("{}", draft_info(0), "guardrail: an empty audience"),
        ("{max_recipients: 39}", draft_info(), "guardrail: max_recipients"),
        ("{max_recipients: 39}", draft_info(None), "guardrail: max_recipients"),
        ("{max_cost: 1}", draft_info(), "guardrail: max_cost"),
        ("{max_cost: 1.04}", draft_info(), ""),
        ("{max_cost: 9}", draft_info(None, None, None), "guardrail: max_cost"),
        ("{budget: 1}", draft_info(), "guardrail: budget"),
    ],
)
def test_list_guardrails_name_the_broken_key(shop: Shop, rails: str, figures: ListInfo, key: str) -> None:
    """The error names the guardrail that is broken, or that the figures do not allow to be checked."""
    check, mailing = guardrails(shop, rails)
    objection = check.objection(mailing, figures, None)
    assert objection.startswith(key)
    assert bool(objection) is bool(key)


@pytest.mark.parametrize(
    ("recipients", "must_be_counted", "text"),
    [(40, True, ""), (41, False, "counts 41"), (None, False, ""), (None, True, "unknown: ")],
)
def test_list_guardrails_compare_the_count(
    shop: Shop, recipients: int | None, must_be_counted: bool, text: str
) -> None:
    """An uploaded list must have exactly the reviewed number of contacts, and a count unless this run made it."""
    check, mailing = guardrails(shop)
    expected = ExpectedList(40, Decimal("1.04"), "", must_be_counted)
    objection = check.objection(mailing, draft_info(recipients), expected)
    assert text in objection
    assert bool(objection) is bool(text)


@pytest.mark.parametrize(
    ("figures", "expected", "cost"),
    [
        (draft_info(), None, "1.04"),
        (draft_info(cost=None), None, "1.04"),
        (draft_info(10, None, None), None, "0.26"),
        (draft_info(None, None, None), None, None),
        (draft_info(40, 50, None), UPLOADED, "1.04"),
        (draft_info(39, 50, None), UPLOADED, "1.3"),
    ],
)
def test_list_guardrails_estimate_the_cost(
    shop: Shop, figures: ListInfo, expected: ExpectedList | None, cost: str | None
) -> None:
    """The cost is the reported one or, without it, the planned one, then an estimate by parts or recipients."""
    check, mailing = guardrails(shop)
    assert check.estimate_cost(mailing, figures, expected) == (None if cost is None else Decimal(cost))


def test_list_guardrails_can_be_said_in_russian(shop: Shop) -> None:
    """In a project with `language: ru` the reason is in Russian."""
    check, mailing = guardrails(shop, "{max_cost: 1}")
    said = check.objection(mailing, draft_info(), None)
    assert (
        translator("ru").sentence(said)
        == "ограничение: max_cost: с этим списком отправка стоит 1,04, предел — 1,00"
    )


def test_list_guardrails_add_up_confirmed_lists(shop: Shop) -> None:
    """Each confirmed list counts toward the limit of the next one, and an uploaded list only once."""
    check, mailing = guardrails(shop, "{max_cost: 3}", planned="1.04")
    assert not check.objection(mailing, draft_info(), UPLOADED)
    check.count_confirmed(Decimal("1.04"), UPLOADED)
    assert not check.objection(mailing, draft_info(), None)
    check.count_confirmed(Decimal("1.04"), None)
    assert check.objection(mailing, draft_info(), None).startswith("guardrail: max_cost")
