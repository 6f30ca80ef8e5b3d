"""docs/benchmarks.md: what each benchmark writes there, in a section of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_section(page: str, title: str, text: str) -> str:
    """The page with a section in place of the one of that title, or at the end; the title "" is what stands first."""
    first, *others = page.rstrip("\n").split("\n## ")
    sections = {"": first} | {section.partition("\n")[0]: section for section in others}
    sections[title] = f"{title}\n\n{text}" if title else text
    return "\n## ".join(section.strip("\n") + "\n" for section in sections.values())


def write_section(title: str, text: str) -> None:
    """Put a section into the page; the others stay as they are."""
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), title, text), encoding="utf-8")
