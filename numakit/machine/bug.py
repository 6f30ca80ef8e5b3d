"""BUG(): a kernel finds that it has gone wrong and stops (include/asm-generic/bug.h)."""

from __future__ import annotations

from typing import NoReturn

from numakit.machine.state import MachineState


class KernelBug(Exception):
    """The kernel has stopped in the middle of a call, with whatever it held. The call has no return code."""


def hit_bug(m: MachineState, what: str) -> NoReturn:
    """Stop here: the machine makes no further calls until it is stepped back. ``what``: a clause that says what is
    wrong.
    """
    m.put("bug", what)
    raise KernelBug(what)
