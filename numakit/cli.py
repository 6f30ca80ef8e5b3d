"""The command `numakit`: thin, every command imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path

import click

from numakit.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="numakit")
def main() -> None:
    """Teach and explore the migration of pages between NUMA nodes."""


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="numakit-course")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to serve on, and no other.")
@click.option("--browser/--no-browser", default=True, help="Open the browser, or only print the address.")
@click.option("--solutions", is_flag=True, help="For lecturers: also copy the exercises with solutions, to grading/.")
def lab(folder: Path, port: int | None, browser: bool, solutions: bool) -> None:
    """Open the course in JupyterLab.

    The course is copied to FOLDER first (numakit-course, if none is named). Files that are there already
    are never overwritten. In a clone of the repository, `numakit lab .` opens the course in place.
    """
    from numakit.lab import LabError, copy_course, require_jupyterlab, serve

    try:
        require_jupyterlab()
        copied = copy_course(folder, solutions=solutions)
    except (LabError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if copied.new:
        files = "1 file" if len(copied.new) == 1 else f"{len(copied.new)} files"
        click.echo(f"Copied {files} of the course to {folder}.")
    for path in copied.kept:
        click.echo(f"Kept {path}: it differs from the course's and stays as it is.")
    serve(folder, port=port, browser=browser)
