"""The version of an exercise that students get: without solutions, hidden tests and outputs.

The same regions and stubs as those of nbgrader, which a lecturer has and a student need not; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
STUB = ("raise NotImplementedError  # your code here",)  # as exercises/nbgrader_config.py has it


def student_version(notebook: bytes) -> bytes:
    """A notebook (JSON) as it is handed out. Raises ValueError for a region that does not end."""
    content: dict[str, Any] = json.loads(notebook)
    for cell in content["cells"]:
        source = "".join(cell["source"])
        lines = list(without_regions(source.split("\n"), BEGIN_HIDDEN, END_HIDDEN, ()))
        lines = list(without_regions(lines, BEGIN_SOLUTION, END_SOLUTION, STUB))
        cell["source"] = "\n".join(lines).rstrip("\n")
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def without_regions(lines: list[str], begin: str, end: str, stub: tuple[str, ...]) -> Iterator[str]:
    """The lines outside the regions from ``begin`` to ``end``; a stub, indented alike, takes the place of each."""
    inside = False
    for line in lines:
        if begin in line:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            yield from (indent + words for words in stub)
        elif inside and end in line:
            inside = False
        elif not inside:
            yield line
    if inside:
        raise ValueError(f"{begin} without {end}")
