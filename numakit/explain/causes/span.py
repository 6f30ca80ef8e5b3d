"""On which kernels something holds, and which kernel of the table is the nearest to one that runs.

A span is a text such as ``"seed 742755a..4.2 6.12.."``: in the 2006 text, from the commit to 4.2, and from 6.12 on. Its
bounds are releases of Linux, so that the table says when an answer changed, between the kernels that have a name too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The kernels that the table is written for, the 2006 text first.
KERNEL_NAMES = ("seed", "742755a", "2.6.18", "2.6.29", "5.10", "6.1", "6.12", "7.2")
TEXT, FIRST = KERNEL_NAMES[:2]
EVERY = f"{TEXT} {FIRST}.."

#: The commit lies before the release that contains it.
COMMIT = (2, 6, 17, 1)


class UnknownKernel(ValueError):
    """A kernel of which the table says nothing."""


def version(kernel: str) -> tuple[int, ...]:
    """``"6.1.0-27-amd64"`` as ``(6, 1, 0)``, the commit as what lies just before 2.6.18. Raises UnknownKernel."""
    if kernel == FIRST:
        return COMMIT
    match = re.match(r"v?(\d{1,4}(?:\.\d{1,4}){1,3})", kernel)
    if match is None:
        raise UnknownKernel(
            f"kernel={kernel!r}: no kernel of that name; there are {', '.join(KERNEL_NAMES)}, and any release from "
            "2.6.18 on (6.8, 5.14.0-427.el9) stands for the nearest of them"
        )
    return tuple(map(int, match[1].split(".")))


def ranges(span: str) -> list[tuple[str, str]]:
    """The first and the last release of each range of a span; "" for no end."""
    return [(first, last) for first, dots, last in (part.partition("..") for part in span.split()) if dots]


def holds(span: str, kernel: str) -> bool:
    """Whether a span contains a kernel, the 2006 text or any release. A bound covers its stable releases."""
    if kernel == TEXT:
        return TEXT in span.split()
    at = version(kernel)
    return any(
        version(first) <= at and (not last or at[: len(version(last))] <= version(last)) for first, last in ranges(span)
    )


def in_words(span: str) -> str:
    """``"the 2006 text, 742755a to 4.2, and since 6.12"``."""
    if span == EVERY:
        return "every kernel"
    words = ["the 2006 text"] if TEXT in span.split() else []
    for first, last in ranges(span):
        if first == FIRST and not last:
            words.append("every release")
        elif not last:
            words.append(f"since {first}")
        else:
            words.append(
                f"until {last}" if first == FIRST != last else first if first == last else f"{first} to {last}"
            )
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def nearest(kernel: str, spans: set[str], names: Sequence[str] = KERNEL_NAMES) -> str:
    """The kernel of ``names`` from which the fewest bounds of ``spans`` separate a release; of two, the older one.

    So 4.18 goes with 5.10, since most of what differs from 2.6.29 had changed by then. Raises UnknownKernel for what is
    no release, or one older than the call.
    """
    if kernel in names:
        return kernel
    at = version(kernel)
    if at[:3] < (2, 6, 18):
        raise UnknownKernel(f"kernel={kernel!r}: move_pages() came with 2.6.18; there are {', '.join(KERNEL_NAMES)}")
    patterns = {name: changes_until(version(name), spans) for name in names if name != TEXT}
    here = changes_until(at, spans)
    return min(patterns, key=lambda name: abs(len(patterns[name]) - len(here)))


def changes_until(at: tuple[int, ...], spans: set[str]) -> set[tuple[str, str]]:
    """The bounds of ``spans`` that a release has behind it: each is a change of some answer."""
    behind = set()
    for first, last in {bounds for span in spans for bounds in ranges(span)}:
        if version(first) <= at:
            behind.add(("since", first))
        if last and version(last) < at[: len(version(last))]:
            behind.add(("until", last))
    return behind
