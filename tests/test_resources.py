"""resources: the shipped files, in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy import resources
from smsby_deploy.resources import catalog_file, load_schema, problems_page, sample_project, schema_file


@pytest.mark.parametrize("name", ["project", "campaign", "plan", "lock", "facts", "approval"])
def test_every_schema_is_shipped(name: str) -> None:
    """Every schema is shipped, has the id of its name, and is decoded once."""
    assert load_schema(name) is load_schema(name)
    assert load_schema(name)["$id"].endswith(f"/{schema_file(name).name}")


def test_other_shipped_files_exist() -> None:
    """The translations, the pages of problems and the sample project are shipped."""
    assert catalog_file("ru").is_file()
    assert [problems_page(language).name for language in ("en", "ru")] == ["problems.md", "problems.ru.md"]
    assert all(problems_page(language).is_file() for language in ("en", "ru"))
    assert (sample_project() / "smsby.yaml").is_file()


def test_wheel_has_the_files_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a wheel the files are inside the package, and in a checkout next to it."""
    package = tmp_path / "smsby_deploy"
    (package / "schema").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert schema_file("lock") == package / "schema" / "lock.schema.json"
    assert sample_project() == tmp_path / "campaigns"
