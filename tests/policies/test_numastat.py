"""numastat: each counter by hand, in situation after situation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from numakit import (
    MPOL_BIND,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_PREFERRED,
    Machine,
    Process,
    to_node,
)
from numakit.machine.numastat import Numastat
from tests.conftest import MachineMaker

Fill = Callable[[Machine, int], Process]
NONE = Numastat(0, 0, 0, 0, 0, 0)


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Three nodes of 32 frames in a row: 0 - 1 - 2."""
    return make_machine({0: 32, 1: 32, 2: 32}, distances=[(0, 1, 20), (1, 2, 20), (0, 2, 30)])


class Counted:
    """What the counters have gained since this began, node by node."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.before = machine, machine.numastat()

    @property
    def gained(self) -> list[Numastat]:
        """The differences."""
        now = self.machine.numastat()
        return [Numastat(*(b - a for a, b in zip(self.before[node], now[node], strict=True))) for node in now]


def test_nothing_is_counted_at_boot(machine: Machine) -> None:
    """The zero page is part of the kernel's image, not allocated."""
    assert list(machine.numastat().values()) == [NONE] * 3


def test_a_first_touch_on_its_own_node(machine: Machine, shell: Process) -> None:
    """hit and local."""
    shell.write(shell.mmap(3))
    assert list(machine.numastat().values()) == [Numastat(3, 0, 0, 0, 3, 0), NONE, NONE]


def test_reading_untouched_memory_allocates_nothing(machine: Machine, shell: Process) -> None:
    """The zero page is mapped."""
    shell.read(shell.mmap(3))
    assert list(machine.numastat().values()) == [NONE] * 3


def test_a_first_touch_when_the_node_is_full(machine: Machine, shell: Process, fill: Fill) -> None:
    """Node 0 was wanted (foreign there), node 1 gave (miss there), to a CPU elsewhere (other)."""
    fill(machine, 0)
    counted = Counted(machine)
    shell.write(shell.mmap(2))
    assert counted.gained == [Numastat(0, 0, 2, 0, 0, 0), Numastat(0, 2, 0, 0, 0, 2), NONE]


def test_a_bind_to_another_node_is_a_hit(machine: Machine, shell: Process) -> None:
    """It got what it wanted; that it is far shows in other_node."""
    shell.set_mempolicy(MPOL_BIND, [1, 2])
    shell.write(shell.mmap(2))
    assert list(machine.numastat().values()) == [NONE, Numastat(2, 0, 0, 0, 0, 2), NONE]


def test_a_bind_whose_first_node_is_full_is_a_miss(machine: Machine, fill: Fill) -> None:
    """Its second node gave. The process runs there, so it is local."""
    fill(machine, 0)
    process = machine.spawn("process", node=1)
    process.set_mempolicy(MPOL_BIND, [0, 1])
    counted = Counted(machine)
    process.write(process.mmap(1))
    assert counted.gained == [Numastat(0, 0, 1, 0, 0, 0), Numastat(0, 1, 0, 0, 1, 0), NONE]


def test_interleaving_counts_its_hits_apart(machine: Machine, shell: Process) -> None:
    """And as ordinary hits, too."""
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 2])
    shell.write(shell.mmap(5))
    assert list(machine.numastat().values()) == [Numastat(3, 0, 0, 3, 3, 0), NONE, Numastat(2, 0, 0, 2, 0, 2)]


def test_interleaving_over_a_full_node(machine: Machine, shell: Process, fill: Fill) -> None:
    """The turn of node 2 is served by node 1: a miss, and no interleave_hit."""
    fill(machine, 2)
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 2])
    counted = Counted(machine)
    shell.write(shell.mmap(2))
    assert counted.gained == [Numastat(1, 0, 0, 1, 1, 0), Numastat(0, 1, 0, 0, 0, 1), Numastat(0, 0, 1, 0, 0, 0)]


def test_what_the_cpuset_forbids_was_wanted_all_the_same(machine: Machine) -> None:
    """A process on node 0 that may use node 2 only: every page is a miss."""
    process = machine.spawn("process", node=0, mems={2})
    process.write(process.mmap(2))
    assert list(machine.numastat().values()) == [Numastat(0, 0, 2, 0, 0, 0), NONE, Numastat(0, 2, 0, 0, 0, 2)]


def test_migration_counts_where_the_new_page_comes_from(machine: Machine, shell: Process) -> None:
    """move_pages() wants the target node and no other: a hit there, by a CPU elsewhere. Freeing counts nothing."""
    area = shell.mmap(3)
    shell.write(area)
    counted = Counted(machine)
    assert shell.move_pages(0, area, [2, 2, 1]).status == [2, 2, 1]
    assert counted.gained == [NONE, Numastat(1, 0, 0, 0, 0, 1), Numastat(2, 0, 0, 0, 0, 2)]


def test_a_page_that_stays_has_had_a_new_page_counted(machine: Machine, shell: Process) -> None:
    """A pinned page gets a new page in every pass, as the kernel of 2006 does, and gives it back each time."""
    area = shell.mmap(1)
    shell.write(area)
    shell.vmsplice(area)
    counted = Counted(machine)
    assert shell.move_pages(0, area, [1]).rows == ["pinned"]
    assert counted.gained == [NONE, Numastat(10, 0, 0, 0, 0, 10), NONE]


def test_a_full_target_counts_nothing(machine: Machine, shell: Process, fill: Fill) -> None:
    """No page, no statistics: the kernel counts what it gave."""
    area = shell.mmap(1)
    shell.write(area)
    fill(machine, 2)
    counted = Counted(machine)
    assert shell.move_pages(0, area, [2]).rows == ["full"]
    assert counted.gained == [NONE] * 3


def test_copy_on_write_file_and_swap_are_counted(machine: Machine, shell: Process) -> None:
    """Each took one frame: the copy for the child on node 1, the file's page and the page from the disc on node 0."""
    area = shell.mmap(2)
    shell.write(area)
    child = shell.fork("child")
    child.run_on(1)
    counted = Counted(machine)
    child.write(area[0])
    assert counted.gained == [NONE, Numastat(1, 0, 0, 0, 1, 0), NONE]
    shell.read(shell.mmap(1, file=machine.file("log", 1)))
    child.exit()
    machine.migrate_prep()
    assert machine.reclaim([page for page in [shell.page(area[1])] if page is not None]) == 1
    shell.read(area[1])
    assert counted.gained == [Numastat(2, 0, 0, 0, 2, 0), Numastat(1, 0, 0, 0, 1, 0), NONE]


def test_a_node_without_memory_is_never_the_one_that_was_wanted(make_machine: MachineMaker) -> None:
    """Its zonelist begins with the nearest that has memory: a hit there, but not local."""
    machine = make_machine({0: 16, 1: 0, 2: 16}, distances=[(0, 1, 30), (0, 2, 20), (1, 2, 15)])
    process = machine.spawn("process", node=1)
    process.write(process.mmap(2))
    process.set_mempolicy(MPOL_PREFERRED, [1])
    process.write(process.mmap(1))
    assert list(machine.numastat().values()) == [NONE, NONE, Numastat(3, 0, 0, 0, 0, 3)]


def test_a_new_page_t_of_ones_own_is_counted(machine: Machine, shell: Process) -> None:
    """machine.alloc_page() wants exactly this node."""
    area = shell.mmap(1)
    shell.write(area)
    page = shell.page(area[0])
    assert page is not None
    machine.migrate_prep()
    machine.isolate_lru_page(page)
    counted = Counted(machine)
    assert machine.migrate_pages([page], to_node(machine, 2)) == 0
    assert counted.gained == [NONE, NONE, Numastat(1, 0, 0, 0, 0, 1)]


def test_asking_for_a_pages_node_counts_the_page_that_is_read_in(machine: Machine, shell: Process) -> None:
    """get_mempolicy() is no harmless question."""
    area = shell.mmap(1, file=machine.file("log", 1))
    shell.get_mempolicy(area[0], MPOL_F_NODE | MPOL_F_ADDR)
    assert machine.numastat()[0].numa_hit == 1


# -- how it shows


def test_it_prints_as_numastat_does(machine: Machine, shell: Process) -> None:
    """Names to the left, a column of sixteen for each node."""
    shell.write(shell.mmap(12))
    assert str(machine.numastat()).splitlines() == [
        "                           node0           node1           node2",
        "numa_hit                      12               0               0",
        "numa_miss                      0               0               0",
        "numa_foreign                   0               0               0",
        "interleave_hit                 0               0               0",
        "local_node                    12               0               0",
        "other_node                     0               0               0",
    ]
    shown = machine.numastat()._repr_html_()
    assert shown.count("<th ") == 4
    assert shown.count("<tr") == 7


def test_a_table_is_of_one_moment(machine: Machine, shell: Process) -> None:
    """It does not change with the machine, nor when the machine goes back."""
    area = shell.mmap(2)
    before = machine.numastat()
    run = machine.record(shell.write, area)
    after = machine.numastat()
    assert (before[0].numa_hit, after[0].numa_hit) == (0, 2)
    run.first()
    assert dict(machine.numastat()) == dict(before)
    run.last()
    assert dict(machine.numastat()) == dict(after)
