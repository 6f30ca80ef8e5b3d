"""The situations that the package brings with it: one for each row of both tables, and each leads to its row."""

from __future__ import annotations

from errno import E2BIG, EACCES, EBUSY, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, EPERM, ESRCH

import pytest

import numakit.situations
from numakit.explain.returns import RETURNS
from numakit.situations import CALLS, LOOKED_UP, QUEUED, SITUATIONS, Situation, row_of, title_of, words_of
from tests.clone import ROOT
from tests.contract.causes import ROWS
from tests.contract.test_public_only import behind_the_public_calls

#: What is answered in each row of the table of statuses; pages lie on node 0 and are to go to node 1.
STATUSES = {
    "hole": -EFAULT, "untouched": -ENOENT, "swapped": -ENOENT, "not-read": -ENOENT, "migrating": -ENOENT,
    "zero": -EFAULT, "there": 0, "shared": -EACCES, "duplicate": -EBUSY, "off-lru": -EBUSY, "full": -ENOMEM, "gone": 1,
    "mlocked": -EPERM, "driver": -EPERM, "no-write": -EINVAL, "write-fails": -EIO, "buffers": -EBUSY,
    "pinned": -EBUSY, "moved": 1,
}  # fmt: skip
#: And in each row of the table of return codes.
RETURN_CODES = {
    "ok": 0, "nothing": -ENOENT, "bad-flags": -EINVAL, "kthread": -EINVAL, "all-unprivileged": -EPERM,
    "other-user": -EPERM, "cpuset": -EACCES, "offline": -ENODEV, "no-process": -ESRCH, "too-many": -E2BIG,
    "no-array": -ENOMEM, "pages-unreadable": -EFAULT, "nodes-unreadable": -EFAULT, "status-unwritable": -EFAULT,
    "query": 0,
}  # fmt: skip
#: Rows of the in-kernel migrate_pages(), which is no system call, and of other kernels than that of the text.
ELSEWHERE = {"all-moved", "stayed", "full", "bug"}

every_situation = pytest.mark.parametrize("situation", SITUATIONS.values(), ids=row_of)


def test_every_row_of_both_tables_has_its_situation() -> None:
    """In the order of the tables, none twice."""
    assert tuple(map(row_of, (*LOOKED_UP, *QUEUED))) == ROWS == tuple(STATUSES)
    assert tuple(map(row_of, CALLS)) == tuple(RETURN_CODES)
    assert set(RETURN_CODES) == set(RETURNS) - ELSEWHERE
    assert list(SITUATIONS) == [*STATUSES, *RETURN_CODES]


@every_situation
def test_a_situation_leads_to_its_row(situation: Situation) -> None:
    """With the answer of the table; the machine is sound afterwards."""
    row, staged = row_of(situation), situation()
    assert (staged.row, staged.answer) == (row, (STATUSES | RETURN_CODES)[row])
    assert (staged.entry is None) == (row in RETURN_CODES)
    assert staged.why == staged.run.result.explain(staged.entry)
    assert staged.run.machine.inconsistencies() == []


@every_situation
def test_a_situation_is_the_same_each_time(situation: Situation) -> None:
    """Same steps, same machine."""
    one, other = situation(), situation()
    assert one.run.turns == other.run.turns
    assert one.run.machine.fingerprint() == other.run.machine.fingerprint()


@every_situation
def test_a_run_goes_back_to_its_beginning_and_on_again(situation: Situation) -> None:
    run = situation().run
    end = run.machine.fingerprint()
    run.first()
    run.finish()
    assert run.last().machine.fingerprint() == end


@every_situation
def test_words_do_not_give_the_answer_away(situation: Situation) -> None:
    """A title and an errno, or a row's name, would make the question a reading test."""
    title, words = title_of(situation), words_of(situation)
    assert title
    assert words
    assert "-E" not in title + words
    assert f"“{row_of(situation)}”" not in title + words


def test_titles_are_different() -> None:
    assert len({title_of(situation) for situation in SITUATIONS.values()}) == len(SITUATIONS)


def test_situations_use_public_calls_only() -> None:
    """A module of the kit imports from inside; beyond that, its lines could stand in a notebook."""
    source = (ROOT / "numakit" / "situations.py").read_text(encoding="utf-8")
    reached = [found for found in behind_the_public_calls(source) if not found.startswith("imports from numakit.")]
    assert reached == []


def test_a_wrong_model_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that does not drain the pagevecs finds its page busy."""
    monkeypatch.setattr("numakit.syscalls.move_pages.lru_add_drain_all", lambda m: None)
    assert numakit.situations.moved().row == "off-lru"
