"""`render`: masking, formats and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run

_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", n: Анна}, {phone: "375291234568", n: "Екатерина"}]
    text: "{{ n }}, ваш номер {{ phone }}"
  - name: bad
    recipients: [{phone: "375291234567", n: ""}]
    text: "Привет, {{ n }}"
"""


@pytest.fixture
def project(tmp_path: Path) -> str:
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN, "utf-8")
    return str(tmp_path)


def test_render_masks_phones_unless_asked(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Phones are masked next to a text and in it, and shown in full with --unmask."""
    assert run(["-C", project, "render", "sale/vip"]) == 0
    out = capsys.readouterr().out
    assert "Анна, ваш номер 37529*****67" in out
    assert "1234567" not in out
    assert run(["-C", project, "render", "sale/vip", "--unmask"]) == 0
    assert "Анна, ваш номер 375291234567" in capsys.readouterr().out


def test_render_json_is_one_document(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout has the document and nothing else."""
    assert run(["-C", project, "render", "sale/vip", "--row", "2", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [text["row"] for text in document["mailings"][0]["texts"]] == [2]


def test_render_reports_a_text_that_fails(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A text that fails is exit code 3, with its problem and place on stderr and the other texts on stdout."""
    assert run(["-C", project, "render", "sale/*"]) == 3
    captured = capsys.readouterr()
    assert "sale/vip" in captured.out
    assert "TEMPLATE" in captured.err
    assert "sale.yaml:8" in captured.err


def test_render_refuses_what_does_not_exist(project: str) -> None:
    """A missing mailing or row, and no selection at all, are wrong usage."""
    assert run(["-C", project, "render", "sale/nope"]) == 64
    assert run(["-C", project, "render", "sale/vip", "--row", "3"]) == 64
    assert run(["-C", project, "render"]) == 64


def test_render_has_the_warnings_about_texts(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`render` prints the warnings about texts."""
    campaign = Path(project) / "sale.yaml"
    text = "{% if n %}&nbsp;{% endif %}\u0421at"
    content = _CAMPAIGN.replace("{{ n }}, ваш номер", text).replace("n: Анна", 'n: "no"')
    (Path(project) / "vip.csv").write_text("phone,n\n375291234567,no\n", "utf-8")
    campaign.write_text(content.replace("recipients: [{", "recipients: {file: vip.csv} # ", 1), "utf-8")
    assert run(["-C", project, "render", "sale/vip"]) == 0
    assert {"HTML_ENTITY", "MIXED_ALPHABETS", "TRUTH"} <= set(capsys.readouterr().err.split())
