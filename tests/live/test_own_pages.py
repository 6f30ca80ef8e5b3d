"""The running kernel asked about this process: answered where it can be, and politely declined where it cannot."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from numakit.live import Answer, own_pages, query
from numakit.live.own_pages import MOST_PAGES, Host, Query
from numakit.live.probes import seccomp_filters
from numakit.live.refusal import System


def refuse_to_be_called(pages: Sequence[int]) -> tuple[int, list[int]]:
    """A system call that must not be made."""
    raise AssertionError("the system call was made")


def fails_with(error: int) -> Query:
    """A kernel, or a sandbox before it, that refuses."""
    return lambda pages: (-error, [0] * len(pages))


def host(
    move_pages: Query = refuse_to_be_called,
    platform: str = "linux",
    machine: str = "x86_64",
    bits: int = 64,
    page_size: int = 4096,
    filtered: bool = False,
) -> Host:
    """A made-up system."""
    return Host(System(platform, machine, bits, page_size), move_pages, lambda: filtered)


def test_touched_pages_have_a_node_and_untouched_ones_do_not() -> None:
    """True on every Linux that answers, with one node or many; all others say why not."""
    with own_pages(5) as area:
        area.touch(3)
        answer = query(area.addresses)
    if answer.answered:
        assert all(node >= 0 for node in answer.status[:3])
        assert answer.status[3:] == (-errno.ENOENT,) * 2
    else:
        assert re.fullmatch(r"[A-Z].*\.", answer.why_not)


def test_area_is_unmapped_at_the_end_of_its_block() -> None:
    """The kernel then finds no VMA (-EFAULT), or somebody else's."""
    with own_pages(1) as area:
        area.touch(1)
    with pytest.raises(ValueError, match="closed"):
        area.touch(1)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_question_is_put_on_the_processors_that_are_known(machine: str) -> None:
    """With the addresses as they were given."""
    made = []

    def kernel(pages: Sequence[int]) -> tuple[int, list[int]]:
        made.append(list(pages))
        return 0, [1] * len(pages)

    assert query([4096, 8192], host(kernel, machine=machine)) == Answer((1, 1))
    assert made == [[4096, 8192]]


@pytest.mark.parametrize(
    ("system", "says"),
    [
        (host(platform="darwin"), "this is darwin"),
        (host(platform="win32", machine="AMD64"), "this is win32"),
        (host(machine="riscv64"), "not on riscv64"),
        (host(bits=32), "32-bit Python"),
        (host(machine="aarch64", page_size=65536), "pages of 65536 bytes"),
    ],
)
def test_call_is_not_made_where_its_number_could_be_another_call(system: Host, says: str) -> None:
    """A wrong number would be some other system call."""
    answer = query([4096], system)
    assert not answer.answered
    assert says in str(answer)


@pytest.mark.parametrize(
    ("error", "filtered", "says"),
    [
        (errno.EPERM, False, "The sandbox refuses the call"),
        (errno.EPERM, True, "The sandbox refuses the call"),
        (errno.ENOSYS, True, "most likely a sandbox hides it"),
        (errno.ENOSYS, False, "built without page migration"),
        (errno.ENOMEM, False, "ENOMEM"),
    ],
)
def test_refusal_of_a_sandbox_is_told_apart_from_a_kernel_without_the_call(
    error: int, filtered: bool, says: str
) -> None:
    """Nobody needs a privilege to ask about own pages, so EPERM is never the kernel's."""
    answer = query([4096], host(fails_with(error), filtered=filtered))
    assert answer.status == ()
    assert says in str(answer)


def test_answer_counts_the_pages_of_each_node() -> None:
    """Nodes from the highest, then what is no node."""
    assert str(Answer((0, 2, 0, -errno.ENOENT))) == "The running kernel says: 1 on node 2, 2 on node 0, 1 -ENOENT."


def test_filter_is_read_from_the_status_of_the_process(tmp_path: Path) -> None:
    """Mode 2 is a filter, mode 0 none; no such file or field, as outside Linux, is none."""
    status = tmp_path / "status"
    for text, filtered in (("Name:\tx\nSeccomp:\t2\nSpeculation:\t0\n", True), ("Name:\tx\nSeccomp:\t0\n", False)):
        status.write_text(text)
        assert seccomp_filters(status) == filtered
    assert not seccomp_filters(tmp_path / "absent")


@pytest.mark.parametrize("address", [-1, 1 << 64, "0x1000", 1.5])
def test_what_is_no_address_is_refused_by_name(address: object) -> None:
    """Nothing is asked then."""
    with pytest.raises(ValueError, match=r"addresses\[1\]"):
        query([0, address], host())  # type: ignore[list-item]


@pytest.mark.parametrize("n", [0, -1, MOST_PAGES + 1])
def test_number_of_own_pages_is_bounded(n: int) -> None:
    """An experiment of a few pages, no way to fill the memory."""
    with pytest.raises(ValueError, match=f"n={n}"), own_pages(n):
        pass


def test_more_pages_than_the_area_has_are_not_touched() -> None:
    """Only memory of our own is written to."""
    with own_pages(2) as area, pytest.raises(ValueError, match="pages=3"):
        area.touch(3)


def test_invalid_address_is_answered_and_not_touched() -> None:
    """The last page of the address space belongs to no process; the query reads nothing there."""
    answer = query([(1 << 64) - 4096])
    assert not answer.answered or answer.status[0] < 0
