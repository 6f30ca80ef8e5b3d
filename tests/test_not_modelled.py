"""Huge pages and merged pages are refused with one sentence wherever somebody would ask for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from numakit import Machine, Topology
from numakit.abi import MADV_HUGEPAGE, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_UNMERGEABLE
from numakit.facade.unmodelled import NotModelled
from numakit.live import CannotTry, World
from numakit.scenario import open_scenarios, play_on_model

ASKED: dict[str, tuple[Callable[[Any], object], str]] = {
    "hugetlb": (lambda shell: shell.mmap(512, hugetlb=True), "hugetlb=True: huge pages of hugetlbfs are not modelled"),
    "THP": (lambda shell: shell.madvise(shell.mmap(1), MADV_HUGEPAGE), "transparent huge pages .THP. are not modelled"),
    "KSM": (lambda shell: shell.madvise(shell.mmap(1), MADV_MERGEABLE), "merging of equal pages .KSM. is not modelled"),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_model_refuses_pages_of_another_kind(what: str) -> None:
    """On every kernel alike; the sentence leads to the page that says what is modelled."""
    ask, sentence = ASKED[what]
    with pytest.raises(NotModelled, match=sentence) as refusal:
        ask(Machine(Topology.preset("two-sockets")).spawn("shell"))
    assert "docs/fidelity.md" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("what", ASKED)
def test_a_live_process_refuses_the_same(what: str) -> None:
    """Though its kernel could: the kit counts in pages of 4 kB."""
    ask, sentence = ASKED[what]
    try:
        world = World()
    except CannotTry as why:
        pytest.skip(str(why))
    with world, pytest.raises(NotModelled, match=sentence):
        ask(world.spawn("shell"))


def test_a_file_of_huge_pages_is_refused() -> None:
    """hugetlbfs is no file system among others."""
    with pytest.raises(NotModelled, match="file_system='hugetlbfs': huge pages of hugetlbfs are not modelled"):
        Machine(Topology.preset("two-sockets")).file("data", 512, "hugetlbfs")


def test_advice_against_such_pages_is_granted_and_changes_nothing() -> None:
    """There are none; other advice is no call of the kit."""
    machine = Machine(Topology.preset("two-sockets"))
    shell = machine.spawn("shell")
    area = shell.mmap(2)
    shell.write(area)
    before = machine.fingerprint()
    assert [shell.madvise(area, advice) for advice in (MADV_NOHUGEPAGE, MADV_UNMERGEABLE)] == [0, 0]
    with pytest.raises(ValueError, match=r"advice=4: MADV_NOHUGEPAGE \(15\) and MADV_UNMERGEABLE \(13\) are allowed"):
        shell.madvise(area, 4)
    assert machine.fingerprint() == before


def test_a_scenario_that_asks_for_them_could_not_run(tmp_path: Path) -> None:
    """Which is no mistake of its file."""
    file = tmp_path / "huge.py"
    file.write_text("def huge(world):\n    world.spawn('shell').mmap(512, hugetlb=True)\n")
    (play,) = play_on_model(open_scenarios(file), ["huge"], "6.12", Topology.preset("two-sockets"))
    assert (play.end, "not modelled" in play.why) == ("cannot", True)


def test_the_page_on_fidelity_says_so() -> None:
    """It names all three, and that they are refused."""
    page = (Path(__file__).parents[1] / "docs" / "fidelity.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("* Huge pages")]
    assert all(word in line for word in ("hugetlbfs", "THP", "KSM", "refused"))
