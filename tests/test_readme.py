"""The README and the documents are true: their code runs, and what they name is there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.clone import ROOT
from tools.pictures import ON_ITS_WAY, a_migration, draw_migration, step_on_the_way

README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", ROOT / "docs" / "ARCHITECTURE.md", ROOT / "exercises" / "README.md"]

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def fenced(document: Path, language: str) -> list[str]:
    """The code blocks of a language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_code_of_the_readme_does_what_it_shows() -> None:
    """All blocks, one after the other, as a reader would type them."""
    session = "\n".join(fenced(README, "python"))
    test = doctest.DocTestParser().get_doctest(session, {}, "README.md", str(README), 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert outcome.failed == 0, "".join(said)
    assert outcome.attempted >= 15


def test_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    """And both ways into the course are told."""
    commands = "\n".join(fenced(README, "console"))
    targets = re.findall(r"\$ make ([a-z-]+)", commands)
    assert {"lab", "test"} <= set(targets)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert 'pip install "numakit[lab]"' in commands
    assert "$ numakit lab" in commands


def test_picture_of_the_readme_can_be_drawn_anew_and_shows_what_its_text_says(tmp_path: Path) -> None:
    """Its text alternative is told of the run that is drawn."""
    draw_migration(tmp_path / "migration.png")
    assert (tmp_path / "migration.png").read_bytes().startswith(b"\x89PNG")
    _, area, run = a_migration()
    run.first()
    assert area.nodes == [2] * 10
    run.goto(step_on_the_way(area, run, ON_ITS_WAY))
    assert area.nodes == [0] * 4 + [None] + [2] * 5
    (alternative,) = re.findall(r"!\[(.*?)\]", README.read_text(encoding="utf-8"))
    assert "four are on node 0, the fifth is on its way, five are still on node 2" in alternative


@every_document
def test_links_lead_to_files(document: Path) -> None:
    """Links into the repository; those to the outside are not followed."""
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@every_document
def test_paths_that_are_named_exist(document: Path) -> None:
    """`numakit/...`, `tests/...` and the like, as code in the text."""
    folders = "numakit|tests|tools|notebooks|exercises|docs"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", document.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("target", ["notebooks", "pictures"])
def test_targets_that_the_documents_name_are_in_the_makefile(target: str) -> None:
    """The ways to make what is stored: outputs of notebooks, and pictures."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_architecture_names_every_part_of_the_package() -> None:
    """A new folder or module at the top of the package gets its place in the table of layers."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    small = {"__init__.py", "__main__.py", "version.py", "tables.py", "lab.py", "py.typed"}
    for path in (ROOT / "numakit").iterdir():
        if path.name not in small | {"__pycache__", "course"}:
            assert f"`numakit/{path.name}{'/' * path.is_dir()}`" in text, path.name


def test_every_exercise_is_in_the_lecturers_table() -> None:
    """With the folder in which it lies."""
    table = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "exercises" / "source").glob("*/*.ipynb"):
        assert f"`{path.parent.name}/{path.stem}`" in table
