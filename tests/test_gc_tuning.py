"""gc_tuning: what is kept until the process ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CODE = """
import sys
from smsby_deploy.gc_tuning import end_quickly, keep_until_exit

class Noisy:
    def __del__(self):
        sys.stdout.write("freed")

value = Noisy()
if sys.argv[1] == "keep":
    keep_until_exit(value)
del value
end_quickly()
"""


@pytest.mark.parametrize(("how", "written"), [("keep", ""), ("drop", "freed")])
def test_keep_until_exit_frees_nothing(how: str, written: str) -> None:
    done = subprocess.run([sys.executable, "-c", _CODE, how], capture_output=True, text=True, check=True)
    assert done.stdout == written
