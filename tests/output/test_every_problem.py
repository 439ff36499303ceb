"""Every problem in docs/problems.md: a project that has it, and what the command reports."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.plan.plan_file import account_id
from smsby_deploy.sandbox.pytest_plugin import SandboxHandle
from tests.output.golden import check_golden

_DOCS = Path(__file__).resolve().parents[2] / "docs/problems.md"
_GOLDEN = Path(__file__).parent / "golden/problems"
_LIST = "phone,name\n375291111111,Anna\n375292222222,Boris\n"
_MAILING = "  - name: vip\n    recipients: {file: list.csv}\n"
_OTHER = "version: 1\ncampaign: other\nmailings:\n"
_LONG = "x" * 150
_VALIDATE = (("validate",),)
_PLAN = (("plan",),)
_GITHUB = (("plan", "--format", "github"),)  # CI formats count what blocks a plan as a problem, too
_CANCELLED = "    text: Hello\n    cancelled: 'wrong prices'\n"
_SENT = ("apply", "--auto-approve")
_PRESSURE = "guardrails: {{pressure: {{messages: 1, within: 7d, on_excess: {}}}}}\n"
_TWO = _MAILING + "    text: Hi\n  - name: more\n    recipients: ['375291111111']\n"


@dataclass(frozen=True)
class Case:
    """A valid project except for a few lines. `then` is written after the first of `commands`."""

    text: str = "    text: Hello\n"
    mailing: str = _MAILING
    top: str = ""  # lines of the campaign
    project: str = ""
    rows: str = _LIST
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    commands: tuple[tuple[str, ...], ...] = _VALIDATE
    then: tuple[tuple[str, str], ...] = ()  # a file and its content
    needs: str = ""  # a time zone of the sandbox
    list_lag: int = 0  # seconds until the sandbox lists a mailing
    url: str = ""  # the URL of the database
    clock: int = 0  # seconds by which the sandbox is ahead; its host does not count as loopback then
    refuses: tuple[str, ...] = ()  # phones that sms.by rejects
    alphanames: Mapping[str, str] = field(default_factory=dict)  # of the account, by id
    known: Mapping[str, object] = field(default_factory=dict)  # facts of the account
    known_at: str = "2026-11-01T00:00:00+00:00"

    def campaign(self) -> str:
        return f"version: 1\ncampaign: sale\n{self.top}mailings:\n{self.mailing}{self.text}"


def _sql(query: str, more: str = "order_by: id") -> str:
    return f"  - name: vip\n    recipients: {{sql: {query}, url_env: CRM_URL, {more}}}\n"


_QUERY = "select * from customers"
_FRESH = "order_by: id, freshness: {sql: select name from customers, max_age: 1d}"
_DATABASE = "sqlite:///{folder}/crm.db"

_SAME_NAME = ("api", "createSubscriberList", "name=Newsletter")

CASES: dict[str, Case] = {
    "ABANDONED": Case(
        mailing="  - name: vip\n    via: single\n    recipients: {file: list.csv}\n", refuses=("375292222222",),
        commands=(_SENT, ("lock", "abandon", "sale/vip", "--reason", "wrong day"), *_PLAN),
    ),
    "AGE": Case(
        mailing="  - name: vip\n    recipients: {file: list.csv.age}\n", files={"list.csv.age": b"age"},
        commands=(("plan", "--offline"),),
    ),
    "ADVERTISING": Case(
        "    text: 'Kvetka: sale'\n", top="alphaname: Kvetka\n", project="guardrails: {require: [by-advertising]}\n"
    ),
    "AMBIGUOUS_ALPHANAME": Case(top="alphaname: 1364\n", commands=_PLAN, alphanames={"1363": "1364", "1364": "Kvetka"}),
    "AMBIGUOUS_LIST": Case(mailing="  - name: vip\n    list: Newsletter\n", commands=(_SAME_NAME, *_PLAN)),
    "ALL_SUPPRESSED": Case(project="suppress: [list.csv]\n"),
    "APPROVAL": Case(
        project="approvals: {signers: signers.txt, rules: [{need: 1}]}\n", commands=_PLAN,
        files={"signers.txt": "anna@example.com ssh-ed25519 AAAA\n", "approvals/anna.json": "{}"},
    ),
    "AUDIENCE_CHANGED": Case(commands=(_SENT, *_PLAN), then=(("list.csv", f"{_LIST}375293333333,Olga\n"),)),
    "BLOCKED": Case(project="guardrails: {max_recipients: 1}\n", commands=_GITHUB),
    "CALLBACK_HTTP": Case(project="api: {callback_url: 'http://example.by/cb'}\n"),
    "CANCELLED": Case(mailing=f"{_MAILING}    cancelled: 'wrong prices'\n", commands=(("plan", "--offline"),)),
    "CHANGED_SHARED": Case(
        project="defaults: {timezone: Europe/Minsk}\n", commands=(_SENT, *_PLAN),
        text="    text: \"Hello {% include 'footer.j2' %}\"\n", files={"templates/footer.j2": "Shop"},
        then=(("templates/footer.j2", "Our shop"),),
    ),
    "CLOCK": Case(commands=_PLAN, clock=3600),
    "COMMENT_IN_TEXT": Case("    text: Order #1 is ready\n"),
    "COUNTRY": Case(top="countries: [BY, UK]\n"),
    "DOUBLE_SPACE": Case("    text: Hello  {{ name }}\n"),
    "DST": Case(top="schedule_time: 2027-03-28T02:30:00\ntimezone: Europe/Warsaw\n"),
    "DUPLICATE": Case(rows=f"{_LIST}80291111111,Anna\n"),
    "DUPLICATE_DIFFERS": Case(rows=f"{_LIST}80291111111,Olga\n"),
    "DUPLICATE_NAME": Case(files={"other.yaml": "version: 1\ncampaign: sale\nmailings:\n" + _MAILING + "    text: Hi\n"}),
    "EMPTY_AUDIENCE": Case(rows="phone,name\n"),
    "ENCODING": Case("    text_file: hello.j2\n", files={"hello.j2": "Привет".encode("cp1251")}),
    "ENCODING_GUESSED": Case(
        files={"list.csv": "phone,name\n375291111111,Анна\n".encode("cp1251")}
    ),
    "ENVIRONMENT": Case(project="rehearsed_in: staging\n"),
    "EXPENSIVE_CHARACTER": Case(f"    text: Hello — {_LONG}\n"),
    "EXPIRED": Case(top="schedule_time: 2026-11-01T10:00:00\n", commands=(("plan", "--offline"),)),
    "EXTRA": Case(mailing=_sql(_QUERY), url="oracle+cx_oracle://localhost/crm"),
    "FACTS": Case(files={"smsby.facts.json": '{"format": "smsby-lock"}'}),
    "FACTS_OLD": Case(known={"currency": "BYN"}, known_at="2026-08-01T00:00:00+00:00", commands=_PLAN),
    "FACT_DIFFERS": Case(project="price: {currency: BYN, per_part: 0.026}\n", known={"currency": "RUB"}, commands=_PLAN),
    "FILE_MISSING": Case(mailing="  - name: vip\n    recipients: {file: gone.csv}\n"),
    "FRESHNESS": Case(mailing=_sql(_QUERY, _FRESH), url=_DATABASE),
    "GSM_PARTS": Case(f"    text: {'y' * 620}\n"),
    "GUARDRAIL": Case(project="guardrails:\n  forbidden_words: ['(unclosed']\n"),
    "GUARDRAIL_PRICE": Case(project="guardrails: {max_cost: 10}\n"),
    "INCLUDE": Case("    text: \"Hello {% include 'footer.j2' %}\"\n"),
    "LABEL": Case(top='labels: {owner: "+375 29 111-11-11"}\n'),
    "LANGUAGE": Case(
        "    language: lang\n    text: {ru: Hello, be: Hi}\n", rows="phone,lang\n375291111111,be\n375292222222,de\n"
    ),
    "LATE": Case(top="schedule_time: 2026-11-02T11:30:00\nmax_late: 1h\n", commands=(("plan", "--offline"),)),
    "LINK": Case("    text: 'Sale: https://a.by/#top?utm=1'\n"),
    "LIST_SUPPRESS": Case(
        mailing="  - name: vip\n    list: Newsletter\n", project="suppress: [out.txt]\n",
        files={"out.txt": "375291111111\n"},
    ),
    "LIST_TEXT": Case('    text: "Hello, {{ name }}"\n', mailing="  - name: vip\n    list: Newsletter\n"),
    "LOCK_CHANGED": Case(commands=(_SENT, ("plan", "--compare", "{folder}/.."))),
    "LOCK_EMPTY": Case(
        commands=(_SENT, *_PLAN), then=(("smsby.yaml", "version: 1\nproject: shop\nlock: new.lock.json\n"),),
    ),
    "HTML_ENTITY": Case('    text: "Hello&nbsp;you"\n'),
    "MIXED_ALPHABETS": Case("    text: Hello {{ name }}\n", rows="phone,name\n375291111111,\u0410nna\n"),
    "NOT_A_VALUE": Case("    text: Hello {{ name }}\n", rows="phone,name\n375291111111,#N/A\n"),
    "NOT_CANCELLED": Case(
        top="schedule_time: 2026-12-01T10:00:00\n", commands=(_SENT, *_PLAN),
        then=(("sale.yaml", Case(top="schedule_time: 2026-12-01T10:00:00\n", text=_CANCELLED).campaign()),),
    ),
    "NOT_READ": Case(mailing=_sql(_QUERY)),
    "NO_TEST_PHONE": Case(
        project="test_phones: ['375293333333']\nenvironments: {staging: {only_to: test_phones, lock: s.lock.json}}\n",
        commands=(("--env", "staging", "validate"),),
    ),
    "ONE_WAVE": Case(
        "    text: Hi\n    waves: [{people: 200, after: 45m, delivered: 90}, rest]\n", commands=(("plan", "--offline"),)
    ),
    "OPTED_OUT_LATE": Case(
        top="schedule_time: 2026-12-01T10:00:00\n", project="suppress: [out.csv]\n", commands=(_SENT, *_PLAN),
        files={"out.csv": "phone\n375293333333\n"}, then=(("out.csv", "phone\n375291111111\n"),),
    ),
    "ORDER": Case(mailing=_sql(_QUERY, "order_by: city"), url=_DATABASE),
    "OVERLAP": Case(mailing=_TWO, commands=_PLAN),
    "PATH_HIDDEN": Case(mailing="  - name: vip\n    recipients: {file: .git/config}\n"),
    "PATH_OUTSIDE": Case(mailing="  - name: vip\n    recipients: {file: ../list.csv}\n"),
    "PATTERN": Case(project="campaigns: ['**.yaml']\n"),
    "PHONE": Case(
        rows="phone,name\n3.75E+11,a\n,b\nCall me,c\n12,d\n37529111111,e\n375171234567,f\n79061234567,g\n"
        + "1" * 16 + ",h\n" + "1" * 200 + ",i\n"
    ),
    "PIN": Case(mailing=f"  - name: vip\n    recipients: {{file: list.csv, sha256: '{'0' * 64}'}}\n"),
    "PLACEHOLDER_LIKE": Case("    text: Hello [name]\n"),
    "PLACEHOLDER": Case("    text: Hello {name}\n"),
    "PRESSURE": Case(project=_PRESSURE.format("drop"), mailing=_TWO, commands=_PLAN),
    "PROJECT_NAME": Case(files={"smsby.yaml": "version: 1\nproject: shop-291234567\n"}),
    "RECIPIENTS": Case(rows="tel,name\n375291111111,Anna\n"),
    "REFUSED": Case(
        project="price: {currency: BYN, per_part: 0.026}\nguardrails: {max_cost: 0.05}\n", commands=_GITHUB
    ),
    "RELEASE": Case(top="release: {before: 12h, at_latest: 20m}\n"),
    "SPREAD": Case(top="spread: {over: 3h}\n"),
    "REMOTE_DIFFERS": Case(
        top="schedule_time: 2026-12-01T10:00:00\n", commands=(_SENT, *_PLAN), needs="Europe/London"
    ),
    "REMOTE_MISSING": Case(
        project="api: {reconcile_seconds: 0}\n", commands=(_SENT, *_PLAN), list_lag=60
    ),
    "REMOTE_NAME": Case(
        commands=(("api", "sendBulkSms", "--input", "{folder}/other.json", "--yes"), *_PLAN),
        files={"other.json": '{"callback_url": "", "messages": [{"alphaname_id": "0", "name": "sale/vi", '
               '"message_type": "bulk", "text": "Hi", "delivery_list": ["375291111111"]}]}'},
    ),
    "REMOVED": Case(
        "    text: Hi\n    waves: [{people: 1, after: 45m, delivered: 90}, rest]\n", commands=(_SENT, *_PLAN),
        then=(("sale.yaml", Case(mailing=_MAILING.replace("vip", "other")).campaign()),),
    ),
    "ROW": Case(rows=f"{_LIST}375293333333,Olga,too,many\n375294444444\n"),
    "SAME_PEOPLE": Case(files={"other.yaml": f"{_OTHER}{_MAILING}    text: Hi\n"}, commands=(("plan", "--offline"),)),
    "SAME_TEXT": Case(files={"other.yaml": f"{_OTHER}{_MAILING}    text: Hello\n"}, commands=(("plan", "--offline"),)),
    "SCHEMA": Case(top="revision: zero\n"),
    "SENT_AGAIN": Case(commands=(_SENT, *_PLAN), then=(("sale.yaml", Case(top="revision: 2\n").campaign()),)),
    "SMART_ENCODING": Case("    text: «Hello» — you…\n    smart_encoding: true\n"),
    "SQL": Case(mailing=_sql("select * from missing"), url=_DATABASE),
    "SUPPRESS_EMPTY": Case(project="suppress: [out.csv]\n", files={"out.csv": "phone\n"}),
    "SUPPRESS_FILE": Case(project="suppress: [out.csv]\n", files={"out.csv": "tel\n375291111111\n"}),
    "SUPPRESS_PHONE": Case(project="suppress: [out.txt]\n", files={"out.txt": "375291111111\nunknown\n"}),
    "TEMPLATE": Case('    text: "Hello, {{ nmae }}"\n'),
    "TEMPLATE_SYNTAX": Case('    text: "Hello, {{ name | upcase }}"\n'),
    "TEST": Case("    text: Hello {{ name }}\n    tests: [{line: 2, text: Hello Anna}, {line: 3, text: Hello Bob}]\n"),
    "TEXT": Case('    text: "{# later #}"\n'),
    "SETTING_CHANGED": Case(
        project="price: {currency: BYN, per_part: 1}\n",
        files={"base/smsby.yaml": "version: 1\nproject: shop\n"},
        commands=(("plan", "--compare", "{folder}/base", "--offline", "--format", "github"),),
    ),
    "SINGLE_SIZE": Case(
        "    text: Hello\n    via: single\n", rows="phone\n" + "".join(f"37529{n:07}\n" for n in range(10_001))
    ),
    "TIME": Case(top="schedule_time: 2026-02-30T10:00:00\n"),
    "TIMEZONE": Case(top="timezone: Minsk\n"),
    "TOO_LONG": Case(f"    text: {'y' * 1531}\n"),
    "TRUTH": Case(
        '    text: "Hello{% if vip %}, VIP{% endif %}"\n', rows="phone,vip\n375291111111,yes\n375292222222,no\n"
    ),
    "TWO_LINKS": Case("    text: 'https://a.by or https://b.by'\n"),
    "UNKNOWN_ALPHANAME": Case(top="alphaname: NoSuchShop\n", commands=_PLAN),
    "UNKNOWN_KEY": Case(top="shedule_time: 2026-12-01T10:00:00\n"),
    "UNKNOWN_LIST": Case(mailing="  - name: vip\n    list: NoSuchList\n", commands=_PLAN),
    "UPLOAD": Case(mailing="  - name: vip\n    recipients: {file: list.csv}\n    upload: {fields: [nmae, email]}\n"),
    "VIA": Case(mailing="  - name: vip\n    list: Newsletter\n    via: bulk\n"),
    "VARIANTS": Case("    variants: [{name: a, share: 50, text: Hello}, {name: b, share: 40, send: false}]\n"),
    "WAVES": Case("    waves: [{people: 200, share: 20, after: 45m, delivered: 90}, rest]\n"),
    "WHOLE_MINUTES": Case(top="schedule_time: 2026-12-01T10:00:30\n", mailing="  - name: vip\n    list: Newsletter\n"),
    "YAML": Case("    text: Hello\n    text: Good bye\n"),
}  # fmt: skip


def test_every_problem_code_has_a_case() -> None:
    """Each code in docs/problems.md, with its meaning and fix, has a case and a reviewed golden file."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \| [^|]+ \|$", _DOCS.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(CASES)
    assert sorted(path.stem for path in _GOLDEN.glob("*.txt")) == sorted(CASES)


@pytest.mark.parametrize("code", sorted(CASES))
def test_problem_is_reported_word_for_word(
    code: str,
    tmp_path: Path,
    smsby_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each problem has its severity, place, sentence and hint."""
    case = CASES[code]
    folder = _write_project(case, tmp_path / "shop", monkeypatch)
    if case.needs:
        smsby_sandbox.set(timezones={"schedule_time": case.needs})
    if case.known:
        _write(folder, "smsby.facts.json", _facts(case, smsby_sandbox))
    if case.list_lag:
        smsby_sandbox.set(list_lag=case.list_lag)
    if case.clock:
        smsby_sandbox.advance(case.clock)
        monkeypatch.setenv("SMSBY_API_URL", smsby_sandbox.url.replace("127.0.0.1", "0x7f000001"))
    if case.refuses:
        smsby_sandbox.set(refuses=list(case.refuses))
    if case.alphanames:
        smsby_sandbox.set(alphanames=dict(case.alphanames))
    for index, command in enumerate(case.commands):
        capsys.readouterr()
        run(["-C", str(folder), *(part.format(folder=folder) for part in command)])
        if index == 0:
            for name, content in case.then:
                _write(folder, name, content)
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if f" {code} " in line or f"title={code}::" in line]
    assert lines, said
    shown = re.sub(r", 34\d\d ", ", N ", "\n".join(lines))  # the id of a new contact list
    shown = re.sub(r"by \S+ on \d{4}-\d\d-\d\d \d\d:\d\d \+03", "by anna on 2026-11-24 10:00 +03", shown)
    check_golden(f"problems/{code}.txt", f"{shown}\n")


_ACCOUNT_ZONE = (
    "price: {currency: BYN, per_part: 0.026}\nguardrails: {budget: 1}\napi: {account_timezone: X/Y}\n"
)


@pytest.mark.parametrize(
    "case",
    [
        *CASES.values(),
        Case(project=_ACCOUNT_ZONE),
        Case(project="defaults: {timezone: X/Y, alphaname: NoSuchShop}\n"),
    ],
    ids=[*CASES, "account_timezone", "defaults"],
)
def test_no_problem_makes_a_command_crash(
    case: Case,
    tmp_path: Path,
    smsby_sandbox: SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every command reads what it can, and exits with a documented code."""
    folder = _write_project(case, tmp_path / "shop", monkeypatch)
    for command in (
        ("plan", "--offline"),
        ("render", "*"),
        ("plan", "--format", "markdown"),
        _SENT,
        ("status",),
    ):
        code = run(["-C", str(folder), *command])
        err = capsys.readouterr().err
        assert code in (0, 3, 4, 64), err
        assert "internal error" not in err


def _write_project(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    if case.url:
        monkeypatch.setenv("CRM_URL", case.url.format(folder=folder))
        _write_database(folder / "crm.db")
    _write(folder, "smsby.yaml", f"version: 1\nproject: shop\n{case.project}")
    _write(folder, "sale.yaml", case.campaign())
    _write(folder, "list.csv", case.rows)
    for name, content in case.files.items():
        _write(folder, name, content)
    return folder


def _write(folder: Path, name: str, content: str | bytes) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _facts(case: Case, sandbox: SandboxHandle) -> str:
    facts = {
        name: {"state": "known", "value": value, "learned_at": case.known_at, "method": "getBalance"}
        for name, value in case.known.items()
    }
    account = account_id(sandbox.url, sandbox.token)
    accounts = {account: {"service": sandbox.url, "facts": facts}}
    return json.dumps({"format": "smsby-facts", "version": 1, "accounts": accounts})


def _write_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("create table customers (id integer, phone text, name text, city text)")
        database.execute("insert into customers values (1, '375291111111', 'Anna', 'Minsk')")
        database.execute("insert into customers values (2, '375292222222', 'Boris', 'Minsk')")
    database.close()
