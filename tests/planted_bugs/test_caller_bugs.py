"""Each planted bug of migrate_pages(2), mbind() and cpusets is found by the one check that the table names."""

from __future__ import annotations

import pytest

from numakit.kernels import SEED
from tests.planted_bugs.bugs import Bug
from tests.planted_bugs.caller_bugs import BUGS


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_check_finds_the_bug(bug: Bug) -> None:
    """It holds on the sound kernel, and fails on the kernel that differs in one function."""
    assert len(bug.kernel.functions) == 1
    bug.found_by(SEED)
    with pytest.raises(AssertionError):
        bug.found_by(bug.kernel)
