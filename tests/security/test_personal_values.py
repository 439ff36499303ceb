"""Attacks on the comment of a pull request and the page of a plan, whose readers may not see personal values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run

_ROW = {
    "phone": "375291234567",
    "name": "Maximilian",
    "debt": "4711.5",
    "born": "1984-02-29",
    "card": "5105105105105100",
}
_TEXTS = (
    "{{ debt | money }} BYN, {{ born | date('%d.%m.%Y') }}",
    "{{ phone[5:] }} {{ phone | phone }} {{ phone[::2] }}",
    "{{ name | upper }} {{ name | reverse }} {{ name.replace('i', '1') }} {{ name[1:] }}",
    "{% set x = card[-4:] %}ends in {{ x }} {{ card | replace('5', ' ') }} {{ debt | decimal + 1 }}",
    "{% for letter in name %}{{ letter }} {% endfor %}",
    "{{ '%s' | format(name) }} {{ [name, debt] | join(' ') }} {{ name | truncate(7) }}",
)
_SECRETS = (
    "4711", "4 711", "29.02", "1984", "1234567", "234567", "12-34", "Maximilian", "MAXIMILIAN", "nailimixaM", "Max1m1l1an",
    "aximilian", "5100", "4712", "M a x", "Maxi",
)  # fmt: skip
_DIGEST = re.compile(
    r"\b(?=[0-9]*[a-f])[0-9a-f]{10,}\b"
)  # the digits of one could be those of a value by chance


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("text", _TEXTS)
def test_comment_shows_no_value_through_any_filter(
    text: str, language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No filter lets the author of a template print a value in a form that is not recognized and masked."""
    (tmp_path / "smsby.yaml").write_text(f"version: 1\nproject: shop\nlanguage: {language}\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(
        f'version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: {{file: vip.csv}}\n    text: "{text}"\n',
        "utf-8",
    )
    (tmp_path / "vip.csv").write_text(f"{','.join(_ROW)}\n{','.join(_ROW.values())}\n", "utf-8")
    page = tmp_path / "plan.html"
    run(["-C", str(tmp_path), "plan", "--offline", "--format", "markdown", "--page", str(page)])
    comment = _DIGEST.sub("", capsys.readouterr().out)
    _, _, samples = comment.partition("sale/vip (1)" if language == "ru" else "Sample texts of")
    assert "*" in samples.partition("</pre>")[0]
    assert [secret for secret in _SECRETS if secret in samples] == []
    _, _, bubbles = _DIGEST.sub("", page.read_text("utf-8")).partition('class="bubble"')
    assert "*" in bubbles.partition("</p>")[0]
    assert [secret for secret in _SECRETS if secret in bubbles] == []
