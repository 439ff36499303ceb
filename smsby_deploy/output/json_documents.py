"""The JSON documents of `--format json`. Money is a string with a decimal point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

from smsby_deploy.output.terminal import escape_json
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Problem, Severity, problem_document
from smsby_deploy.wording import money_or_none

if TYPE_CHECKING:
    from smsby_deploy.apply.apply_result import ApplyResult, MailingResult
    from smsby_deploy.errors import SmsbyDeployError
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.plan.desired import SendTimes
    from smsby_deploy.plan.model import Plan
    from smsby_deploy.status.mailing_details import VariantStatus, WaveStatus
    from smsby_deploy.status.status_report import MailingStatus, StatusReport
    from smsby_deploy.texts.samples import MailingSamples, Sample

_OBJECTS = 500  # written at once
_KINDS = ("delivered", "undelivered", "sent", "pending")


def json_text(document: object) -> str:
    """`document` as indented JSON with a final newline; no control character is left bare."""
    from smsby_deploy.lock.json_text import indent_text

    return escape_json(indent_text(document)) + "\n"


def json_parts(document: Mapping[str, object]) -> Iterator[str]:
    """`json_text` in parts that end with a line; an iterator is a list, read by the block."""
    yield "{\n"
    ends = chain(repeat(",\n", len(document) - 1), ["\n"])
    for (name, value), end in zip(document.items(), ends, strict=True):
        if isinstance(value, Iterator):
            yield from _list_parts(name, value, end)
        else:
            yield json_text({name: value}).removeprefix("{\n").removesuffix("\n}\n") + end
    yield "}\n"


def _list_parts(name: str, objects: Iterator[object], end: str) -> Iterator[str]:
    begin, after = f'{{\n  "{name}": [\n', "\n  ]\n}\n"
    if not (block := list(islice(objects, _OBJECTS))):
        yield f'  "{name}": []{end}'
        return
    yield begin.removeprefix("{\n")
    while block:
        text, block = json_text({name: block})[len(begin) : -len(after)], list(islice(objects, _OBJECTS))
        yield f"{text}{',' if block else ''}\n"
    yield f"  ]{end}"


def inert_json_text(document: object) -> str:
    """`json_text` with `<` escaped, safe to embed in HTML."""
    return json_text(document).replace("<", "\\u003c")


def _facts(one: object, *names: str) -> dict[str, Any]:
    """The attributes of `one` that a document shows under their own names."""
    return {name: getattr(one, name) for name in names}


def validate_document(problems: Sequence[Problem]) -> dict[str, Any]:
    """The document of `validate`, for `json_parts`: there may be a million problems."""
    counts = Counter(problem.severity for problem in problems)
    summary = {f"{severity}s": counts[severity] for severity in Severity}
    return {"problems": map(problem_document, problems), "summary": summary}


def samples_document(mailings: Iterable[MailingSamples]) -> dict[str, Any]:
    """The document of `render`."""
    return {
        "mailings": [
            {
                "address": mailing.address,
                "recipients": mailing.recipients,
                "currency": mailing.currency,
                "texts": [_sample(sample) for sample in mailing.samples],
                "further_variants": mailing.further,
            }
            for mailing in mailings
        ]
    }


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        **_facts(sample, "row", "file", "line", "phone", "text"),
        "why": list(sample.why),
        "recipients": sample.recipients,
        "encoding": sample.size.encoding.value,
        **_facts(sample.size, "units", "parts"),
        "pieces": list(sample.pieces),
        "gsm_parts": sample.gsm_parts,
        "cost": money_or_none(sample.cost),
        "suppressed": sample.is_suppressed,
    }


def apply_document(result: ApplyResult) -> dict[str, Any]:
    """The document of `apply`; `plan` is the plan's id, `summary` counts mailings by outcome.

    The outcomes are frozen, so a mailing that was partly sent is `skipped` here, or `rejected`, with `partial`: true.
    `mailings` are made one by one, for `json_parts`. Orphans come last, as in the plan.
    """
    from smsby_deploy.apply.apply_result import MailingOutcome, MailingResult  # other commands do not need it

    counts = {outcome: result.count(outcome) for outcome in MailingOutcome}
    counts[MailingOutcome.SKIPPED] += counts.pop(MailingOutcome.PARTIAL)
    orphans = (
        MailingResult(address, MailingOutcome.SKIPPED, recipients)
        for address, recipients in result.orphans.items()
    )
    return {
        "plan": result.plan.id,
        "summary": {outcome.value: count for outcome, count in counts.items()},
        "mailings": map(_mailing_result, chain(result.mailings, orphans)),
    }


def failed_apply_document(error: SmsbyDeployError, plan: Plan | None, *, has_begun: bool) -> dict[str, Any]:
    """The document of an apply that ended without a result; `error` says why.

    Before it `has_begun`, every mailing of the plan is skipped. After that only the lock knows what happened, so
    `summary` is null and `mailings` is empty.
    """
    from smsby_deploy.apply.apply_result import MailingOutcome, refused_result

    lead = {"plan": None if plan is None else plan.id, "error": mask_phones(error.message)}
    if has_begun:
        return {**lead, "summary": None, "mailings": ()}
    if plan is None:
        counts = {one.value: 0 for one in MailingOutcome if one is not MailingOutcome.PARTIAL}
        return {**lead, "summary": counts, "mailings": ()}
    document = apply_document(refused_result(plan, error))
    return {**lead, "summary": document["summary"], "mailings": document["mailings"]}


def _mailing_result(mailing: MailingResult) -> dict[str, Any]:
    return {
        "address": mailing.address,
        "outcome": mailing.outcome.json_word,
        "recipients": mailing.recipients,
        "uuids": list(mailing.uuids),
        "message_ids": list(mailing.message_ids),
        "error": mailing.error and mask_phones(mailing.error),
        **({"partial": True} if mailing.is_partial else {}),
        **({"waits": mailing.waits} if mailing.waits else {}),
    }


def status_document(report: StatusReport) -> dict[str, Any]:
    """The document of `status`."""
    totals = report.totals
    states = Counter(mailing.state.value for mailing in report.mailings)
    return {
        "summary": {
            **_facts(totals, "mailings", "recipients", *_KINDS, "other", "parts"),
            "cost": money_or_none(totals.cost),
            "states": dict(sorted(states.items())),
            "scheduled": totals.scheduled,
            "running": report.running or None,
        },
        "mailings": [_mailing_status(mailing) for mailing in report.mailings],
    }


def _mailing_status(mailing: MailingStatus) -> dict[str, Any]:
    other: Counter[str] = Counter()
    for word, count in sorted(mailing.other.items()):
        other[mask_phones(word)] += count
    parts_of_it = {
        "variants": [_variant(one) for one in mailing.details.variants],
        "waves": [_wave(one) for one in mailing.details.waves],
    }
    return {
        "address": mailing.address,
        "revision": mailing.revision,
        "state": mailing.state.value,
        "schedule_time": mailing.schedule_time,
        "window": mailing.details.window and mailing.details.window.as_text(),
        **({} if mailing.details.spread is None else {"spread": _spread(mailing.details.spread)}),
        **{name: parts for name, parts in parts_of_it.items() if parts},
        **_facts(mailing, "recipients", *_KINDS),
        "other": dict(other),
        "parts": mailing.parts,
        "cost": money_or_none(mailing.cost),
        "requests": list(mailing.requests),
        "overdue": mailing.details.overdue,
        "notes": [mask_phones(note) for note in mailing.notes],
    }


def _variant(variant: VariantStatus) -> dict[str, Any]:
    return {"name": variant.name, **_facts(variant.counts, "recipients", *_KINDS, "other")}


def _wave(wave: WaveStatus) -> dict[str, Any]:
    return {
        "wave": wave.number,
        **_facts(wave, "recipients", "delivered", "undelivered", "was_sent"),
        "verdict": wave.verdict and wave.verdict.kind.value,
    }


def _spread(spread: SendTimes) -> dict[str, Any]:
    return {
        "first": spread.first.isoformat(),
        "last": spread.last.isoformat(),
        **_facts(spread, "chunks", "recipients"),
    }


def history_document(lock: Lock) -> dict[str, Any]:
    """The document of `status --history`, the latest apply first."""
    return {
        "applies": [
            _facts(run, "at", "plan", "commit", "tool", "mailings", "recipients", "by")
            for run in reversed(lock.applies)
        ]
    }
