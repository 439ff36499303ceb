"""The measured projects. They are generated from a seed, so they are the same on every machine.

A separate process generates them, so that the measuring process stays small: on Linux the peak memory of a child process
starts at that of its parent.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

SEED = 20260301
SUPPRESSED = 100_000
_CODES = ("25", "29", "33", "44")
_NAMES = ("Анна", "Иван", "Мария", "Сергей", "Наталья", "Александр", "Ольга", "Дмитрий", "Елена", "Павел")
_FAMILIES = ("Ковальчук", "Новик", "Жук", "Шевченко", "Мельник", "Кравченко", "Бондаренко", "Климович")
_TEXT = (
    "Здравствуйте, {{ name }}! Ваш заказ {{ code }} готов.{% if bonus %} Ваш бонус: {{ bonus }} руб."
    "{% endif %} Ждём вас в магазине."
)
_PROJECT = """\
version: 1
project: bench
api: {{requests_per_second: 1000000, concurrency: {concurrency}}}
price: {{currency: BYN, per_part: 0.026}}
{suppress}"""
_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: all
    recipients: {{file: recipients.csv}}
    on_invalid: drop
    text: "{text}"
"""
_THIRTY_LINES = """\
# Thirty lines, like a small campaign.
version: 1
campaign: sale-{number}
alphaname: 0
timezone: Europe/Minsk
revision: 1
mailings:
  - name: first
    recipients:
      - "375291234567"
      - phone: "375297654321"
        name: Анна
        city: Минск
      - phone: +375 33 123-45-67
        name: Иван
        city: Гродно
    text: Магазин закрыт до 12:00.
  - name: second
    recipients:
      - phone: "375251112233"
        name: Ольга
        discount: 10
      - phone: "375441112233"
        name: Павел
        discount: 20
    text: "{{{{ name }}}}, ваша скидка {{{{ discount }}}}%"
    on_invalid: fail
  - name: third
    recipients: ["375331112233"]
    text: Новая коллекция уже в продаже.
"""


def recipients(rows: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield rows of phone, name, code and bonus: 10 % unusually written phones, 0.5 % invalid, 2 % repeated."""
    chance = random.Random(SEED)
    earlier: list[str] = []
    for _ in range(rows):
        number = f"{chance.choice(_CODES)}{chance.randrange(10**7):07d}"
        kind = chance.random()
        if kind < 0.02 and earlier:
            number = chance.choice(earlier)
        elif len(earlier) < 1000:
            earlier.append(number)
        kind = chance.random()
        if kind < 0.895:
            phone = f"375{number}"
        elif kind < 0.92:
            phone = f"+375{number}"
        elif kind < 0.945:
            phone = f"+375 ({number[:2]}) {number[2:5]}-{number[5:7]}-{number[7:]}"
        elif kind < 0.97:
            phone = f"80{number}"
        elif kind < 0.995:
            phone = f"8 0{number[:2]} {number[2:5]} {number[5:]}"
        else:
            phone = chance.choice((f"37517{number[2:]}", number[:6], "нет", f"375{number}9"))
        bonus = str(chance.randrange(1, 100)) if chance.random() < 0.5 else ""
        name = f"{chance.choice(_NAMES)} {chance.choice(_FAMILIES)}"
        yield phone, name, f"{chance.randrange(10**6):06d}", bonus


def make_list(folder: Path, rows: int, concurrency: int = 1) -> None:
    """Create a mailing to `rows` recipients of a CSV file, with 100,000 opt-outs."""
    folder.mkdir(parents=True)
    chance = random.Random(SEED + 1)
    with (folder / "recipients.csv").open("w", encoding="utf-8") as file:
        file.write("phone,name,code,bonus\n")
        for row in recipients(rows):
            file.write(",".join(row) + "\n")
    with (folder / "unsubscribed.csv").open("w", encoding="utf-8") as file:
        file.write("phone\n")
        for index, row in enumerate(recipients(rows)):
            if index < SUPPRESSED // 2 and chance.random() < 0.5:
                file.write(row[0] + "\n" if row[0].isdigit() and len(row[0]) == 12 else "")
        for _ in range(SUPPRESSED - SUPPRESSED // 4):
            file.write(f"375{chance.choice(_CODES)}{chance.randrange(10**7):07d}\n")
    settings = _PROJECT.format(concurrency=concurrency, suppress="suppress: [unsubscribed.csv]\n")
    (folder / "smsby.yaml").write_text(settings, encoding="utf-8")
    (folder / "sale.yaml").write_text(_CAMPAIGN.format(text=_TEXT), encoding="utf-8")


def make_many(folder: Path, mailings: int, rows: int, concurrency: int = 1) -> None:
    """Create that many mailings to one CSV file of `rows` recipients, each in its own campaign."""
    make_list(folder, rows, concurrency)
    text = (folder / "sale.yaml").read_text(encoding="utf-8")
    for number in range(1, mailings):
        other = text.replace("campaign: sale", f"campaign: sale-{number}").replace("заказ", f"заказ {number}")
        (folder / f"sale-{number:04}.yaml").write_text(other, encoding="utf-8")


def make_upload(folder: Path, rows: int, concurrency: int) -> None:
    """Create an uploaded mailing to `rows` recipients; sms.by lists no draft, and apply does not look for one for long."""
    make_list(folder, rows, concurrency)
    path = folder / "smsby.yaml"
    settings = path.read_text(encoding="utf-8").replace("api: {", "api: {reconcile_seconds: 0, ")
    path.write_text(settings, encoding="utf-8")
    campaign = _CAMPAIGN.format(text="Ждём вас в магазине.").replace(
        "    recip", "    upload: true\n    recip"
    )
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")


def make_small(folder: Path, files: int) -> None:
    """Create `files` campaigns of thirty lines."""
    folder.mkdir(parents=True)
    (folder / "smsby.yaml").write_text(_PROJECT.format(concurrency=1, suppress=""), encoding="utf-8")
    for number in range(files):
        text = _THIRTY_LINES.format(number=number)
        (folder / f"sale-{number:04d}.yaml").write_text(text, encoding="utf-8")


def make_inline(folder: Path, rows: int) -> None:
    """Create one campaign with `rows` inline recipients."""
    folder.mkdir(parents=True)
    (folder / "smsby.yaml").write_text(_PROJECT.format(concurrency=1, suppress=""), encoding="utf-8")
    lines = ["version: 1", "campaign: sale", "mailings:", "  - name: all", "    on_invalid: drop"]
    lines.append("    recipients:")
    for phone, name, code, bonus in recipients(rows):
        lines.append(f'      - {{phone: "{phone}", name: {name}, code: "{code}", bonus: "{bonus}"}}')
    lines.append(f'    text: "{_TEXT}"')
    (folder / "sale.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_years(folder: Path, mailings: int) -> None:
    """Create a lock that records `mailings` to a thousand recipients each, ten per apply."""
    from smsby_deploy.lock.records import AppliedBy, Apply, ChunkRecord, ChunkState, Entry, Lock
    from smsby_deploy.lock.serialization import write_lock

    folder.mkdir(parents=True)
    chance, at = random.Random(SEED), "2025-03-01T10:00:00+00:00"
    entries, applies = {}, []
    for number in range(mailings):
        content, audience, text, chunk, recipients, plan = (chance.randbytes(32).hex() for _ in range(6))
        sent = ChunkRecord(chunk[:10], 1000, chunk, ChunkState.ACCEPTED, f"{plan[:36]}", number + 1, at)
        applied = AppliedBy(at, plan, text[:40], "smsby-deploy 0.1.0")
        entries[f"sale-{number // 10:04}/{number % 10}"] = Entry(
            revision=1,
            content_digest=content,
            audience_digest=audience,
            text_digest=text,
            recipients_digest=recipients,
            transport="bulk",
            body="json",
            alphaname="Shop",
            alphaname_id=7,
            schedule_time=None,
            recipients=1000,
            parts=1000,
            cost="26.00",
            currency="BYN",
            chunks=(sent,),
            applied=applied,
        )
        if number % 10 == 0:
            applies.append(Apply(plan, at, None, "smsby-deploy 0.1.0", 10, 10_000))
    (folder / "smsby.yaml").write_text(_PROJECT.format(concurrency=1, suppress=""), encoding="utf-8")
    lock = Lock("bench", len(applies), "0" * 32, entries, tuple(applies))
    (folder / "smsby.lock.json").write_text(write_lock(lock), encoding="utf-8")


_KINDS: dict[str, Callable[..., None]] = {
    "list": make_list,
    "many": make_many,
    "upload": make_upload,
    "small": make_small,
    "inline": make_inline,
    "years": make_years,
}

if __name__ == "__main__":  # python -m tests.bench.projects FOLDER KIND SIZE…
    _KINDS[sys.argv[2]](Path(sys.argv[1]), *map(int, sys.argv[3:]))
