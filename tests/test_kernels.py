"""Kernels as data: no rule is there for show."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

import numakit
from numakit import Machine, Topology
from numakit.kernels import KERNELS, Kernel

CODE = Path(numakit.__file__).parent
SHOWN = {"name", "title", "source"}  #: fields for readers


@pytest.mark.parametrize("field", [field.name for field in fields(Kernel) if field.name not in SHOWN])
def test_every_rule_of_a_kernel_is_read_where_the_pipeline_decides(field: str) -> None:
    """A field that nobody reads would be ignored in silence when somebody sets it."""
    readers = [path for path in CODE.rglob("*.py") if f"kernel.{field}" in path.read_text()]
    assert readers, field


def test_a_kernel_that_does_not_exist_is_refused_with_those_that_do() -> None:
    """Name and title of each."""
    with pytest.raises(ValueError, match=r"kernel='2\.4'.*'seed' \(the 2006 text\)"):
        Machine(Topology.preset("ring4"), kernel="2.4")
    assert all(kernel.name == name for name, kernel in KERNELS.items())
