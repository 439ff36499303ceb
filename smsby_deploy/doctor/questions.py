"""The free questions, in their order: they leave nothing at sms.by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from smsby_deploy.doctor.examination import Examination, gap_of
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.smsby.client import empty_form_of
from smsby_deploy.smsby.facts import EmptyForm, FactName, Gap, ListSize
from smsby_deploy.smsby.parameters import CallStyle
from smsby_deploy.smsby.parsers import (
    AccountName,
    mailing_id,
    read_alphanames,
    read_balance,
    read_lists,
)
from smsby_deploy.smsby.response import (
    Answer,
    Rows,
    WrongArguments,
    error_kind,
    find_value,
    inner_value,
    read_int,
    read_unix,
    refuses_token,
    token_refused,
)

_NO_UUID, _NO_ID = "00000000-0000-0000-0000-000000000000", 999_999_999_999_999
_CENT = Decimal("0.00001")  # sms.by reports money with five decimals
# Common page sizes: a list of exactly this many rows may have been cut.
_USUAL_LIMITS = frozenset(
    {10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 150, 200, 250, 300, 400, 500, 1000, 1500, 2000, 2500, 3000}
    | {5000, 10_000, 20_000, 25_000, 50_000, 100_000}
)
_KEPT = 50  # rows of the list that are examined
# By method that can be tried with an impossible id: the methods of the same version and place, which are called alike.
_LIKE = {
    "statusBulkSms": ("sendQuickSMS", "sendOtpTelegram", "sendOtpWhatsApp"),
    "confirmSendMessageByList": ("sendSmsList",),
    "getSubscriberLists": (),
}


def ask_for_balance(look: Examination) -> None:
    """Ask for the balance with the right token, then once with a wrong one.

    Raises:
        TokenRefused: the right token is refused; nothing more is asked.
        SmsbyUnavailable: sms.by was not reached.
    """
    answer = look.client.call("getBalance")
    if refuses_token(answer.error, answer.status) or answer.status in (401, 403):
        # Nothing is learned: facts are those of the account that the token belongs to.
        raise token_refused("getBalance", answer.explanation or f"HTTP {answer.status}")
    if not (answer.is_success and answer.readable):
        raise SmsbyUnavailable(
            f"getBalance: {answer.explanation or 'no usable answer'} (HTTP {answer.status})",
            hint="check api.url (or SMSBY_API_URL), and try again later",
        )
    try:
        wrong = look.client.ask_with_a_wrong_token()
    except SmsbyUnavailable:
        look.miss(FactName.TOKEN_REFUSAL, Gap.NO_ANSWER, "getBalance")
    else:
        value = {"status": wrong.status, "recognized": refuses_token(wrong.error, wrong.status)}
        known = None if wrong.accepts_token else value
        look.learn(FactName.TOKEN_REFUSAL, known, "getBalance", Gap.UNDECIDED)
    _read_prices(look, answer)


def _read_prices(look: Examination, answer: Answer) -> None:
    try:
        balance = read_balance(answer.data)
    except ApiError:
        for name in (FactName.CURRENCY, FactName.PRICE_ESTIMATE):
            look.miss(name, Gap.NO_VALUE, "getBalance")
        return
    currency = (balance.currency or "").upper()
    is_code = len(currency) == 3 and currency.isascii() and currency.isalpha()
    look.learn(FactName.CURRENCY, currency if is_code else None, "getBalance", Gap.NO_VALUE)
    limited = look.call("getLimit")
    limit = read_int(find_value(limited.data, "limit")) if limited.is_success else None
    price = None
    if limit and limit > 0 and balance.amount > 0:
        price = f"{(balance.amount / limit).quantize(_CENT).normalize():f}"
    look.learn(FactName.PRICE_ESTIMATE, price, "getLimit", gap_of(limited))


def ask_for_names(look: Examination) -> tuple[dict[str, int], tuple[AccountName, ...]]:
    """Learn senders and lists, and how getSubscriberLists is called; returns both by name."""
    senders: dict[str, int] = {}
    answer = look.call("getAlphanames")
    try:
        if not answer.is_success:
            raise ApiError("no names", status=answer.status)
        senders = {one.name: one.id for one in read_alphanames(answer.data)}
        look.know(FactName.SENDERS, len(senders), "getAlphanames")
    except ApiError:
        look.miss(FactName.SENDERS, gap_of(answer), "getAlphanames")
    lists: tuple[AccountName, ...] = ()
    answer = _find_style(look, "getSubscriberLists", {})
    try:
        if not answer.accepts_token:
            raise ApiError("no lists", status=answer.status)
        lists = tuple(read_lists(answer.data)) if answer.readable else ()
        look.know(FactName.LISTS, len(lists), "getSubscriberLists")
    except ApiError:
        look.miss(FactName.LISTS, gap_of(answer), "getSubscriberLists")
    return senders, lists


def ask_for_call_styles(look: Examination) -> None:
    """Learn where the parameters of a POST are read, by free calls with ids that do not exist."""
    answers = (
        _find_style(look, "statusBulkSms", {"uuid": _NO_UUID}),
        _find_style(look, "confirmSendMessageByList", {"message_id": _NO_ID, "confirm": 0}),
        _find_style(look, "getSubscriberLists", {}),
    )
    deviations = {name: style.value for name, style in look.call_styles.items() if style is not None}
    known = deviations if any(map(_is_read, answers)) else None
    look.learn(FactName.CALL_STYLES, known, "statusBulkSms", Gap.UNDECIDED)


def _find_style(look: Examination, name: str, params: dict[str, Any]) -> Answer:
    """Call a method as documented, then in other styles, until its parameters are read.

    Returns the answer to the style that works, or to the documented one if none does.
    """
    first = look.call(name, params)
    if name not in look.call_styles and not _is_read(first):
        others = (CallStyle.POST_FORM, CallStyle.POST_QUERY, CallStyle.POST_JSON, CallStyle.GET)
        for style in others if name == "getSubscriberLists" else others[:3]:
            answer = look.call(name, params, style)
            if _is_read(answer):
                look.call_styles |= dict.fromkeys((name, *_LIKE[name]), style)
                return answer
    look.call_styles.setdefault(name, None)
    return first


def _is_read(answer: Answer) -> bool:
    """Return whether an answer shows that token and parameters were read."""
    if answer.accepts_token:
        return True
    error = answer.error
    if not error or refuses_token(error, answer.status) or answer.status == 405:
        return False
    return error_kind(error) not in (ApiError, WrongArguments)


def ask_for_an_error(look: Examination) -> None:
    """Learn how an error looks, by asking about a message that does not exist."""
    method = "checkSMSMessageStatus"
    answer = look.call(method, {"message_id": _NO_ID})
    style = None
    if answer.error:
        style = {"status": answer.status, "known": error_kind(answer.error) is not ApiError}
    look.learn(FactName.ERROR_STYLE, style, method, gap_of(answer))


class _Latest:
    """Holds the last rows of a list that is read as a stream."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, row: Any) -> bool:
        if isinstance(row, dict) and mailing_id(row) is not None:
            self.rows.append(row)
            self.rows.sort(key=lambda one: mailing_id(one) or 0)
            del self.rows[:-_KEPT]
        return False


def ask_for_mailings(look: Examination, before: ListSize | None = None) -> list[dict[str, Any]]:
    """Learn about the list of mailings; returns its latest rows.

    A list that was capped `before` still counts as capped while it has the same size.
    """
    method, latest = "getSMSMessages", _Latest()
    api_and_web = (look.client.list_mailings(kind, lambda row: False) for kind in ("API", "WEB"))
    answers = [look.client.list_mailings(None, latest), *api_and_web]
    for answer in answers:
        look.check_token(method, answer)
        look.note_error(answer)
    forms = [empty_form_of(answer) for answer in answers]
    counts = [0 if form else count_mailings(answer) for form, answer in zip(forms, answers, strict=True)]
    everything, api, web = counts
    size = None
    if everything is not None:
        is_ignored = api == web == everything  # the parameter `type` is not followed
        looks_cut = everything in _USUAL_LIMITS and (is_ignored or not (api and web))
        is_cut = api is not None and web is not None and api + web > everything and not is_ignored
        was_cut = before is not None and before.is_capped and before.length == everything
        size = {"count": everything, "capped": looks_cut or is_cut or was_cut}
    look.learn(FactName.LIST_SIZE, size, method, gap_of(answers[0]))
    form = _form_of_none(forms, counts)
    if isinstance(form, EmptyForm):
        look.know(FactName.EMPTY_LIST, form.value, method)
    else:
        look.miss(FactName.EMPTY_LIST, form, method)
    return latest.rows


def count_mailings(answer: Answer) -> int | None:
    """Return how many mailings an answer lists; None if it is not a list."""
    if not answer.is_success or answer.status != 200:
        return None
    found = inner_value(answer.data)
    return len(found) if isinstance(found, Rows | list) else None


def _form_of_none(forms: list[EmptyForm | None], counts: list[int | None]) -> EmptyForm | Gap:
    """Return the form in which the account says "no mailings", if that is certain.

    It is certain if all mailings are of one kind, and the other kind was requested. If there are no mailings at all, three
    equal answers count, unless their wording is unknown: they may be about something else.
    """
    everything, api, web = counts
    if everything:
        empty = next(
            (form for form, other in ((forms[1], web), (forms[2], api)) if other == everything), None
        )
        return empty or Gap.NO_ROWS
    if forms[0] is None or set(forms) != {forms[0]}:
        return Gap.UNDECIDED
    return Gap.UNDECIDED if forms[0] is EmptyForm.OTHER_406 else forms[0]


def ask_for_messages(look: Examination, mailings: list[dict[str, Any]]) -> None:
    """Learn paging and the clock of dates in answers from the messages of the account."""
    method = "getMessagesList"
    first = look.call(method, {"limit_offset": 0, "limit_rows": 2})
    rows = look.rows(first)
    if len(rows) < 2:
        look.miss(FactName.PAGING, Gap.NO_ROWS if first.accepts_token else gap_of(first), method)
    else:
        second = look.rows(look.call(method, {"limit_offset": 1, "limit_rows": 1}))
        follows_offset = bool(second) and second[0] == rows[1]
        look.know(FactName.PAGING, {"limit": len(second) == 1, "offset": follows_offset}, method)
    created = {mailing_id(row): read_unix(row.get("d_create")) for row in mailings}
    for row in rows:
        moment = created.get(mailing_id(row))
        if moment and isinstance(row.get("d_create"), str):
            look.know_clock(FactName.CLOCK_OUT, row["d_create"], moment, method)
    if not look.is_known(FactName.CLOCK_OUT):
        _ask_for_deliveries(look, mailings)


def _ask_for_deliveries(look: Examination, mailings: list[dict[str, Any]]) -> None:
    """Compare the time of a delivery with the time of its mailing: it is sent a little later."""
    method, now = "getSmsDeliveryList", look.clock.now().timestamp()
    past = [row for row in mailings if 0 < (read_unix(row.get("d_schedule")) or 0) < now - 3600]
    for row in past[-3:]:
        moment = read_unix(row.get("d_schedule")) or 0
        found = look.call(method, {"message_id": mailing_id(row), "limit_offset": 0, "limit_rows": 20})
        times = sorted(str(one["d_sent"]) for one in look.rows(found, "d_sent") if one["d_sent"])
        if times:
            look.know_clock(FactName.CLOCK_OUT, times[0], moment, method, slack=420)
    if not look.is_known(FactName.CLOCK_OUT):
        look.miss(FactName.CLOCK_OUT, Gap.UNDECIDED if past else Gap.NO_ROWS, method)
