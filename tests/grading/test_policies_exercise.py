"""The exercise about policies and migrate_pages(), graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.clone import ROOT
from tests.grading.course import Edit, Exercise, Graded, cell_named, grade, nbgrader

POLICIES = Exercise("policies", "empty-a-node", "leave")
PREDICTION = "pairs"  #: the other cell that is to be written
ORDER = {"relative": 1, "order": 2, "blocked": 1, "today": 1}
PLACES = {"empties": 2, "stayed": 2, "careful": 1, "privileged": 1}
TESTS = {**ORDER, **PLACES}
SOURCE = ROOT / "exercises" / "source" / POLICIES.assignment / f"{POLICIES.notebook}.ipynb"


def reference(name: str) -> str:
    """A function as the source of the exercise has it."""
    source: str = cell_named(nbformat.read(SOURCE, 4), name).source
    return source


RIGHT_PAIRS = """
def pairs(old, new, today=False):
    waiting, targets, moved = set(old), sorted(new), []
    while targets:
        last = None
        for source in sorted(waiting):
            target = targets[sorted(old).index(source) % len(targets)]
            if source == target or (today and len(old) != len(new) and source in new):
                continue
            last = [source, target]
            if target not in waiting:
                break
        if last is None:
            return moved
        waiting.discard(last[0])
        moved.append(last)
    return moved
"""
RIGHT_LEAVE = """
def leave(process, area, node):
    others = sorted(process.mems - {node})
    flags = MPOL_MF_MOVE
    if "CAP_SYS_NICE" in process.struct.capabilities:
        flags = MPOL_MF_MOVE_ALL
    process.mbind(area, MPOL_INTERLEAVE, others, flags)
    return [address for address in area if process.pte(address).node == node and process.page(address)]
"""
MOVES_EACH_PAGE = """
def leave(process, area, node):
    others = sorted(process.mems - {node})
    process.mbind(area, MPOL_INTERLEAVE, others)
    for address in [address for address in area if process.pte(address).node == node]:
        there = others[address // PAGE_SIZE % len(others)]
        if process.move_pages(0, [address], [there], MPOL_MF_MOVE_ALL).ret == -EPERM:
            process.move_pages(0, [address], [there], MPOL_MF_MOVE)
    return [address for address in area if process.pte(address).node == node]
"""
UPWARDS = """
def pairs(old, new, today=False):
    new = sorted(new)
    found = [(s, new[n % len(new)]) for n, s in enumerate(sorted(old)) if new]
    return [(s, d) for s, d in found if s != d and not (today and len(old) != len(new) and s in new)]
"""
NO_SECOND_ROUND = """
def pairs(old, new, today=False):
    destination = dict(zip(sorted(old), sorted(new)))
    wait, order = sorted(old), []
    skip = new if today and len(old) != len(new) else ()
    while candidates := [s for s in wait if s in destination and destination[s] != s and s not in skip]:
        free = [s for s in candidates if destination[s] not in wait]
        source = free[0] if free else candidates[-1]
        order.append((source, destination[source]))
        wait.remove(source)
    return order
"""
ALREADY_THERE_IS_DONE = """
def pairs(old, new, today=False):
    new = sorted(new)
    destination = {s: new[n % len(new)] for n, s in enumerate(sorted(old)) if new}
    wait, order = [s for s in sorted(destination) if destination[s] != s], []
    if today and len(old) != len(new):
        wait = [s for s in wait if s not in new]
    while wait:
        free = [s for s in wait if destination[s] not in wait]
        source = free[0] if free else wait[-1]
        order.append((source, destination[source]))
        wait.remove(source)
    return order
"""
ONE_KERNEL_FOR_ALL = reference(PREDICTION).replace("if today and", "if False and")
TRUSTS_THE_ANSWER = """
def leave(process, area, node):
    others = process.mems - {node}
    answer = process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE_ALL)
    if answer == -EPERM:
        answer = process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE | 1)
    return [address for address in area if process.pte(address).node == node] if answer.ret < 0 else []
"""
ASKS_EACH_PAGE = """
def leave(process, area, node):
    from numakit import MPOL_F_ADDR, MPOL_F_NODE

    there = [a for a in area if process.get_mempolicy(a, MPOL_F_NODE | MPOL_F_ADDR).node == node]
    others = process.mems - {node}
    if process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE_ALL) == -EPERM:
        process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE)
    return [a for a in there if process.pte(a).node == node]
"""
POLICY_OF_THE_PROCESS = """
def leave(process, area, node):
    process.set_mempolicy(MPOL_INTERLEAVE, process.mems - {node})
    return [address for address in area if process.pte(address).node == node]
"""
ALWAYS_ALL = """
def leave(process, area, node):
    process.mbind(area, MPOL_INTERLEAVE, process.mems - {node}, MPOL_MF_MOVE_ALL)
    return [address for address in area if process.pte(address).node == node]
"""
NEVER_ALL = """
def leave(process, area, node):
    process.mbind(area, MPOL_INTERLEAVE, process.mems - {node}, MPOL_MF_MOVE)
    return [address for address in area if process.pte(address).node == node]
"""


def answers(prediction: str, placement: str) -> Edit:
    """Put two functions where the student's go."""

    def edit(notebook: nbformat.NotebookNode) -> None:
        cell_named(notebook, PREDICTION).source = prediction
        cell_named(notebook, POLICIES.answer).source = placement

    return edit


def cheat(notebook: nbformat.NotebookNode) -> None:
    """Let the kernel predict itself, and have fewer tests."""
    cell_named(notebook, "relative").source = "def check(*anything): pass"
    cell_named(notebook, "empties").source = "def judge(*anything): return []"
    notebook.cells.remove(cell_named(notebook, "stayed"))


#: student -> what is done to the version that was handed out
CLASS: dict[str, Edit | None] = {
    "ada": answers(reference("pairs"), reference("leave")),
    "alan": answers(RIGHT_PAIRS, RIGHT_LEAVE),
    "ann": answers(RIGHT_PAIRS, MOVES_EACH_PAGE),
    "bob": None,
    "eve": answers(UPWARDS, TRUSTS_THE_ANSWER),
    "kim": answers(NO_SECOND_ROUND, ASKS_EACH_PAGE),
    "leo": answers(ALREADY_THERE_IS_DONE, POLICY_OF_THE_PROCESS),
    "mia": answers(ONE_KERNEL_FOR_ALL, ALWAYS_ALL),
    "sam": answers("def pairs(old, new, today=False): return kernels(old, new)", NEVER_ALL),
    "mallory": cheat,
}


def points(*earned: str) -> dict[str, float]:
    """The points of each test when those named are passed."""
    return {name: float(most if name in earned else 0) for name, most in TESTS.items()}


@pytest.fixture(scope="module")
def course(new_course: Callable[[], Path]) -> Path:
    """The folder in which the class is graded."""
    return new_course()


@pytest.fixture(scope="module")
def graded(course: Path) -> dict[str, Graded]:
    """The whole class, graded in one go."""
    return grade(course, CLASS, exercise=POLICIES)


@pytest.mark.parametrize("student", ["ada", "alan", "ann"])
def test_right_answers_get_full_marks_however_they_are_written(graded: dict[str, Graded], student: str) -> None:
    """The reference, the kernel's loop with a look at PTEs, and move_pages(), which moves what is locked, too."""
    assert graded[student].points == points(*TESTS)
    assert graded[student].score == sum(TESTS.values()) == 11


def test_untouched_student_version_gets_nothing(graded: dict[str, Graded]) -> None:
    """A test that passes without an answer would test nothing."""
    assert graded["bob"] == Graded(0, points())


@pytest.mark.parametrize(
    ("student", "earned"),
    [
        pytest.param("eve", ["relative", "today", "empties", "careful", "privileged"], id="upwards, trusts the answer"),
        pytest.param("kim", ["order", "empties", "privileged"], id="pairs once, faults the zero page in"),
        pytest.param("leo", ["relative", "order", "today"], id="forgets who stays, moves nothing"),
        pytest.param("mia", ["relative", "order", "blocked", "privileged"], id="one kernel for all, asks too much"),
        pytest.param("sam", ["relative", "order", "blocked", "empties", "stayed", "careful"], id="asks too little"),
    ],
)
def test_wrong_answer_gets_the_points_of_what_is_right_in_it(
    graded: dict[str, Graded], student: str, earned: list[str]
) -> None:
    """Plausible mistakes, each told from the others."""
    assert graded[student].points == points(*earned)


def test_edited_and_deleted_test_cells_do_not_help(graded: dict[str, Graded]) -> None:
    """The originals are put back before grading."""
    assert graded["mallory"].score == 0


def test_feedback_says_in_words_what_was_wrong(graded: dict[str, Graded], course: Path) -> None:
    """The numbers of the case, and what would have been right."""
    nbgrader(course, "generate_feedback", POLICIES.assignment)
    for student, words in {
        "eve": ("the kernel moves [(2, 3), (1, 2)], but pairs() says [(1, 2), (2, 3)]", "but names 0 pages"),
        "kim": ("leave() has touched pages that nobody had touched",),
        "sam": ("on 6.1: the kernel moves [(1, 2)]", "root can move shared pages"),
    }.items():
        page = course / "feedback" / student / POLICIES.assignment / f"{POLICIES.notebook}.html"
        text = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
        for said in words:
            assert said in text, (student, said)
    assert graded["eve"].score < sum(TESTS.values())


def test_student_version_shows_neither_solution_nor_hidden_tests(released: Path) -> None:
    """And each test cell still opens with a sentence that says what is checked."""
    notebook = nbformat.read(released / "release" / POLICIES.assignment / f"{POLICIES.notebook}.ipynb", 4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not [word for word in ("SOLUTION", "HIDDEN", "left_alone", "vmsplice", "mlock") if word in text]
    for name in (PREDICTION, POLICIES.answer):
        assert "raise NotImplementedError" in cell_named(notebook, name).source
    for name in TESTS:
        assert cell_named(notebook, name).source.startswith("# Checked here (")
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


def test_points_in_the_statement_are_those_that_can_be_had() -> None:
    """The statement and the test cells tell the same numbers."""
    notebook = nbformat.read(SOURCE, 4)
    assert f"{sum(TESTS.values())} points" in notebook.cells[0].source
    for name, most in TESTS.items():
        cell = cell_named(notebook, name)
        assert cell.metadata.nbgrader.points == most
        assert f"({most} point" in cell.source.splitlines()[0]


def test_neighbours_have_other_sets_of_nodes() -> None:
    """The seed makes the variant: forty students, hardly two alike."""
    names: dict[str, object] = {}
    exec(cell_named(nbformat.read(SOURCE, 4), "variant").source, names)
    variant = names["variant"]
    assert callable(variant)
    assert len({str(variant(seed)) for seed in range(40)}) >= 38
