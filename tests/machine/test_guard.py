from __future__ import annotations

import subprocess
import sys

import pytest

PRINT_STATE = """
import ctypes, resource
from cline_cli.machine._descendants import guard_process
guard_process()
PR_GET_DUMPABLE = 3
print(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE), resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_memory_and_core_are_closed_when_the_process_is_guarded() -> None:
    done = subprocess.run([sys.executable, "-c", PRINT_STATE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
