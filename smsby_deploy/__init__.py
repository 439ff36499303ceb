"""SMS campaigns as code for sms.by: validate, plan, apply, status.

The same verbs from Python: `load_project`, `make_plan`, `apply_plan`, `collect_status`; see docs/python.md. Each is imported
on first use, so that the command line starts fast.
"""

from __future__ import annotations

TYPE_CHECKING = (
    False  # type checkers treat it as True; importing it from typing would double the time of --version
)
if TYPE_CHECKING:
    from typing import Any

    from smsby_deploy.apply.run import apply_plan
    from smsby_deploy.config.project_loader import load_project
    from smsby_deploy.plan.planner import make_plan
    from smsby_deploy.status.collect import collect_status

__version__ = "0.1.0"
TOOL = f"smsby-deploy {__version__}"  # its name in plans, locks and pages
__all__ = ["apply_plan", "collect_status", "load_project", "make_plan"]

_MODULES = {
    "apply_plan": "smsby_deploy.apply.run",
    "collect_status": "smsby_deploy.status.collect",
    "load_project": "smsby_deploy.config.project_loader",
    "make_plan": "smsby_deploy.plan.planner",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
