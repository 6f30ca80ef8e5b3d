"""The table of causes is whole, and says of each cause how to tell it from the others."""

from __future__ import annotations

from collections import defaultdict
from errno import E2BIG, EACCES, EAGAIN, EBUSY, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, ENOSYS, EPERM, ESRCH
from itertools import combinations

import pytest

from numakit.explain.causes import CALLS, CAUSES, COUNT, KERNEL_NAMES, NODE, UNWRITTEN, Cause, Number
from numakit.explain.causes.cause import number_name
from numakit.explain.causes.span import UnknownKernel, holds, in_words, nearest, ranges, version

MOVE = "move_pages"


def rows(kernel: str, where: str, number: Number, call: str = MOVE) -> set[str]:
    """The rows of a number on a kernel."""
    return {c.row for c in CAUSES if (c.where, c.number) == (where, number) and call in c.calls and c.on(kernel)}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause.row}:{cause.number}:{cause.kernels}")
def test_a_cause_has_all_its_texts(cause: Cause) -> None:
    """Whole sentences, and a span that some kernel lies in."""
    for text in (cause.meaning, cause.tell, cause.cure):
        assert len(text.split()) >= 2
        assert text.rstrip(")").endswith((".", "?"))
        assert "  " not in text
    assert cause.where in ("status", "return")
    assert cause.calls
    assert set(cause.calls) <= set(CALLS)
    assert cause.where == "return" or cause.calls == (MOVE,)
    assert cause.kernels.replace("seed", "").strip() or cause.on("seed")
    for first, last in ranges(cause.kernels):
        assert not last or version(first) <= version(last)
    assert number_name(cause.number)
    assert cause.when
    assert cause.called


def test_two_causes_of_a_number_are_told_apart_in_different_ways() -> None:
    """On each kernel, for each call."""
    for kernel in KERNEL_NAMES:
        by_number: dict[tuple[str, Number, str], list[Cause]] = defaultdict(list)
        for cause in CAUSES:
            for call in cause.calls if cause.on(kernel) else ():
                by_number[cause.where, cause.number, call].append(cause)
        for causes in by_number.values():
            for one, other in combinations(causes, 2):
                assert one.tell != other.tell, f"{one.row} and {other.row} on {kernel}"
                assert one.meaning != other.meaning, f"{one.row} and {other.row} on {kernel}"
                assert one.row != other.row, f"{one.row} is on {kernel} twice"


def test_the_2006_text_has_every_number_that_it_promises() -> None:
    """Nine kinds of status and ten of return value, each with the rows of the contract."""
    contract: dict[tuple[str, Number], set[str]] = {
        ("status", -EFAULT): {"hole", "zero"},
        ("status", -ENOENT): {"untouched", "swapped", "not-read", "migrating"},
        ("status", -EACCES): {"shared"},
        ("status", -ENOMEM): {"full"},
        ("status", -EPERM): {"mlocked", "driver"},
        ("status", -EINVAL): {"no-write"},
        ("status", -EIO): {"write-fails"},
        ("return", -ENOENT): {"nothing"},
        ("return", -EINVAL): {"bad-flags", "kthread"},
        ("return", -EPERM): {"all-unprivileged", "other-user"},
        ("return", -EACCES): {"cpuset"},
        ("return", -ENODEV): {"offline"},
        ("return", -ESRCH): {"no-process"},
        ("return", -E2BIG): {"too-many"},
        ("return", -ENOMEM): {"no-array"},
        ("return", -EFAULT): {"pages-unreadable", "nodes-unreadable", "status-unwritable"},
        ("return", 0): {"ok", "query"},
        ("return", COUNT): set(),
        ("status", -EAGAIN): set(),
    }
    for (where, number), expected in contract.items():
        assert rows("seed", where, number) == expected, (where, number)
    assert rows("seed", "status", NODE) == {"there", "gone", "moved", "here"}
    assert {"duplicate", "off-lru", "pinned", "buffers"} <= rows("seed", "status", -EBUSY)


#: What happens, and on three kernels: where it is told, the number, the row. None: that kernel has no number for it.
SITUATIONS: dict[str, tuple[tuple[str, Number, str] | None, ...]] = {
    # ................................ 2.6.18, 6.1, 7.2
    "an unknown flag": (("return", -EINVAL, "bad-flags"),) * 3,
    "MOVE_ALL without the capability": (("return", -EPERM, "all-unprivileged"),) * 3,
    "no such process": (("return", -ESRCH, "no-process"),) * 3,
    "a kernel thread": (("return", -EINVAL, "kthread"),) * 3,
    "another user's process": (("return", -EPERM, "other-user"),) * 3,
    "an empty list": (("return", -ENOENT, "nothing"), ("return", 0, "ok"), ("return", 0, "ok")),
    "an empty query": (("return", 0, "query"),) * 3,
    "an absurd number of pages": (
        ("return", -E2BIG, "too-many"),
        ("return", -EFAULT, "pages-unreadable"),
        ("return", -EFAULT, "pages-unreadable"),
    ),
    "more pages than there is memory for": (("return", -ENOMEM, "no-array"), None, None),
    "unreadable pages[]": (("return", -EFAULT, "pages-unreadable"),) * 3,
    "unreadable nodes[]": (("return", -EFAULT, "nodes-unreadable"),) * 3,
    "unwritable status[]": (("return", -EFAULT, "status-unwritable"),) * 3,
    "an offline node": (("return", -ENODEV, "offline"),) * 3,
    "a node outside the target's cpuset": (("return", -EACCES, "cpuset"),) * 3,
    "a node outside the caller's cpuset": (None, ("return", -ENOMEM, "full"), ("return", -ENOMEM, "full")),
    "an address above all areas": (("status", -EFAULT, "hole"),) * 3,
    "an address in a hole": (("status", -ENOENT, "hole"), ("status", -EFAULT, "hole"), ("status", -EFAULT, "hole")),
    "memory never touched": (
        ("status", -ENOENT, "untouched"),
        ("status", -EFAULT, "untouched"),
        ("status", -ENOENT, "untouched"),
    ),
    "the zero page": (("status", -ENOENT, "zero"), ("status", -EFAULT, "zero"), ("status", -EFAULT, "zero")),
    "swapped out": (("status", -ENOENT, "swapped"),) * 3,
    "moved by somebody else": (("status", -ENOENT, "migrating"),) * 3,
    "a file's page not read": (("status", -ENOENT, "not-read"),) * 3,
    "hidden by NUMA balancing": (None, ("status", -ENOENT, "hinting"), None),
    "a device's memory": (
        ("status", -ENOENT, "special"),
        ("status", -EFAULT, "special"),
        ("status", -EFAULT, "special"),
    ),
    "the middle of a hugetlbfs page": (None, ("status", -EACCES, "hugetlb-tail"), None),
    "another part of a huge page": (None, ("status", -EBUSY, "same-folio"), ("status", -EBUSY, "same-folio")),
    "already there": (("status", NODE, "there"),) * 3,
    "shared": (("status", -EACCES, "shared"),) * 3,
    "a large folio taken for shared": (None, None, ("status", -EACCES, "maybe-shared")),
    "on no LRU list": (("status", -EBUSY, "off-lru"),) * 3,
    "named twice": (("status", -EBUSY, "duplicate"),) * 3,
    "pinned": (("status", -EAGAIN, "pinned"), ("return", COUNT, "stayed"), ("return", COUNT, "stayed")),
    "a target node without room": (
        ("status", NODE, "elsewhere"),
        ("return", -ENOMEM, "full"),
        ("return", -ENOMEM, "full"),
    ),
    "a machine without room": (("return", -ENOMEM, "full"),) * 3,
    "dirty, and cannot be written": (
        ("status", -EINVAL, "no-write"),
        ("return", COUNT, "stayed"),
        ("return", COUNT, "stayed"),
    ),
    "an I/O error": (("status", -EIO, "write-fails"), ("return", COUNT, "stayed"), None),
    "a mapping that refuses": (("status", -EIO, "refuses"), ("return", COUNT, "stayed"), ("return", COUNT, "stayed")),
    "freed meanwhile": (("status", NODE, "gone"),) * 3,
    "a GPU's page": (None, ("status", -ENOENT, "device"), ("status", -ENOENT, "device")),
    "nothing to be moved": (("return", -ENOENT, "nothing"), ("return", 0, "ok"), ("return", 0, "ok")),
    "the batch of a page that stayed": (
        None,
        ("status", UNWRITTEN, "failed-batch"),
        ("status", UNWRITTEN, "failed-batch"),
    ),
    "a negative return value": (("status", UNWRITTEN, "failed-call"),) * 3,
    "a sandbox that forbids": (None, ("return", -EPERM, "filtered"), ("return", -EPERM, "filtered")),
    "a sandbox that hides": (None, ("return", -ENOSYS, "filtered"), ("return", -ENOSYS, "filtered")),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_situation_has_its_number_on_each_kernel(situation: str) -> None:
    """And its row under no other number, where there is one: what is not told so is in the table nowhere."""
    expected = SITUATIONS[situation]
    names = {wanted[2] for wanted in expected if wanted}
    for kernel, wanted in zip(("2.6.18", "6.1", "7.2"), expected, strict=True):
        if wanted:
            where, number, row = wanted
            assert row in rows(kernel, where, number)
        elif len(names) == 1 and not names & {"stayed", "full", "nothing", "write-fails"}:
            assert not [cause for cause in CAUSES if cause.row in names and MOVE in cause.calls and cause.on(kernel)]


def test_what_was_mlocked_stays_only_where_it_did() -> None:
    """In the text and at the commit, two days before the change."""
    assert [kernel for kernel in KERNEL_NAMES if "mlocked" in rows(kernel, "status", -EPERM)] == ["seed", "742755a"]


def test_a_positive_return_value_has_its_history() -> None:
    """Never in the text, until 2.6.28, and again since 4.17."""
    releases = ("seed", "742755a", "2.6.28", "2.6.29", "4.16", "4.17", "5.5", "5.6", "6.12", "7.2")
    assert [r for r in releases if rows(r, "return", COUNT)] == [
        r for r in releases if r not in ("seed", "2.6.29", "4.16")
    ]


@pytest.mark.parametrize(
    ("call", "numbers"),
    [
        ("migrate_pages", {0, COUNT, -EFAULT, -EINVAL, -EPERM, -ESRCH, -ENOMEM, -ENOSYS, -EACCES}),
        ("mbind", {0, -EFAULT, -EINVAL, -EIO, -ENOMEM, -EPERM, -ENOSYS}),
        ("set_mempolicy", {0, -EFAULT, -EINVAL, -ENOMEM, -EPERM, -ENOSYS}),
        ("get_mempolicy", {0, -EFAULT, -EINVAL, -ENOMEM, -EPERM, -ENOSYS}),
    ],
)
def test_the_other_calls_have_the_numbers_of_their_manuals(call: str, numbers: set[Number]) -> None:
    """And those of a sandbox."""
    assert {c.number for c in CAUSES if call in c.calls and c.on("6.1")} == numbers


def test_a_span_holds_between_its_bounds() -> None:
    """The commit lies before 2.6.18; a bound covers its stable releases; a two-digit minor is no decimal."""
    span = "seed 742755a..4.2 6.12.."
    inside = ("seed", "742755a", "2.6.18", "2.6.29.6", "4.2.8", "6.12", "6.12.48", "7.2")
    outside = ("4.3", "5.10", "6.1", "6.2", "6.11.11")
    assert all(holds(span, kernel) for kernel in inside)
    assert not any(holds(span, kernel) for kernel in outside)
    assert in_words(span) == "the 2006 text, until 4.2 and since 6.12"
    assert in_words("742755a..742755a") == "742755a"
    assert in_words("742755a..") == "every release"
    assert in_words("3.12..6.6") == "3.12 to 6.6"


def test_the_nearest_kernel_is_the_one_that_answers_most_alike() -> None:
    """Not the next older number: 4.18 has the rules of 4.17, as 5.10 has."""
    spans = {cause.kernels for cause in CAUSES}
    releases = {
        "2.6.32-754.el6": "2.6.29",
        "4.18.0-553.el8_10": "5.10",
        "5.10.0-30-amd64": "5.10",
        "6.1.0-27-amd64": "6.1",
        "6.8.0-45-generic": "6.12",
        "6.18": "7.2",
        "7.2-rc3": "7.2",
        "10.0": "7.2",
    }
    assert {release: nearest(release, spans) for release in releases} == releases
    assert [nearest(name, spans) for name in KERNEL_NAMES] == list(KERNEL_NAMES)
    for release in ("2.6.17", "2.4.37", "1.0"):
        with pytest.raises(UnknownKernel, match=r"came with 2\.6\.18"):
            nearest(release, spans)
    for word in ("", "banana", "six", "-6.1", "6"):
        with pytest.raises(UnknownKernel, match=r"there are seed, 742755a, 2\.6\.18"):
            nearest(word, spans)
