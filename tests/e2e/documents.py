"""Documents that the program writes, checked against its own schemas."""

from __future__ import annotations

import json
from pathlib import Path

from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from smsby_deploy.resources import load_schema, schema_file


def check_documents(name: str, *paths: Path) -> None:
    for path in paths:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert [
            error.message for error in Draft202012Validator(load_schema(name)).iter_errors(document)
        ] == []
    done = CliRunner().invoke(check_jsonschema, ["--schemafile", str(schema_file(name)), *map(str, paths)])
    assert done.exit_code == 0, done.output
