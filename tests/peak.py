"""The peak memory of reading the recipients of a mailing, in a separate process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# VmHWM instead of ru_maxrss, which in a child process starts at the peak of its parent, here pytest.
_READ = """
import re, sys
from pathlib import Path
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.config.project_loader import load_project
project = load_project(Path(sys.argv[1]), {"CRM_URL": sys.argv[2]}).project
desired, problems = measure_mailing(project, project.mailings[0], PhoneSet())
assert not problems, problems
status = Path("/proc/self/status").read_text()
print(desired.audience.final, re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])
"""


def measure_peak(folder: Path, url: str = "") -> tuple[int, int]:
    """Return the number of recipients of the only mailing in `folder`, and kilobytes; `url` is its database."""
    command = [sys.executable, "-c", _READ, str(folder), url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    recipients, kilobytes = map(int, done.stdout.split())
    return recipients, kilobytes
