"""The peak memory of work on long lists, in a separate process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# VmHWM instead of ru_maxrss, which in a child process starts at the peak of its parent, here pytest.
_READ = """
import sys
from pathlib import Path
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.config.project_loader import load_project
project = load_project(Path(sys.argv[1]), {"CRM_URL": sys.argv[2]}).project
measured = measure_mailing(project, project.mailings[0], PhoneSet())
assert not measured.problems, measured.problems
print(measured.desired.audience.final)
"""
_PEAK = """
import re
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def measure_peak(folder: Path, url: str = "") -> tuple[int, int]:
    """Return the number of recipients of the only mailing in `folder`, and the peak kilobytes; `url` is its database."""
    recipients, kilobytes = run_peak(_READ, str(folder), url)
    return recipients, kilobytes


def run_peak(code: str, *arguments: str) -> list[int]:
    """Return the numbers that `code` prints, and the peak kilobytes of its process."""
    command = [sys.executable, "-c", code + _PEAK, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]
