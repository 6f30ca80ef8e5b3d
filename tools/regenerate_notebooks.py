"""Runs the notebooks of the course and stores clean outputs: two runs on any two machines give equal files.

Kept are the outputs that nbval compares and the pictures; dropped is what changes from run to run (times,
widget state and views, versions) and what an editor leaves behind.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parent.parent
CELL_SECONDS = 60
SUMMARY = "Runs the notebooks of the course and stores clean outputs."
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KEPT_CELL_METADATA = {"nbgrader", "tags"}


def course_notebooks(root: Path = ROOT) -> list[Path]:
    """Every notebook that the project stores with outputs, in the course's order."""
    found = [*sorted(root.glob("notebooks/**/*.ipynb")), *sorted(root.glob("exercises/source/**/*.ipynb"))]
    return [path for path in found if ".ipynb_checkpoints" not in path.parts]


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells of `notebook` in `folder`, from a fresh kernel.

    Raises CellExecutionError or CellTimeoutError where a cell fails that is not tagged raises-exception.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # a text printed in two parts is stored as one, however it arrived
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})


def clean(notebook: nbformat.NotebookNode) -> None:
    """Drop whatever differs between two runs of the same notebook."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in KEPT_CELL_METADATA}
        )
        if cell.cell_type != "code":
            continue
        if "nbval-ignore-output" in tags:
            cell.outputs = []
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)


def regenerate(path: Path) -> bool:
    """Run, clean and store one notebook; whether its file changed. One that fails is left as it was."""
    notebook = nbformat.read(path, 4)
    execute(notebook, path.parent)
    clean(notebook)
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook) + "\n"
    changed = text != path.read_text(encoding="utf-8")
    if changed:
        path.write_text(text, encoding="utf-8")
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Regenerate the notebooks named, or all; 1 if a cell failed."""
    parser = argparse.ArgumentParser(description=SUMMARY)
    parser.add_argument("notebooks", nargs="*", type=Path, help="only these files")
    failed = False
    for path in parser.parse_args(arguments).notebooks or course_notebooks():
        try:
            print(f"{path}: {'new outputs' if regenerate(path) else 'as it was'}")
        except (CellExecutionError, CellTimeoutError) as error:
            print(f"{path}: not stored, a cell fails\n{error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
