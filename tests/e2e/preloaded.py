"""Everything that a run of the command or of the sandbox imports sooner or later, imported once for all forked runs."""

import importlib
import pkgutil

import smsby_deploy

for module in pkgutil.walk_packages(smsby_deploy.__path__, "smsby_deploy."):
    if module.name not in ("smsby_deploy.__main__", "smsby_deploy.sandbox.pytest_plugin"):
        importlib.import_module(module.name)
for name in (
    "encodings.idna",
    "filelock",
    "jinja2",
    "jsonschema",
    "requests",
    "rich.console",
    "rich.table",
    "yaml",
    "zoneinfo",
):
    importlib.import_module(name)
