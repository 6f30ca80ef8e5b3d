"""An explanation is printed in lines of a page, and is one line where it is searched, compared or put into a text."""

from __future__ import annotations

from typing import Any

from IPython.core.formatters import DisplayFormatter

from numakit import Machine, Topology
from numakit.explain.sentences import WIDTH, Sentences


def test_a_printed_explanation_is_broken_between_words() -> None:
    """A notebook breaks what is longer in the middle of a word."""
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(pages=1)
    told = shell.move_pages(0, area, [1]).explain(0)
    lines = str(told).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH
    assert " ".join(lines) == told


def test_an_explanation_in_another_text_is_one_line() -> None:
    told = Sentences("-ENOENT. " + "word " * 40 + "end.")
    assert "\n" not in f"Why: {told}"
    assert "\n" not in "".join([told, "."])
    assert f"{told:>300}" == told.rjust(300)


def test_lines_of_their_own_stay() -> None:
    assert str(Sentences("one\ntwo")) == "one\ntwo"


def test_at_the_end_of_a_cell_it_is_read_as_if_it_were_printed() -> None:
    told = Sentences("word " * 40)
    notebook: Any = DisplayFormatter()
    shown, _ = notebook.format(told)
    assert shown == {"text/plain": str(told)}
