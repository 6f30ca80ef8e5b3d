"""From where the pages of a walk get their new pages, for many at once: what new_node_page() and new_vma_page() decide.

A page whose new page is simply one of a certain node, as long as that has any, has the row of this node; for all others
the readable functions are asked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from numakit.abi import MPOL_INTERLEAVE
from numakit.bulk.passes import NO_ROW
from numakit.bulk.views import Bools, Frames, Ints
from numakit.machine.frames import mems_allowed
from numakit.machine.mempolicy import (
    cpuset_update_task_memory_state,
    get_vma_policy,
    has_shared_policy,
    interleave_offset,
    zonelist_policy,
)
from numakit.machine.state import MachineState
from numakit.machine.vma import VmAreaStruct, mappings_of, vmas_of
from numakit.migration.new_page import NewPage
from numakit.syscalls.mbind import NO_ADDRESS, new_vma_page
from numakit.syscalls.migrate_pages import new_node_page


class NewPages(NamedTuple):
    """For each page the row of the node of its new page, NO_ROW where that has to be asked; and whether it is that
    node's turn, which is counted (interleave_hit).
    """

    rows: Ints
    in_turn: Bools


def new_pages(m: MachineState, frames: Frames, get_new_page: NewPage, private: Any, pages: Ints) -> NewPages:
    """What a new_page_t of these calls decides for each page."""
    found = NewPages(np.full(len(pages), NO_ROW, np.int16), np.zeros(len(pages), bool))
    if get_new_page is new_node_page:
        if private in m.row:
            found.rows[:] = row_of_first(m, (private,))
    elif get_new_page is new_vma_page:
        cpuset_update_task_memory_state(m)
        first: VmAreaStruct = m.table[("vma", private)]
        if "new_vma_page" in m.kernel.functions:
            by_their_areas(m, frames, first, pages, found)
        else:
            decide(m, frames, first, pages, slice(None), found)
    return found


def by_their_areas(m: MachineState, frames: Frames, first: VmAreaStruct, pages: Ints, found: NewPages) -> None:
    """Each page by the policy of the first area, from ``first`` on, that it is from (new_page_of_its_area)."""
    mapping, index = frames.mapping[pages], frames.index[pages].astype(np.int64)
    open_still = np.ones(len(pages), bool)
    for vma in vmas_of(m, first.mm):
        if vma.start < first.start:
            continue
        at = index - vma.pgoff
        its = np.flatnonzero(open_still & np.isin(mapping, mappings_of(vma)) & (at >= 0) & (at < vma.pages))
        if len(its):
            decide(m, frames, vma, pages[its], its, found)
            open_still[its] = False
        if not open_still.any():
            break


def decide(
    m: MachineState, frames: Frames, vma: VmAreaStruct, pages: Ints, places: Ints | slice, found: NewPages
) -> None:
    """Let the policy that is in force in an area decide for pages at some places of ``found`` (alloc_page_vma)."""
    if has_shared_policy(m, vma.file):  # each page may have a policy of its own
        return
    policy = get_vma_policy(m, m.pid, vma, vma.start)
    if policy is None or policy.mode != MPOL_INTERLEAVE:
        found.rows[places] = row_of_first(m, zonelist_policy(m, policy))
        return
    row_of_turn = np.array([row_of_first(m, m.zonelists[node]) for node in policy.nodes], np.int16)
    offsets = frames.index[pages].astype(np.int64) + (interleave_offset(vma, vma.start) - vma.pgoff)
    elsewhere = ~np.isin(frames.mapping[pages], mappings_of(vma))
    offsets[elsewhere] = interleave_offset(vma, NO_ADDRESS) % len(policy.nodes)
    found.rows[places] = row_of_turn[offsets % len(policy.nodes)]
    found.in_turn[places] = True


def row_of_first(m: MachineState, zonelist: tuple[int, ...]) -> int:
    """The row of the first node of a zonelist, from which pages come as long as it has any; NO_ROW where it has none at
    all or the cpuset forbids it.
    """
    allowed = mems_allowed(m)
    if not zonelist or not m.frames_of(zonelist[0]) or (allowed is not None and zonelist[0] not in allowed):
        return NO_ROW
    return m.row[zonelist[0]]
