"""Kernels as plain data: the rules that a kernel goes by, and the names of the functions that serve where control
flow changed.

A rule is a field of :class:`Kernel`; the pipeline reads it where kernels differ. Where a whole function differs, or
is to be broken on purpose, ``functions`` names the one that serves: role -> name (see
:mod:`numakit.kernels.functions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from numakit.abi import EBUSY


@dataclass(frozen=True)
class Kernel:
    """What a kernel does where kernels differ. The defaults are those of ``seed``, the contract of the 2006 text."""

    name: str
    title: str  #: what readers call it
    source: str  #: where its rules are written down
    passes: int = 10  #: sweeps of migrate_pages() over the pages that are left
    polite_passes: int = 3  #: so many of them skip a page that is locked or under writeback; later ones sleep for it
    mlocked_stay: bool = True  #: a page in a VM_LOCKED area is not moved (-EPERM); until 2.6.18-rc1
    busy_status: int = -EBUSY  #: what a page that was busy in all passes gets as its status
    entry_wait_holds_page: bool = (
        True  #: who waits on a migration entry holds a reference, which can cost the call a pass
    )
    functions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def with_function(self, role: str, name: str) -> Kernel:
        """This kernel with another function in a role: ``kernel.with_function("try_to_unmap", "my_try_to_unmap")``."""
        title = f"{self.title}, with {name} as its {role}"
        return replace(
            self, name=f"{self.name}+{name}", title=title, functions=MappingProxyType({**self.functions, role: name})
        )


SEED = Kernel(
    "seed",
    "the 2006 text",
    "the text of commit 742755a1d8ce, June 2006: 'sys_move_pages(): support moving of individual pages'",
)

KERNELS: Mapping[str, Kernel] = MappingProxyType({SEED.name: SEED})


def kernel_named(kernel: str | Kernel) -> Kernel:
    """The kernel of that name, or the kernel itself. Raises ValueError, naming those that exist."""
    if isinstance(kernel, Kernel):
        return kernel
    if kernel not in KERNELS:
        known = ", ".join(f"{name!r} ({its.title})" for name, its in KERNELS.items())
        raise ValueError(f"kernel={kernel!r}: no such kernel; so far there is {known}")
    return KERNELS[kernel]
