"""The page of the benchmarks: a section is written without touching the others."""

from __future__ import annotations

from benchmarks.page import markdown_table, with_section

PAGE = "# Benchmarks\n\nfirst\n\n## One\n\n1\n\n## Two\n\n2\n"


def test_a_section_is_put_in_its_own_place() -> None:
    assert with_section(PAGE, "One", "new") == PAGE.replace("\n1\n", "\nnew\n")
    assert with_section(PAGE, "", "# Benchmarks\n\nnew") == PAGE.replace("first", "new")


def test_a_new_section_stands_at_the_end_and_again_in_the_same_place() -> None:
    more = with_section(PAGE, "Three", "3")
    assert more == PAGE + "\n## Three\n\n3\n"
    assert with_section(more, "Three", "3") == more


def test_a_table_has_a_line_a_row() -> None:
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
