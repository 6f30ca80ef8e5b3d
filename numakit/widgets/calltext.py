"""A call of move_pages() as the Python that makes it."""

from __future__ import annotations

from collections.abc import Sequence

from numakit.abi import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE

NAMES = {MPOL_MF_MOVE: "MPOL_MF_MOVE", MPOL_MF_MOVE_ALL: "MPOL_MF_MOVE_ALL"}
WRITTEN_OUT = 3  #: addresses that are named one by one; more of them are a range


def flags_text(flags: int) -> str:
    """Flags by their names; bits without a name as a number."""
    rest = flags & ~sum(NAMES)
    return " | ".join([*(name for bit, name in NAMES.items() if flags & bit), *([str(rest)] if rest else [])]) or "0"


def pages_text(pages: Sequence[int]) -> str:
    """Addresses of neighbouring pages."""
    if len(pages) <= WRITTEN_OUT:
        return "[" + ", ".join(f"{address:#x}" for address in pages) + "]"
    return f"range({pages[0]:#x}, {pages[-1] + PAGE_SIZE:#x}, {PAGE_SIZE:#x})"


def nodes_text(nodes: Sequence[int]) -> str:
    """A list of nodes, short where all are the same."""
    if len(nodes) > 1 and len(set(nodes)) == 1:
        return f"[{nodes[0]}] * {len(nodes)}"
    return str(list(nodes))


def call_python(caller: int, pid: int, pages: Sequence[int], nodes: Sequence[int] | None, flags: int) -> str:
    """Lines that make the call on ``machine`` as a recorded run, and end with its result."""
    used = [name for bit, name in NAMES.items() if flags & bit]
    arguments = [str(pid), "pages", *([f"nodes={nodes_text(nodes)}"] if nodes is not None else [])]
    arguments.append(f"flags={flags_text(flags)}")
    return "\n".join(
        [
            *([f"from numakit import {', '.join(used)}", ""] if used else []),
            f"pages = {pages_text(pages)}",
            f"run = machine.record(machine.process({caller}).move_pages, {', '.join(arguments)})",
            "run.result",
        ]
    )
