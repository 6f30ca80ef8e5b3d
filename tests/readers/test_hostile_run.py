"""Mutated files and made-up input: a topology or one clear error, in bounded time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readers.mutants import corpus

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_reader_gives_a_topology_or_one_error_within_512_mib(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.readers.hostile_run", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["failures"] == []
    counts = result["counts"]
    assert counts["mutant loaded"] + counts["mutant refused"] >= 300
    for reader in ("mutant", "numactl", "hwloc", "json", "sysfs"):
        assert min(counts[f"{reader} loaded"], counts[f"{reader} refused"]) > 10, (reader, counts)


def test_the_corpus_is_the_same_at_each_run() -> None:
    first, second = corpus(), corpus()
    assert [next(first) for _ in range(30)] == [next(second) for _ in range(30)]
