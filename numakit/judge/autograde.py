"""The judge in nbgrader: what takes the place of running the notebook in `nbgrader autograde`.

nbgrader hands cells in, keeps the gradebook, makes feedback; it asks outputs of a test cell what the cell earned. Those
outputs are written here, from what the judge found. exercises/nbgrader_config.py names the three classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from nbgrader.utils import is_grade
from sqlalchemy.engine import make_url
from traitlets import Bool, Float, Integer

from numakit.judge.confine import TRUSTED, Limits, best_kind
from numakit.judge.exercise import Case, Kind, Original, case_of, name_of
from numakit.judge.grader import Finding, Judged, judge

COULD_NOT_RUN = "CouldNotRun"
SCHEMA = 3  #: of nbgrader's metadata
Pair = tuple[NotebookNode, Mapping[str, Any]]


def originals_in(gradebook: Gradebook, notebook: str, assignment: str) -> list[Original]:
    """The lecturer's cells with code, as `nbgrader generate_assignment` put them into the gradebook."""
    kept = gradebook.find_notebook(notebook, assignment)
    points = {cell.name: float(cell.max_score) for cell in kept.grade_cells}
    answers = {cell.name for cell in kept.solution_cells}
    found = []
    for cell in kept.source_cells:
        kind: Kind = "answer" if cell.name in answers else "test" if cell.name in points else "given"
        if cell.cell_type == "code":
            found.append(Original(cell.name, kind, cell.source, points.get(cell.name, 0)))
    return found


class PutBack(NbGraderPreprocessor):  # type: ignore[misc]
    """What cells are, tests, answers or text, is the lecturer's to say: it is put back before anything is read.

    nbgrader puts sources back, but believes the notebook which cells are tests; one that says otherwise stops it.
    """

    def preprocess(self, nb: NotebookNode, resources: Mapping[str, Any]) -> Pair:
        """Give each cell its place in the gradebook again, the last of several; a cell without one is a student's.

        Tests that were deleted come back at the end: nbgrader would wait for somebody to mark them by hand.
        """
        told = resources["nbgrader"]
        with Gradebook(told["db_url"]) as gradebook:
            kept = gradebook.find_notebook(told["notebook"], told["assignment"])
            known = {cell.name: self.metadata_of(cell, kept) for cell in kept.source_cells}
            sources = {cell.name: cell.source for cell in kept.source_cells}
        for cell in reversed(nb.cells):
            name = name_of(cell)
            cell.metadata.pop("nbgrader", None)
            if name is not None and name in known:
                cell.metadata["nbgrader"] = NotebookNode(known.pop(name))
        for name, place in known.items():
            if place["grade"] and not place["solution"]:
                nb.cells.append(new_code_cell(sources[name], metadata={"nbgrader": NotebookNode(place)}))
        return nb, resources

    @staticmethod
    def metadata_of(cell: Any, kept: Any) -> dict[str, Any]:
        """What nbgrader wants to find at a cell."""
        points = {graded.name: float(graded.max_score) for graded in [*kept.grade_cells, *kept.task_cells]}
        tasks = {task.name for task in kept.task_cells}
        grade = cell.name in points and cell.name not in tasks
        told = {
            "schema_version": SCHEMA,
            "grade_id": cell.name,
            "cell_type": cell.cell_type,
            "grade": grade,
            "solution": any(solution.name == cell.name for solution in kept.solution_cells),
            "task": cell.name in tasks,
            "locked": bool(cell.locked),
            "checksum": cell.checksum,
        }
        return told | ({"points": points[cell.name]} if cell.name in points else {})


class Judge(NbGraderPreprocessor):  # type: ignore[misc]
    """Tries the submission, and writes below each cell what came of it."""

    cell_seconds = Float(
        Limits().cell_seconds, help="Seconds that one cell may work; what is not done then is ended."
    ).tag(config=True)
    all_seconds = Float(Limits().all_seconds, help="Seconds that one submission may work in all.").tag(config=True)
    memory = Integer(Limits().memory, help="Bytes of memory for a submission; its judge has twice as much.").tag(
        config=True
    )
    output = Integer(Limits().output, help="Bytes of what a cell prints that are kept.").tag(config=True)
    trusted = Bool(False, help="Run submissions as the user who grades, without walls and without a warning.").tag(
        config=True
    )

    #: found beforehand, many at once, by digest of the case (see numakit.judge.class_list)
    beforehand: ClassVar[dict[str, Judged]] = {}

    @property
    def limits(self) -> Limits:
        """What a submission may take."""
        return Limits(self.cell_seconds, self.all_seconds, self.memory, self.output)

    def preprocess(self, nb: NotebookNode, resources: Mapping[str, Any]) -> Pair:
        """Judge the notebook's cells."""
        told = resources["nbgrader"]
        with Gradebook(told["db_url"]) as gradebook:
            case = case_of(originals_in(gradebook, told["notebook"], told["assignment"]), nb.cells)
        found = self.beforehand.get(case.digest)
        if found is None:
            if best_kind() == "none" and not self.trusted:
                self.log.warning("%s: %s", told["student"], TRUSTED)
            found = judge(case, self.limits, closed_paths(told["db_url"]), "none" if self.trusted else None)
        if found.cannot:
            self.log.error("%s could not be judged: %s", told["student"], found.cannot)
        write_outputs(nb, case, found)
        return nb, resources


class SaveMarks(SaveAutoGrades):  # type: ignore[misc]
    """No mark for a test that could not be run: nbgrader's formgrader shows it as one to be looked at."""

    def _add_score(self, cell: NotebookNode, resources: Mapping[str, Any]) -> None:
        super()._add_score(cell, resources)
        if any(output.get("ename") == COULD_NOT_RUN for output in cell.get("outputs", ())):
            told = resources["nbgrader"]
            name = cell.metadata.nbgrader.grade_id
            grade = self.gradebook.find_grade(name, told["notebook"], told["assignment"], told["student"])
            grade.auto_score, grade.needs_manual_grade = None, True
            self.gradebook.db.commit()


def closed_paths(db_url: str) -> list[str]:
    """What no submission may read: the course's folder, and the gradebook, which holds hidden tests too."""
    database = make_url(db_url).database
    paths = [Path.cwd(), *([Path(database).resolve()] if database else [])]
    return [str(path) for path in paths]


def write_outputs(nb: NotebookNode, case: Case, found: Judged) -> None:
    """Below each cell with code what was printed and what failed; below a test with part of its points that part."""
    told = {name: found.theirs.get(place) for place, (name, _) in enumerate(case.theirs)} | found.tests
    own = 0
    for cell in nb.cells:
        if cell.cell_type == "code":
            name = name_of(cell)
            own += name is None
            finding = told.get(name or f"of your own, number {own}")
            points = cell.metadata.nbgrader.points if is_grade(cell) else None
            cell.outputs, cell.execution_count = outputs_of(finding, points) if finding else [], None


def outputs_of(finding: Finding, points: float | None) -> list[NotebookNode]:
    """In nbgrader's terms: an error earns nothing, a number that many points, anything else all of them."""
    outputs = [new_output("stream", name="stdout", text=finding.said)] if finding.said else []
    if finding.trouble is not None:
        kind, what, lines = finding.trouble
        kind = COULD_NOT_RUN if points is not None and finding.points is None else kind
        told = [*lines.splitlines(), f"{kind}: {what}"]
        outputs.append(new_output("error", ename=kind, evalue=what, traceback=told))
    elif points is not None and finding.points != points:
        outputs.append(new_output("execute_result", data={"text/plain": repr(finding.points)}, execution_count=None))
    return outputs
