"""The README and the documents are true: their code runs, and what they name is there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import nbformat
import pytest

import numakit.allocators
from numakit.cli import main
from numakit.lab import copy_course
from numakit.topology import Topology
from numakit.widgets import Stepper
from numakit.widgets.reading import Reading
from tests.clone import ROOT
from tools.pictures import ON_ITS_WAY, a_meeting, a_migration, draw_migration, step_on_the_way

README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
DOCUMENTS = [README, CHANGELOG, *sorted((ROOT / "docs").glob("*.md")), ROOT / "exercises" / "README.md"]
NUMBERS = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def fenced(document: Path, language: str) -> list[str]:
    """The code blocks of a language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_code_of_the_readme_does_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks, one after the other, as a reader would type them where `theirs.txt` is what the text says it is."""
    monkeypatch.chdir(tmp_path)
    Path("theirs.txt").write_text(Topology.preset("cxl").to_numactl())
    session = "\n".join(fenced(README, "python"))
    test = doctest.DocTestParser().get_doctest(session, {}, "README.md", str(README), 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert outcome.failed == 0, "".join(said)
    assert outcome.attempted >= 25


def test_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    """And all ways into the course are told, that of the package index as one that is still to come."""
    commands = "\n".join(fenced(README, "console"))
    targets = re.findall(r"\$ make ([a-z-]+)", commands)
    assert {"lab", "test"} <= set(targets)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert '$ pip install ".[lab]"' in commands  # to the shell of Windows, ' is a letter like others
    assert 'once 0.1.0 is released: pip install "numakit[lab]"' in commands
    assert "$ numakit lab" in commands
    assert "'" not in commands


COMMAND = re.compile(r"(?<!from )numakit ([a-z]+)((?: [^\s`#|)]+)*)")


@every_document
def test_commands_of_numakit_that_are_named_exist_with_their_options(document: Path) -> None:
    """Wherever they stand: as a line to type, in a sentence, in settings of a hub."""
    text = document.read_text(encoding="utf-8")
    code = "\n".join([*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^[$ ].*numakit .*$", text, re.MULTILINE)])
    for name, words in COMMAND.findall(code):
        assert name in main.commands, name
        options = {option for parameter in main.commands[name].params for option in parameter.opts} | {"--help", "-h"}
        options |= {option for parameter in main.commands[name].params for option in parameter.secondary_opts}
        for word in re.findall(r"(?<!\S)--?[a-z][a-z-]*", words):
            assert word in options, f"numakit {name} {word}"


def test_picture_of_the_readme_can_be_drawn_anew_and_shows_what_its_text_says(tmp_path: Path) -> None:
    """Its text alternative is told of the run that is drawn."""
    draw_migration(tmp_path / "migration.png")
    assert (tmp_path / "migration.png").read_bytes().startswith(b"\x89PNG")
    _, area, run = a_migration()
    run.first()
    assert area.nodes == [2] * 10
    run.goto(step_on_the_way(area, run, ON_ITS_WAY))
    assert area.nodes == [0] * 4 + [None] + [2] * 5
    assert "four are on node 0, the fifth is on its way, five are still on node 2" in alternative_of("migration.png")


def alternative_of(picture: str) -> str:
    """The text of the README for who cannot see a picture."""
    (text,) = re.findall(rf"!\[([^\]]*)\]\(docs/pictures/{picture}\)", README.read_text(encoding="utf-8"))
    return str(text)


def test_picture_of_the_stepper_shows_what_its_text_says() -> None:
    """The first that a reader sees: the run is made as `make pictures` makes it."""
    run = a_meeting()
    shown, told = Stepper(run).scene, alternative_of("stepper.png")
    assert (shown.old and shown.old.node, shown.new and shown.new.node) == (0, 1)
    assert shown.sentence.startswith("The contents go from page 2")
    assert "copies page 2 from node 0 to node 1" in told
    assert [(pte.process, pte.kind) for pte in shown.ptes] == [(who, "migration entry") for who in ("shell", "child")]
    assert "The PTEs of shell and of its child are migration entries" in told
    assert [task.state for task in shown.tasks] == ["acts", "holds", "sleeps"]
    assert "a write of shell, which came just now, sleeps" in told
    passes = [attempt.moved for attempt in Reading(run).attempts if attempt.old == 4]
    assert passes == [False, False, True]
    assert "page 4, which is why moving that page fails in two passes and succeeds in the third" in told


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
    for path in (ROOT / "numakit").iterdir():
        if path.name not in {"__pycache__", "course", "py.typed"}:
            assert f"`numakit/{path.name}{'/' * path.is_dir()}`" in text, path.name


def course_table() -> list[tuple[str, str, str]]:
    """The rows of the README's table of the course: notebook, minutes, exercise."""
    row = r"^\| \[([\w-]+)\]\(notebooks/\1\.ipynb\) \|[^|]+\| (\d+) \|([^|]*)\|$"
    return re.findall(row, README.read_text(encoding="utf-8"), re.MULTILINE)


def test_table_of_the_course_has_each_notebook_and_exercise() -> None:
    """In order; an exercise stands beside the notebook that it says it belongs to, with its title and minutes."""
    table = course_table()
    lessons = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    assert [name for name, _, _ in table] == [path.stem for path in lessons]
    lecturers = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    told = {(name, told) for name, _, exercises in table for told in re.findall(r"\*[^*]+\* \(\d+\)", exercises)}
    rows = re.findall(r"^\| `([\w-]+)/([\w-]+)` \| `([\w-]+)` \| (\d+) \|", lecturers, re.MULTILINE)
    assert len(rows) == len(told)
    for folder, stem, notebook, minutes in rows:
        first = nbformat.read(ROOT / "exercises" / "source" / folder / f"{stem}.ipynb", 4).cells[0].source
        title = first.splitlines()[0].removeprefix("# ")
        assert (notebook, f"*{title}* ({minutes})") in told
        assert f"Belongs to `{notebook}`" in first or notebook == "00-tour"


def test_each_notebook_ends_with_the_names_of_its_exercises() -> None:
    """Whoever has come to the end of a notebook learns there what to do with it."""
    for name, _, exercises in course_table():
        cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4).cells
        end = next(cell.source for cell in cells if "\n**To go on:**" in cell.source)
        for title in re.findall(r"(\*[^*?]+)\??\* \(\d+\)", exercises):
            assert f"{title}*" in end, (name, title)


@pytest.mark.parametrize(("name", "promise"), [("00-tour", "25 minutes"), ("03-move-pages", "ninety minutes")])
def test_minutes_of_the_table_are_those_that_the_notebook_promises(name: str, promise: str) -> None:
    """A reader who has planned an evening by the one is not surprised by the other."""
    minutes = {name: told for name, told, _ in course_table()}
    assert promise in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4).cells[0].source
    assert minutes[name] == promise.replace("ninety", "90").removesuffix(" minutes")


def test_index_of_the_course_has_the_rows_of_the_readme() -> None:
    """The same notebooks in the same order, with the same minutes and exercises; what one needs stands above it."""
    path = next(cell for cell in nbformat.read(ROOT / "notebooks" / "index.ipynb", 4).cells if cell.id == "path")
    row = r"^\| \[([\w-]+)\]\(\1\.ipynb\) \|[^|]+\| (\d+) \|([^|]*)\|([^|]*)\|$"
    rows = re.findall(row, path.source, re.MULTILINE)
    assert [(name, minutes, exercise) for name, minutes, _, exercise in rows] == course_table()
    for place, (_, _, needs, _) in enumerate(rows):
        assert set(re.findall(r"\d\d", needs)) <= {name[:2] for name, *_ in rows[:place]}


def exercises_told(cell: str) -> dict[str, int]:
    """The titles of exercises in a cell of the table, with their minutes."""
    return {title: int(told) for title, told in re.findall(r"(\*[^*]+\*) \((\d+)\)", cell)}


def plan_of_labs(text: str) -> list[tuple[str, str]]:
    """What a plan has in the room and at home, lab by lab."""
    rows = re.findall(r"^\| (\d) \| ([^|]*?) ?\| ([^|]*?) ?\|$", text, re.MULTILINE)
    assert [int(lab) for lab, _, _ in rows] == list(range(1, len(rows) + 1))
    return [(room, home) for _, room, home in rows]


def test_six_labs_of_two_hours_have_each_notebook_once_and_after_what_it_needs() -> None:
    """The minutes of the tables keep what the plan promises of them; the index has the same plan."""
    index = next(cell for cell in nbformat.read(ROOT / "notebooks" / "index.ipynb", 4).cells if cell.id == "path")
    labs = plan_of_labs((ROOT / "exercises" / "README.md").read_text(encoding="utf-8"))
    assert len(labs) == 6
    assert plan_of_labs(index.source) == labs
    minutes = {f"`{name}`": int(told) for name, told, _ in course_table()}
    exercises = {f"`{name}`": exercises_told(told) for name, _, told in course_table()}
    for of_notebook in exercises.values():
        minutes |= of_notebook
    homework = []
    for room, home in labs:
        assert sum(minutes[what] for what in room.split(", ")) <= 120, room
        its = [of for name in re.findall(r"`[\w-]+`", f"{room} {home}") for of in exercises[name].items()]
        homework.append(sum(told for title, told in its if title not in room))
    assert homework[1] == 0
    assert max(homework) == homework[-1] == 210
    order = re.findall(r"`(\d\d)-", " ".join(f"{room} {home}" for room, home in labs))
    assert sorted(order) == [name[:2] for name, _, _ in course_table()]
    for name, needs in re.findall(r"^\| \[(\d\d)-[^|]*\|[^|]*\|[^|]*\| ([\d, ]*)\|", index.source, re.MULTILINE):
        for needed in re.findall(r"\d\d", needs):
            assert order.index(needed) < order.index(name), (needed, name)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_name_only_notebooks_that_exist(path: Path) -> None:
    """`04-inside-migrate-pages`: no promise of one that was never written."""
    prose = "".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    for name in re.findall(r"`(\d\d-[\w-]+)`", prose):
        assert (ROOT / "notebooks" / f"{name}.ipynb").exists(), name


def test_changelog_counts_right() -> None:
    """Presets, dumps, allocators, notebooks and exercises."""
    text = CHANGELOG.read_text(encoding="utf-8")
    ready = [name for name in vars(numakit.allocators) if name in numakit.__all__]
    assert f"{NUMBERS[len(Topology.presets())]} presets" in text
    assert f"{NUMBERS[len(Topology.dumps())].capitalize()} dumps" in text
    assert f"one of {NUMBERS[len(ready)]} ready ones" in text
    assert f"{NUMBERS[len(list((ROOT / 'notebooks').glob('[0-9]*.ipynb')))]} notebooks" in text
    assert f"{NUMBERS[len(list((ROOT / 'exercises' / 'source').glob('*/*.ipynb')))]} exercises" in text


def test_folders_that_the_readme_promises_are_those_that_are_copied(tmp_path: Path) -> None:
    """Exercises without solutions for everybody, with solutions in grading/ for whoever asks."""
    folder = tmp_path / "numakit-course"
    copy_course(folder)
    assert {path.name for path in folder.iterdir()} == {"notebooks", "exercises"}
    copy_course(folder, solutions=True)
    assert (folder / "grading" / "README.md").exists()
    assert (folder / "grading" / "source" / "tour" / "bring-them-home.ipynb").exists()
    assert "/numakit-course/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_points_of_the_exercises_proposed_for_marks_add_up() -> None:
    """One for each lab, and the sum that the plan promises."""
    text = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    proposed = next(line for line in text.splitlines() if line.startswith("* **At home**"))
    points = 0
    for folder, stem, told in re.findall(r"^\| `([\w-]+)/([\w-]+)` \|[^|]+\| \d+ \| (\d+) \|", text, re.MULTILINE):
        first = nbformat.read(ROOT / "exercises" / "source" / folder / f"{stem}.ipynb", 4).cells[0].source
        title = first.splitlines()[0].removeprefix("# ")
        points += int(told) * (f"*{title}*" in proposed)
    assert f"{points} points in all" in proposed


def test_every_exercise_is_in_the_lecturers_table() -> None:
    """With the folder in which it lies."""
    table = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "exercises" / "source").glob("*/*.ipynb"):
        assert f"`{path.parent.name}/{path.stem}`" in table
