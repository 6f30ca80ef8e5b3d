"""A notebook for which its reader waits too long fails the part, whatever it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import ROOT

#: As a cell does, each test has another process work; what that one needs of the CPU is told when it has ended.
WORK = """
import subprocess, sys

def test_cell():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < {seconds}: pass"], check=True)
"""


@pytest.mark.parametrize(("most", "status"), [(0.3, 1), (100, 0)])
def test_file_that_takes_too_long_fails_the_run_and_is_named(tmp_path: Path, most: float, status: int) -> None:
    """Every cell passes in both runs; only the limit is another."""
    (tmp_path / "test_quick.py").write_text(WORK.format(seconds=0), encoding="utf-8")
    (tmp_path / "test_slow.py").write_text(WORK.format(seconds=0.5), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tools.notebook_seconds", f"--notebook-seconds={most}"]
    command += ["-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == status
    assert [line for line in done.stdout.splitlines() if line.startswith("TOO SLOW")] == [
        "TOO SLOW: test_slow"
    ] * status
    assert "test_slow " in done.stdout
