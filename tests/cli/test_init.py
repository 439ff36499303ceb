"""`init`: a project that works whenever it is created."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from smsby_deploy.cli.init import copy_sample, next_first_of_march, project_name
from smsby_deploy.cli.main import run
from smsby_deploy.config.project_loader import load_project


@pytest.mark.parametrize(
    ("today", "day"),
    [
        (date(2026, 11, 24), date(2027, 3, 1)),
        (date(2027, 2, 27), date(2027, 3, 1)),
        (date(2027, 2, 28), date(2028, 3, 1)),
        (date(2028, 2, 29), date(2029, 3, 1)),
        (date(2031, 3, 1), date(2032, 3, 1)),
    ],
)
def test_next_first_of_march_is_two_days_off(today: date, day: date) -> None:
    """The next 1 March is in the future in every time zone."""
    assert next_first_of_march(today) == day


def test_copy_sample_is_not_expired_years_from_now(tmp_path: Path) -> None:
    """Every scheduled mailing of the sample is in the future on the day it is copied."""
    made = datetime.fromisoformat("2034-06-01T00:00:00+00:00")
    copy_sample(tmp_path, made.date())
    loaded = load_project(tmp_path)
    times = [m.schedule_time for m in loaded.project.mailings if m.schedule_time is not None]
    assert len(times) == 2
    assert all(when > made for when in times)


def test_copy_sample_keeps_callbacks_out_of_git(tmp_path: Path) -> None:
    """Callbacks, which may contain phone numbers, are ignored by git, and an existing .gitignore is kept."""
    copy_sample(tmp_path / "new", date(2026, 11, 24))
    assert "*.callbacks.jsonl" in (tmp_path / "new/.gitignore").read_text(encoding="utf-8").splitlines()
    kept = tmp_path / "old/.gitignore"
    kept.parent.mkdir()
    kept.write_text(".venv/\n", encoding="utf-8")
    copy_sample(kept.parent, date(2026, 11, 24))
    assert kept.read_text(encoding="utf-8") == ".venv/\n"


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `init` in the same folder fails and changes nothing."""
    assert run(["init", str(tmp_path)]) == 0
    (tmp_path / "smsby.yaml").write_text("mine")
    assert run(["init", str(tmp_path)]) == 1
    assert (tmp_path / "smsby.yaml").read_text() == "mine"
    assert "already exists" in capsys.readouterr().err


def test_init_works_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSBY_PROJECT", str(tmp_path / "new"))
    assert run(["init"]) == run(["validate"]) == 0
    assert (tmp_path / "new/smsby.yaml").exists()


def test_init_works_where_the_global_option_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`init -C DIR` works like every command, and DIR given twice is wrong usage."""
    assert run(["-C", str(tmp_path / "new"), "init"]) == 0
    assert f"cd {tmp_path / 'new'} &&" in capsys.readouterr().err
    assert run(["-C", str(tmp_path / "new"), "validate"]) == 0
    assert run(["-C", str(tmp_path / "a"), "init", str(tmp_path / "b")]) == 64
    assert "named twice" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my-shop", "my-shop"),
        ("My Shop!", "my-shop"),
        ("-a-", "a"),
        ("ж", "kvetka-shop"),
        ("Мой магазин (1)", "kvetka-shop"),
        ("x" * 50, "x" * 40),
        ("for-375291234567", "kvetka-shop"),
    ],
)
def test_project_name(folder: str, name: str, tmp_path: Path) -> None:
    """A new project is named after its folder, as far as a name allows."""
    assert project_name(tmp_path / folder) == name
    assert run(["init", str(tmp_path / folder)]) == 0
    assert load_project(tmp_path / folder).project.name == name


def test_init_writes_gitattributes(tmp_path: Path) -> None:
    """.gitattributes gives every checkout the same line endings, and keeps existing settings."""
    copy_sample(tmp_path / "new", date(2026, 11, 24))
    assert "* text=auto eol=lf" in (tmp_path / "new/.gitattributes").read_text(encoding="utf-8").splitlines()
    (tmp_path / "old").mkdir()
    (tmp_path / "old/.gitattributes").write_text("*.csv binary\n", encoding="utf-8")
    copy_sample(tmp_path / "old", date(2026, 11, 24))
    assert (tmp_path / "old/.gitattributes").read_text(encoding="utf-8") == "*.csv binary\n"
