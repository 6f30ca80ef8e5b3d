"""A notebook as its reader meets it: prose, code in short cells, and a run from start to end."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat

LONGEST_CELL = 17  #: lines of code that a reader takes in at a glance

Cells = Sequence[nbformat.NotebookNode]

ITALICS = re.compile(r"(?<![*\w])\*(?=[^*\s])([^*\n]+)\*(?!\*)")
QUESTION = re.compile(r"\?|^(Guess|Name)\b")  #: what makes words in bold a question


def cells_of(path: Path) -> Cells:
    """The cells of a notebook, in order."""
    cells: Cells = nbformat.read(path, 4).cells
    return cells


def prose(cells: Cells) -> str:
    """All that stands in the cells of text."""
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def shown(cells: Cells) -> str:
    """Prose and outputs: all that a reader sees beside the code."""
    return prose(cells) + "".join(str(cell.get("outputs")) for cell in cells)


def most_code_in_a_row(cells: Cells) -> int:
    """How many cells of code follow each other without a word."""
    kinds = "".join("c" if cell.cell_type == "code" else " " for cell in cells)
    return max(map(len, kinds.split()))


def longest_cell(cells: Cells) -> int:
    """The lines of the longest cell of code."""
    return max(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")


def sections_without_a_question(cells: Cells) -> list[str]:
    """The titles of sections with code in which nothing is asked in bold."""
    sections: dict[str, tuple[str, bool]] = {}
    title = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            title = (re.findall(r"^##+ (.*)", cell.source, re.MULTILINE) or [title])[-1]
        text, has_code = sections.get(title, ("", False))
        is_code = cell.cell_type == "code"
        sections[title] = (text if is_code else text + cell.source, has_code or is_code)
    return [title for title, (text, code) in sections.items() if code and not asks(text)]


def asks(text: str) -> bool:
    """Whether a text of Markdown asks its reader something, in bold."""
    paragraphs = ITALICS.sub(r"\1", text).split("\n\n")
    return any(QUESTION.search(bold) for paragraph in paragraphs for bold in paragraph.split("**")[1::2])


def shows_unasked(cells: Cells) -> tuple[list[str], int]:
    """The cells that show something though nothing was asked since the code before; how many show something."""
    unasked, showing, asked = [], 0, False
    for before, cell in pairwise([nbformat.v4.new_markdown_cell(), *cells]):
        if cell.cell_type == "markdown":
            asked = asks(cell.source) or (asked and before.cell_type == "markdown")
        elif cell.outputs:
            showing += 1
            unasked += [] if asked else [cell.id]
    return unasked, showing


def run(cells: Cells) -> tuple[dict[str, Any], set[str]]:
    """Run all cells of code: the names they defined, and the ids of those that failed."""
    names: dict[str, Any] = {}
    failed = set()
    for cell in cells:
        if cell.cell_type == "code":
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(cell.source, names)
            except Exception:
                failed.add(cell.id)
    return names, failed
