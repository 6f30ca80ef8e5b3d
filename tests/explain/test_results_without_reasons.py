"""A result of a real kernel, which notes no reasons, is explained out of the table of causes."""

from __future__ import annotations

from dataclasses import replace
from errno import EACCES, EFAULT, EPERM

from numakit import PAGE_SIZE, Machine, Result, Topology
from numakit.explain import explain_number


def real(ret: int, status: list[int | None], kernel: str = "6.1.0-27-amd64", call: str = "move_pages(pid=0)") -> Result:
    """What a real kernel answered: numbers and nothing else."""
    addresses = tuple(range(0x10000, 0x10000 + 0x1000 * len(status), 0x1000))
    return Result(call, ret, status, list(status), addresses, None, (None,) * len(status), kernel=kernel)


def test_an_entry_has_all_causes_of_its_number_and_how_to_tell_them_apart() -> None:
    says = real(0, [1, -EFAULT]).explain(1)
    assert says.startswith("Entry 1 (0x11000): -EFAULT. It has 4 causes.")
    for cause in explain_number(-EFAULT, "6.1", where="status").causes:
        assert cause.row in says
        assert cause.tell in says


def test_the_kernel_decides_which_causes_there_are() -> None:
    assert "hugetlb-tail" in real(0, [-EACCES]).explain(0)
    assert "hugetlb-tail" not in real(0, [-EACCES], "7.2.1").explain(0)


def test_a_node_is_a_node() -> None:
    assert real(0, [1]).explain(0) == "Entry 0 (0x10000): 1. That is the node on which the page is now."


def test_a_status_that_was_not_written_has_its_causes() -> None:
    says = real(3, [None, None]).explain(0)
    assert says.startswith("Entry 0 (0x10000): nothing. It has 2 causes.")
    assert "no status of the whole batch is written" in says


def test_a_return_value_has_the_causes_of_its_call() -> None:
    assert "filtered" in real(-EPERM, []).explain()
    assert "which were not tried" in real(3, [None]).explain()
    assert "target-cpuset" in real(-EPERM, [], call="migrate_pages(pid=7)").explain()
    assert "target-cpuset" not in real(-EPERM, []).explain()
    assert "No cause of it is known" in real(-18, []).explain()


def test_tables_name_the_causes_shortly() -> None:
    result = real(0, [1, -EFAULT, None])
    assert "hole, special, untouched or zero" in str(result)
    assert "explain(1) tells them apart" in result._repr_html_()
    assert result.row == ""
    assert result.rows == [None, None, None]
    assert result.fact() == result.fact(1) == {}


def test_what_was_noted_wins() -> None:
    """Names and addresses, not a list of what may be."""
    shell = Machine(Topology.preset("two-sockets")).spawn("shell")
    result = shell.move_pages(0, [PAGE_SIZE], [1])
    named = replace(result, kernel="6.1")
    assert named.explain() == result.explain()
    assert named.explain(0) == result.explain(0)
    assert "The process has no areas at all." in named.explain(0)
    assert named._repr_html_() == result._repr_html_()
