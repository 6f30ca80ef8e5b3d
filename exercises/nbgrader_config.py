"""Settings of nbgrader for this folder: the course, and the judge, who runs submissions in nbgrader's place."""

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    DeduplicateIds,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
)

from numakit.judge.autograde import Judge, PutBack, SaveMarks

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = "numakit"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your code here"}
c.Autograde.sanitize_preprocessors = [
    PutBack,  # first: which cells are tests
    ClearOutput,
    DeduplicateIds,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    Judge,  # in place of Execute
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveMarks,  # in place of SaveAutoGrades
    AssignLatePenalties,
    CheckCellMetadata,
]
# What a submission may take; a cell that is not done by then costs its points, not those of the others.
c.Judge.cell_seconds = 20
c.Judge.all_seconds = 100
