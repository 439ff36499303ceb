"""Problems of texts, and their cost, as a reviewer reads them: every code at its place, word for word."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.output.problems_text import problem_line
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.measure import NO_OBSERVERS, NO_PROGRESS, ReadProgress, measure_mailing
from smsby_deploy.plan.validation import validate_project
from smsby_deploy.recipients.phone_set import PhoneSet
from tests.config.one_campaign import CAMPAIGN, load_one

_PROJECT = "version: 1\nproject: shop\nprice: {currency: BYN, per_part: 0.026}\n"
_HEAD = "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: {file: list.csv}\n"
_ROWS = "phone,name\n375291111111,Anna\n375292222222,\n375333333333,Nina\n"
_LONG = "x" * 150


def _write(folder: Path, body: str, project: str = _PROJECT, rows: str = _ROWS) -> None:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates/footer.j2").write_text("\nStop: {{ nmae }}", "utf-8")
    (folder / "smsby.yaml").write_text(project, "utf-8")
    (folder / "sale.yaml").write_text(_HEAD + body, "utf-8")
    (folder / "list.csv").write_text(rows, "utf-8")


def _desired(folder: Path, body: str, project: str = _PROJECT, rows: str = _ROWS) -> Desired:
    _write(folder, body, project, rows)
    loaded = load_project(folder)
    return measure_mailing(loaded.project, loaded.project.mailings[0], PhoneSet()).desired


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (
            '    text: "Hi {{ nmae }}"\n',
            [
                "sale.yaml:6:18: error TEMPLATE sale/vip: 'nmae' is undefined; did you mean name? (list.csv:2)",
                "sale.yaml:6:18: error TEMPLATE sale/vip: 'nmae' is undefined; did you mean name? (list.csv:3)",
                "sale.yaml:6:18: error TEMPLATE sale/vip: 'nmae' is undefined; did you mean name? (list.csv:4)",
            ],
        ),
        (
            "    text: |\n      Hi,\n      {{ name }}!\n",
            [
                "sale.yaml:8:10: error TEMPLATE sale/vip: an empty value would be printed: "
                "test it with {% if %} or add `| default('…', true)` (list.csv:3)"
            ],
        ),
        (
            "    text: >-\n      Hi\n      {{ name | uper }}!\n",
            ["sale.yaml:8:17: error TEMPLATE_SYNTAX sale/vip: no filter named 'uper'; did you mean upper?"],
        ),
        (
            "    text: Hi {{ range(9) }}\n",
            [
                "sale.yaml:6:17: error TEMPLATE sale/vip: unknown function range; "
                "to print a column write {{ range }}"
            ],
        ),
        (
            "    text: Hi {name}\n",
            [
                "sale.yaml:6:14: error PLACEHOLDER sale/vip: {name} would be sent literally; "
                "write variables as {{ name }}"
            ],
        ),
        (
            "    text: Hi{% include 'nope.j2' %}\n",
            [
                "sale.yaml:6:24: error INCLUDE sale/vip: file templates/nope.j2 not found; "
                "did you mean templates/footer.j2?"
            ],
        ),
        (
            "    text: \"{{ name | default('you', true) }}{% include 'footer.j2' %}\"\n",
            [
                f"templates/footer.j2:2:10: error TEMPLATE sale/vip: 'nmae' is undefined; did you mean name? (list.csv:{n})"
                for n in (2, 3, 4)
            ],
        ),
        (
            '    text: "{% if false %}x{% endif %}"\n',
            ["sale.yaml:6:11: error TEXT sale/vip: the text is empty"],
        ),
        (
            f"    text: \"{{% if name == 'Nina' %}}{'я' * 671}{{% else %}}Hi{{% endif %}}\"\n",
            [
                "sale.yaml:6:11: error TOO_LONG sale/vip: the text has 671 characters, "
                "but 10 parts hold only 670: shorten it (list.csv:4)"
            ],
        ),
        (
            f"    text: {'x' * 1531}\n",
            [
                "sale.yaml:6:11: error TOO_LONG sale/vip: the text has 1531 characters, "
                "but 10 parts hold only 1530: shorten it"
            ],
        ),
        (
            f"    text: Hi — {_LONG}\n",
            [
                "sale.yaml:6:14: warning EXPENSIVE_CHARACTER sale/vip: 1 character (U+2014 —) adds 6 parts (0.156 BYN): "
                "write - instead, or set `smart_encoding: true`"
            ],
        ),
        (
            f"    text: Hi €5 {_LONG}\n",
            [
                "sale.yaml:6:14: warning EXPENSIVE_CHARACTER sale/vip: 1 character (U+20AC €) adds 6 parts (0.156 BYN): "
                "write EUR instead",
                "sale.yaml:6:11: note GSM_PARTS sale/vip: GSM 03.38 counts 3 parts, sms.by bills 9",
            ],
        ),
        (
            f"    text: Hi 😀 {_LONG}\n",
            [
                "sale.yaml:6:14: warning EXPENSIVE_CHARACTER sale/vip: 1 character (U+1F600 😀) adds 6 parts (0.156 BYN): "
                "leave it out",
            ],
        ),
        (
            f"    text: Hi — {_LONG}\n    smart_encoding: true\n",
            ["sale.yaml:6:11: note SMART_ENCODING sale/vip: smart_encoding replaced U+2014 — with -"],
        ),
        (
            f"    text: «H\u0456» {_LONG}\n",
            [
                "sale.yaml:6:11: warning EXPENSIVE_CHARACTER sale/vip: 3 characters (U+00AB «, U+00BB », U+0456 \u0456) "
                'add 6 parts (0.156 BYN): write " i instead',
                "sale.yaml:6:12: warning MIXED_ALPHABETS sale/vip: the word H\u0456 mixes two alphabets (Latin U+0048 H); "
                "write it in one",
            ],
        ),
        (
            f"    text: Hi {'y' * 620}\n",
            ["sale.yaml:6:11: note GSM_PARTS sale/vip: GSM 03.38 counts 15 parts, sms.by bills 12"],
        ),
    ],
)
def test_measure_problems_word_for_word(tmp_path: Path, body: str, lines: list[str]) -> None:
    """Each problem has its place, severity, code, address and sentence."""
    _write(tmp_path, body)
    assert [problem_line(problem) for problem in validate_project(load_project(tmp_path))] == lines


def test_expensive_character_from_data_names_its_row(tmp_path: Path) -> None:
    """A character from the data that costs more is located by its row, not in the template."""
    _write(
        tmp_path,
        f'    text: "{{{{ name }}}} {_LONG}"\n',
        rows="phone,name\n375291111111,Anna\n375292222222,Ann’a\n",
    )
    problem = validate_project(load_project(tmp_path))[0]
    assert problem.message == (
        "1 character (U+2019 ’) adds 2 parts (0.052 BYN): write ' instead, or set `smart_encoding: true` "
        "(from the data, first at list.csv:3)"
    )


@pytest.mark.parametrize("text", ["Скидка — 5%", "Тэкст «так»", "Hi —", "Hi"])
def test_no_encoding_warning_without_a_saving(tmp_path: Path, text: str) -> None:
    """No encoding is suggested for a Cyrillic text, which needs UCS-2 anyway, or a text of one part in either."""
    _write(tmp_path, f"    text: {text}\n")
    assert not validate_project(load_project(tmp_path))


@pytest.mark.parametrize("text", ["Hi {{ name }}", "{{ name | default('x' * 1531, true) }}"])
def test_unsendable_text_has_no_parts(tmp_path: Path, text: str) -> None:
    """A text that fails or is too long has no parts, but its recipient is counted."""
    found = _desired(tmp_path, f'    text: "{text}"\n')
    assert (found.audience.final, found.parts, found.gsm7 + found.ucs2) == (3, 2, 2)
    assert found.cost == Decimal("0.052")


def test_rewritten_texts_are_measured(tmp_path: Path) -> None:
    """Smart encoding changes parts and content digest."""
    before = _desired(tmp_path, f"    text: Привет — {'ж' * 75}\n")
    after = _desired(
        tmp_path, f"    text: Привет — {'ж' * 75}\n    transliterate: true\n    smart_encoding: true\n"
    )
    assert (before.parts, before.ucs2) == (6, 3)
    assert (after.parts, after.gsm7) == (3, 3)
    assert before.content_digest != after.content_digest


def test_rewriting_nothing_changes_no_content(tmp_path: Path) -> None:
    """Rewriting options that change no text do not make a sent mailing `changed`."""
    before = _desired(tmp_path, "    text: Hi {{ name | default('you', true) }}\n")
    after = _desired(tmp_path, "    text: Hi {{ name | default('you', true) }}\n    smart_encoding: true\n")
    assert (before.content_digest, before.chunks) == (after.content_digest, after.chunks)


def test_texts_of_recipients_are_rewritten(tmp_path: Path) -> None:
    """Rewriting applies to all texts of a mailing, wherever they come from."""
    rows = "phone,text\n375291111111,Hi — Anna\n375292222222,Привет\n"
    after = _desired(tmp_path, "    smart_encoding: true\n", rows=rows)
    assert (after.gsm7, after.ucs2) == (1, 1)


@pytest.mark.parametrize("text", ["Hi", '"Hi {{ phone }}"'])
def test_cost_by_prefix(tmp_path: Path, text: str) -> None:
    """The longest prefix decides the price, and money is never a float."""
    project = _PROJECT.replace("0.026", '0.1, per_prefix: {"375": 0.2, "37533": "0.3"}')
    assert _desired(tmp_path, f"    text: {text}\n", project).cost == Decimal("0.7")
    assert _desired(tmp_path, f"    text: {text}\n").cost == Decimal("0.078")
    assert _desired(tmp_path, f"    text: {text}\n", "version: 1\nproject: shop\n").cost is None


def test_measure_keeps_a_thousand_problems(tmp_path: Path) -> None:
    """After a thousand problems, as from a missing column in a long list, more are only counted."""
    rows = "phone,name\n" + "".join(f"37529{n:07d},x\n" for n in range(1200))
    _write(tmp_path, "    text: Hi {{ nope }}\n", rows=rows)
    problems = validate_project(load_project(tmp_path))
    assert len(problems) == 1001
    assert problems[0].message.startswith("200 more texts of this mailing cannot be sent")


@pytest.mark.parametrize(("mark", "parts"), [("", 20), ("\u200b", 21), ("\ufe0f", 21)])
def test_measure_counts_invisible_characters_of_values(tmp_path: Path, mark: str, parts: int) -> None:
    """A value with an invisible character is reported for itself, even among thousands counted together."""
    rows = "".join(f"37529{1000000 + row},{'я' * 69}\n" for row in range(19))
    text = '    recipients: {file: r.csv}\n    text: "{{ name }}!"\n'
    _write(tmp_path, text.removeprefix("    "))
    campaign = "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n" + text
    (tmp_path / "sale.yaml").write_text(campaign, encoding="utf-8")
    value = f"я{mark}{'я' * 68}"
    (tmp_path / "r.csv").write_text(f"phone,name\n{rows}375297654321,{value}\n", encoding="utf-8")
    project = load_project(tmp_path).project
    measured = measure_mailing(project, project.mailings[0], PhoneSet())
    assert measured.desired is not None
    assert measured.desired.parts == parts
    codes = [problem.code for problem in measured.problems]
    assert codes == (["EXPENSIVE_CHARACTER"] if mark else [])
    assert all("first at r.csv:21" in problem.message for problem in measured.problems)


def test_measure_warns_of_what_texts_say(tmp_path: Path) -> None:
    """Warnings about texts are the same for recipients, a list and an upload."""
    row = 'recipients: ["375291234567"]'
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", encoding="utf-8")
    mailings = "".join(
        f'  - name: m{number}\n    {source}\n    text: "Скидкa&nbsp;5"\n'
        for number, source in enumerate([row, "list: News", f"{row}\n    upload: true"])
    )
    (tmp_path / "sale.yaml").write_text(
        f"version: 1\ncampaign: sale\nmailings:\n{mailings}", encoding="utf-8"
    )
    problems = validate_project(load_project(tmp_path))
    found = [f"{problem.code} {problem.address}" for problem in problems]
    assert found == [
        f"{code} sale/m{number}" for number in range(3) for code in ("HTML_ENTITY", "MIXED_ALPHABETS")
    ]


def test_read_progress_reports_each_mailing_as_it_begins(tmp_path: Path) -> None:
    """Each mailing is reported with its number and the total before it is yielded."""
    second = "\n".join(CAMPAIGN.splitlines()[3:]).replace("vip", "gold")
    mailings = load_one(tmp_path, campaign=f"{CAMPAIGN}{second}\n").project.mailings
    begun: list[tuple[str, int, int]] = []
    progress = ReadProgress(begin=lambda *mailing: begun.append(mailing))
    assert [(mailing, len(begun)) for mailing in progress.over(mailings)] == [
        (mailings[0], 1),
        (mailings[1], 2),
    ]
    assert begun == [("sale/vip", 1, 2), ("sale/gold", 2, 2)]


def test_no_observers_keep_nothing() -> None:
    """A mailing can be measured without any observers."""
    assert NO_OBSERVERS.keep is None
    assert NO_OBSERVERS.progress is NO_PROGRESS
