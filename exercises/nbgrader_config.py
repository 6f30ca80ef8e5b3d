"""Settings of nbgrader for this folder: the course, and the limit that ends an endless loop."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = "numakit"
# Seconds for one cell of a submission; an endless loop costs its cell, not the others.
c.ExecutePreprocessor.timeout = 20
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your code here"}
