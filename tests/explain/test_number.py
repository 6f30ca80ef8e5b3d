"""`explain_number()`: what it takes, what it says on which kernel, what it refuses."""

from __future__ import annotations

import re
import sys

import pytest

from numakit.explain import Explanation, explain_number
from numakit.explain import number as module
from numakit.explain.causes import CAUSES, KERNEL_NAMES

ERRNOS = ("EPERM", "ENOENT", "ESRCH", "EIO", "E2BIG", "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "EBUSY", "ENODEV")


def rows(explanation: Explanation) -> list[str]:
    """The ids of the causes that are told."""
    return [cause.row for cause in explanation.causes]


@pytest.mark.parametrize("value", [-13, "-13", "-EACCES", "EACCES", "eacces", " -EACCES "])
def test_a_number_has_many_spellings(value: int | str) -> None:
    assert str(explain_number(value, "6.1")) == str(explain_number(-13, "6.1"))


def test_eacces_is_said_for_other_reasons_in_the_text_than_in_6_1() -> None:
    """The text has two causes. 6.1 adds security modules, and the middle of a huge page."""
    assert rows(explain_number(-13, "seed")) == ["shared", "cpuset"]
    assert rows(explain_number(-13, "6.1")) == ["shared", "hugetlb-tail", "lsm", "cpuset"]
    assert "Nothing was moved" in str(explain_number(-13, "seed", where="return"))
    assert "Earlier entries may have been moved" in str(explain_number(-13, "6.1", where="return"))
    assert [cause.row for cause in explain_number(-13, "6.1").elsewhere] == ["maybe-shared"]


def test_enoent_as_a_return_value_ends_with_2_6_27() -> None:
    assert rows(explain_number(-2, "2.6.18", where="return")) == ["nothing"]
    later = explain_number(-2, "2.6.29", where="return")
    assert rows(later) == []
    text = str(later)
    assert "No cause of -ENOENT is known there." in text
    assert "* nothing (the 2006 text and until 2.6.27; return value of move_pages(2)): " in text


def test_untouched_memory_has_two_numbers_in_history() -> None:
    """And whoever has the one is told of the other."""
    text = str(explain_number(-14, "6.1", where="status"))
    assert "3. untouched (4.3 to 6.11)" in text
    assert "* untouched is -ENOENT (-2) (status): the 2006 text, until 4.2 and since 6.12" in text
    assert "untouched" not in rows(explain_number(-14, "6.12"))
    assert "untouched" in rows(explain_number(-2, "6.12"))


def test_a_positive_return_value_says_what_status_is_worth() -> None:
    """Nothing on 6.1, everything on 2.6.18, and the text of 2006 knows none."""
    new, old = (str(explain_number("+3", kernel, "move_pages")) for kernel in ("6.1", "2.6.18"))
    assert "all entries behind their batch, which were not tried" in new
    assert "status[] of the whole batch is as it was before the call" in new.replace("\n   ", " ")
    assert "Every status is written" in old
    assert rows(explain_number("+3", "seed", "move_pages")) == []
    assert "As the status" not in new


def test_a_number_without_a_sign_may_be_a_node_too() -> None:
    assert {cause.where for cause in explain_number(3, "6.1").causes} == {"status", "return"}
    assert {cause.where for cause in explain_number("+3", "6.1").causes} == {"return"}
    assert {cause.where for cause in explain_number(5000, "6.1").causes} == {"return"}
    assert "look it up by its name" in str(explain_number(13, "6.1"))


def test_a_status_of_zero_is_a_node_or_was_never_decided() -> None:
    assert rows(explain_number(0, "6.1", where="status")) == ["here", "there", "gone", "moved"]
    assert "own-node" in rows(explain_number(0, "2.6.18", where="status"))
    assert "own-node" not in rows(explain_number(2, "2.6.18", where="status"))


def test_a_status_that_was_not_written_can_be_asked_for() -> None:
    assert rows(explain_number("unwritten", "6.1")) == ["failed-call", "failed-batch"]
    assert rows(explain_number("unwritten", "2.6.18")) == ["failed-call"]


def test_minus_one_may_be_all_that_a_c_program_has() -> None:
    assert "the number to look up is in errno" in str(explain_number(-1, "6.1")).replace("\n", " ")
    assert "errno" not in str(explain_number(-16, "6.1"))  # a status only


def test_a_sandbox_is_named_as_such() -> None:
    for value in ("EPERM", "ENOSYS"):
        text = str(explain_number(value, "6.1", where="return"))
        assert "filtered" in text
        assert "Seccomp: 2 in /proc/self/status" in text


def test_only_one_call_and_one_place_if_wanted() -> None:
    assert rows(explain_number(-5, "6.1", "mbind")) == ["misplaced", "stayed"]
    assert rows(explain_number(-5, "6.1", "move_pages")) == []
    assert all(cause.where == "return" for cause in explain_number(-22, "6.1", where="return").causes)


def test_the_running_kernel_is_told_with_its_nearest() -> None:
    explanation = explain_number(-13, "running", running="6.1.0-27-amd64")
    assert (
        explanation.title == "-EACCES (-13), permission denied: for kernel 6.1, nearest to the running 6.1.0-27-amd64"
    )
    assert "Distributions carry changes back" in str(explanation)
    exactly = explain_number(-13, "6.1")
    assert exactly.title == "-EACCES (-13), permission denied: for kernel 6.1"
    assert "Distributions" not in str(exactly)
    assert explain_number(-13, "5.14.0-427.el9").title.endswith("for kernel 5.10, nearest to 5.14.0-427.el9")


def test_without_a_running_linux_all_kernels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "running_kernel", lambda: None)
    for explanation in (explain_number(-2, "running"), explain_number(-2), explain_number(-2, "all")):
        assert explanation.title == "-ENOENT (-2), no such entry: for every kernel"
        assert rows(explanation) == [c.row for c in CAUSES if c.number == -2]
        assert "on other kernels" not in str(explanation)


def test_other_systems_run_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert module.running_kernel() is None


@pytest.mark.parametrize("kernel", [*KERNEL_NAMES, "all"])
@pytest.mark.parametrize("value", [*ERRNOS, "EINVAL", "ENOSYS", 0, 3, "+3", "unwritten"])
def test_the_text_fits_into_its_columns(value: int | str, kernel: str) -> None:
    explanation = explain_number(value, kernel)
    for width in (100, 60):
        assert max(map(len, explanation.text(width).splitlines())) <= width
    assert str(explanation) == repr(explanation) == explanation.text(100)


def test_a_notebook_shows_the_same_causes() -> None:
    explanation = explain_number(-2, "6.1")
    html = explanation._repr_html_()
    assert all(f">{row}</td>" in html for row in rows(explanation))
    assert "N&lt;old&gt;=" in explain_number("+1", "6.1")._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 2  # statuses, other kernels
    assert not re.search(r"<(?!/?(p|table|caption|thead|tbody|tr|th|td)\b)", html)


@pytest.mark.parametrize("value", ["", "EXDEV", "-18", -999, "3.5", "three", True, None, [], "13;", "+-3", "9" * 30])
def test_what_no_call_answers_is_refused_with_what_is_allowed(value: object) -> None:
    with pytest.raises(ValueError, match=r"^value=.*there are -EPERM \(-1\), .*-ENOSYS \(-38\), 0.*'unwritten'$"):
        explain_number(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": "banana"}, "kernel='banana': .*there are seed, .*7.2"),
        ({"kernel": "2.4.1"}, "kernel='2.4.1': .*there are seed, .*7.2"),
        (
            {"call": "mremap"},
            "call='mremap': allowed are move_pages, migrate_pages, mbind, set_mempolicy, get_mempolicy",
        ),
        ({"where": "errno"}, "where='errno': allowed are 'status' and 'return'"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$|^{message}"):
        explain_number(-13, **arguments)  # type: ignore[arg-type]


def test_a_count_is_no_status() -> None:
    with pytest.raises(ValueError, match="it is no status of an entry"):
        explain_number("+3", where="status")
