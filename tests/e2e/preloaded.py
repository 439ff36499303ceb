"""What every run of the command imports sooner or later: imported once, for all runs that are forked."""

import importlib
import pkgutil

import smsby_deploy

for module in pkgutil.walk_packages(smsby_deploy.__path__, "smsby_deploy."):
    if not module.name.startswith(("smsby_deploy.sandbox", "smsby_deploy.__main__")):
        importlib.import_module(module.name)
for name in (
    "requests",
    "filelock",
    "jsonschema",
    "jinja2",
    "rich.console",
    "rich.table",
    "zoneinfo",
    "yaml",
):
    importlib.import_module(name)
