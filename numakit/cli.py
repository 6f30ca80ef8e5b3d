"""The command `numakit`: thin, every command imports what it needs when it runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from numakit.version import __version__

if TYPE_CHECKING:
    from numakit.explain.causes import Where
    from numakit.scenario import Play, ScenarioFile
    from numakit.topology import Topology

REFUSED, ABSENT, UNWRITTEN = 1, 3, 4

EXIT_STATUS = f"""\b
Exit status:
  0  all went well
  {REFUSED}  refused: the file is malformed, unsafe or too large, or the machine cannot be had in that form
  2  wrong arguments
  {ABSENT}  there is no such file, preset or shipped dump
  {UNWRITTEN}  a picture could not be written
Errors are one line on standard error.
"""

EXIT_STATUS_OF_EXPLAIN = """\b
Exit status:
  0  all went well
  2  wrong arguments: a number that no call answers, or an unknown kernel
"""

EXIT_STATUS_OF_RUN = """\b
Exit status:
  0  every call was answered the same
  1  some scenario differs
  2  none differs, but something could not run, the file is wrong, or the arguments are
"""

SHELLS = ("bash", "zsh", "fish")
CALLS = ("move_pages", "migrate_pages", "mbind", "set_mempolicy", "get_mempolicy")
COUNTED = {"differs": "different"}  #: verdicts that have another word for several scenarios
GUEST_SCALE = 64  #: the model of a guest needs no more frames than that leaves
SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Failure(click.ClickException):
    """An error in one line, with the exit status that tells its kind."""

    def __init__(self, error: object, status: int) -> None:
        super().__init__(" ".join(str(error).split()))
        self.exit_code = status  # type: ignore[misc]  # click: a class variable


class MachineName(click.ParamType[str]):
    """FILE, PRESET or "host"; the shell completes all three."""

    name = "machine"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Presets, dumps and "host" that begin so, and files."""
        from numakit.topology import Topology

        names = [name for name in ("host", *Topology.presets(), *Topology.dumps()) if name.startswith(incomplete)]
        # First, since click's script for bash forgets at a file all names before it.
        return [CompletionItem(incomplete, type="file"), *map(CompletionItem, names)]


class NumberName(click.ParamType[str]):
    """A number, or the name of an errno; the shell completes names."""

    name = "number"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so."""
        from numakit.explain.causes import UNWRITTEN
        from numakit.explain.number import ERRNOS

        return [CompletionItem(name) for name in (*ERRNOS, UNWRITTEN) if name.startswith(incomplete)]


class KernelName(click.ParamType[str]):
    """A kernel of the table, or a release; the shell completes those of the table."""

    name = "kernel"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The kernels that begin so."""
        from numakit.explain.causes import KERNEL_NAMES

        return [CompletionItem(name) for name in (*KERNEL_NAMES, "running", "all") if name.startswith(incomplete)]


class ModelName(click.ParamType[str]):
    """A kernel of the model; the shell completes them."""

    name = "kernel"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The kernels that begin so."""
        from numakit.kernels import KERNELS

        return [CompletionItem(name) for name in KERNELS if name.startswith(incomplete)]

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; fails with those that there are."""
        from numakit.kernels import KERNELS

        if value not in KERNELS:
            self.fail(f"{value!r} is not modelled; there are {', '.join(KERNELS)}", param, ctx)
        return str(value)


class NumberCommand(click.Command):
    """A command whose argument may be -13 or -EACCES, which click would take for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put negative numbers behind everything else, where they cannot be options."""
        numbers = [word for word in args if re.fullmatch(r"-(\d+|E[A-Z0-9]+)", word)]
        if numbers and "--" not in args:
            args = [*(word for word in args if word not in numbers), "--", *numbers]
        return super().parse_args(ctx, args)


class ByteCount(click.ParamType[int]):
    """A number of bytes: 1073741824, 1024M, 1G."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes; fails with what is allowed."""
        match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)", str(value))
        if not match:
            self.fail(f"{value!r} is no size; allowed is a number, with K, M, G or T behind it", param, ctx)
        return int(match[1]) * SIZES[match[2]]


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_STATUS)
@click.version_option(__version__, prog_name="numakit")
def main() -> None:
    """Teach and explore the migration of pages between NUMA nodes."""


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--port", type=click.IntRange(1, 65535), help="The port to serve on, and no other.")
@click.option("--browser/--no-browser", default=True, help="Open the browser, or only print the address.")
@click.option("--copy-only", is_flag=True, help="Copy the course and end: where JupyterLab runs already, as on a hub.")
@click.option(
    "--reset",
    "resets",
    metavar="NOTEBOOK",
    multiple=True,
    help="Bring one back as it was (03-move-pages, bring-them-home) and end. Your version gets another name.",
)
@click.option("--solutions", is_flag=True, help="For lecturers: also copy the exercises with solutions, to grading/.")
def lab(
    folder: Path | None, port: int | None, browser: bool, copy_only: bool, resets: tuple[str, ...], solutions: bool
) -> None:
    """Open the course in JupyterLab.

    The course is copied to FOLDER first: if none is named, to the copy that you are in, or to numakit-course. Files
    that are there already are never overwritten. In a clone of the repository, `numakit lab .` opens the course in
    place.
    """
    from numakit import lab as course

    folder = folder or course.usual_folder(Path.cwd())
    to_serve = not (copy_only or resets or course.on_a_hub())
    try:
        if to_serve:
            course.require_jupyterlab()
        back = course.bring_back(folder, resets, solutions=solutions) if resets else []
        copied = course.copy_course(folder, solutions=solutions)
    except (course.LabError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if copied.new:
        files = "1 file" if len(copied.new) == 1 else f"{len(copied.new)} files"
        click.echo(f"Copied {files} of the course to {folder}.")
    for path in copied.kept:
        click.echo(f"Kept {path}: it differs from the course's and stays as it is.")
    for place, aside in back:
        click.echo(f"{place} is as the course has it" + (f"; your version is {aside}." if aside else "."))
    click.echo(f"The course is in {folder.resolve()}; it begins with {course.FIRST_PAGE}.")
    if to_serve:
        course.serve(folder, port=port, browser=browser)
    elif course.on_a_hub():
        click.echo("This server is a JupyterHub's: open the notebook in its JupyterLab.")


@main.command()
@click.argument("assignments", nargs=-1)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="The course's folder.")
def release(assignments: tuple[str, ...], folder: Path) -> None:
    """For lecturers: make the students' versions of ASSIGNMENTS, of all if none is named, with nbgrader.

    They come to release/, without solutions and hidden tests; the gradebook learns what is to be tested.
    """
    course = _course()
    try:
        names = course.release(folder, assignments)
    except course.CourseError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Made {', '.join(names)} in {folder / 'release'}.")


@main.command()
@click.argument("assignment")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="The course's folder.")
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, help="Submissions judged at a time.")
def grade(assignment: str, folder: Path, jobs: int) -> None:
    """For lecturers: judge all submissions of ASSIGNMENT, and write the class list.

    \b
    submitted/NAME/ASSIGNMENT/   what was handed in
    gradebook.db, autograded/    nbgrader's, as after nbgrader autograde
    class-ASSIGNMENT.csv         everybody's points; an empty score: could not run, and somebody has to look

    Tests run in a process of the judge's, submissions in another: that of another user if root grades, in a namespace
    where bubblewrap is installed, else as the user who grades, and you are warned.
    """
    if sys.platform == "win32":
        raise click.ClickException("grading needs Linux or macOS (or WSL): Windows sets a submission no limits")
    from concurrent.futures import ThreadPoolExecutor

    from numakit.judge.confine import TRUSTED, best_kind
    from numakit.tables import text_table

    course = _course()
    if best_kind() == "none":
        click.echo(f"Warning: {TRUSTED}.", err=True)
    try:
        with ThreadPoolExecutor(jobs) as executor:
            rows = course.grade(folder, assignment, executor)
    except course.CourseError as error:
        raise click.ClickException(str(error)) from error
    path = folder / f"class-{assignment}.csv"
    course.write_class_list(rows, path)
    shown = [(row.student, "" if row.score is None else f"{row.score:g}", f"{row.most:g}", row.state) for row in rows]
    click.echo(text_table(("student", "score", "of", ""), shown))
    click.echo(f"Wrote {path}.")
    if any(row.score is None for row in rows):
        raise SystemExit(REFUSED)


@main.command(epilog=EXIT_STATUS)
@click.argument("machine", type=MachineName(), metavar="FILE|PRESET|host", required=False)
@click.option("--json", "form", flag_value="json", help="Print networkx' node-link JSON instead.")
@click.option("--qemu", "form", flag_value="qemu", help="Print arguments for qemu-system-x86_64 instead.")
@click.option("--memory", type=ByteCount(), help="With --qemu: memory of all nodes together, such as 1G.")
@click.option("--draw", type=click.Path(dir_okay=False, path_type=Path), help="Draw the machine (.png, .svg, .pdf).")
@click.option("--distances", type=click.Path(dir_okay=False, path_type=Path), help="Draw its distances as a heat map.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", help="The colours of pictures.")
@click.option("--list", "listing", is_flag=True, help="List presets and shipped dumps.")
def topology(
    machine: str | None,
    form: str | None,
    memory: int | None,
    draw: Path | None,
    distances: Path | None,
    theme: str,
    listing: bool,
) -> None:
    """Print a machine as `numactl --hardware` would, and what else is known of it.

    FILE is a sysfs folder or tar, hwloc's XML, the text of numactl --hardware, JSON as --json prints it, or the name of
    a shipped dump. PRESET is a machine by name (see --list); a file of that name is ./PRESET. "host" is the machine on
    which this runs.
    """
    if listing:
        click.echo(_listing())
        return
    if machine is None:
        raise click.UsageError("Missing argument 'FILE|PRESET|host'; --list shows names.")
    if memory is not None and form != "qemu":
        raise click.UsageError("--memory goes with --qemu.")
    found = _load(machine)
    click.echo(_printed(found, form, memory), nl=False)
    for path, what in ((draw, "draw_topology"), (distances, "draw_distances")):
        if path is not None:
            _draw(found, path, what, theme)


@main.command(cls=NumberCommand, epilog=EXIT_STATUS_OF_EXPLAIN)
@click.argument("number", type=NumberName())
@click.option("--kernel", type=KernelName(), default="running", help="seed, 6.1 ..., any release, or all.")
@click.option("--call", type=click.Choice(CALLS), help="Only as an answer of this call.")
@click.option("--status", "where", flag_value="status", help="Only as the status of an entry.")
@click.option("--return", "where", flag_value="return", help="Only as the return value.")
def explain(number: str, kernel: str, call: str | None, where: Where | None) -> None:
    """Explain a number that move_pages(2) and its relatives have answered.

    \b
    numakit explain -13               a status, or a return value, of the kernel that runs
    numakit explain EACCES --status   the same by its name, as a status only
    numakit explain +3                a return value: pages that stayed
    numakit explain unwritten         a status that still is what it was before the call
    numakit explain -14 --kernel 6.1  as another kernel means it

    Each cause comes with how to tell it from the others, and what to do. The kernel is the one of the table that is
    nearest to the running one; off Linux, all of them.
    """
    from numakit.explain import explain_number

    try:
        explanation = explain_number(number, kernel, call, where)
    except ValueError as error:
        raise click.UsageError(" ".join(str(error).split())) from error
    click.echo(explanation.text(min(100, shutil.get_terminal_size((100, 24)).columns)))


@main.command(epilog=EXIT_STATUS_OF_RUN)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option("--kernel", "kernels", type=ModelName(), multiple=True, help="A kernel of the model; twice for two.")
@click.option("--live", is_flag=True, help="Beside a model, the Linux that runs.")
@click.option(
    "--guest",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="IMAGE",
    help="Beside a model, a Linux of five nodes in QEMU: a folder that `make oracle` made, such as .oracle/6.12.",
)
@click.option("--machine", type=MachineName(), metavar="FILE|PRESET|host", help="What is modelled (two-sockets).")
def run(
    file: Path,
    scenarios: tuple[str, ...],
    kernels: tuple[str, ...],
    live: bool,
    guest: Path | None,
    machine: str | None,
) -> None:
    """Play the scenarios of FILE, and print their calls with the answers, those of two kernels side by side.

    \b
    numakit run FILE.py                         on the model of the 2006 text
    numakit run FILE.py --kernel 6.12           the 2006 text beside the model of 6.12
    numakit run FILE.py --kernel 6.1 --kernel 6.12
    numakit run FILE.py --live                  the running kernel beside the model nearest to it
    numakit run FILE.py --guest .oracle/6.12    a guest beside the model of its kernel
    numakit run FILE.py --live --kernel seed    the running kernel beside another model

    A scenario is a function of FILE with one parameter called world: a numakit.Machine, or a numakit.live.World. It
    makes calls that both have (world.spawn, process.mmap, write, move_pages, ...); what it returns is ignored. All of
    FILE are played, or those that are named. Below the calls stands the first difference, with its cause.

    FILE is a program of your own: it is run as it is, with your rights. A guest runs it, too, and gets nothing of what
    lies beside it.
    """
    from numakit.scenario import WrongFile, compare, open_scenarios

    if live and guest:
        raise click.UsageError("--live and --guest: one real kernel at a time.")
    if len(kernels) > (1 if live or guest else 2):
        raise click.UsageError("--kernel: two kernels are compared, no more.")
    if machine is not None and (live or guest):
        raise click.UsageError("--machine: beside a real kernel its own machine is modelled.")
    try:
        opened = open_scenarios(file)
        names = opened.chosen(scenarios)
    except WrongFile as error:
        raise Failure(error, 2) from None
    sides = _played(opened, names, kernels, live, guest, machine)
    width = min(140, shutil.get_terminal_size((100, 24)).columns)
    verdicts = []
    for plays in zip(*sides, strict=True):
        comparison = compare(plays)
        verdicts.append(comparison.verdict)
        click.echo(comparison.text(width) + "\n")
    counts = [f"{verdicts.count(verdict)} {COUNTED.get(verdict, verdict)}" for verdict in dict.fromkeys(verdicts)]
    click.echo(f"{len(verdicts)} scenario{'s' * (len(verdicts) != 1)}: {', '.join(counts)}")
    raise click.exceptions.Exit(1 if "differs" in verdicts else 2 if "could not run" in verdicts else 0)


def _played(
    opened: ScenarioFile,
    names: list[str],
    kernels: tuple[str, ...],
    live: bool,
    guest: Path | None,
    machine: str | None,
) -> list[list[Play]]:
    """The plays on each side: one model, two, or a model and a real kernel."""
    from numakit.scenario import model_of_the_running_kernel, play_in_guest, play_live, play_on_model

    if guest is not None:
        from numakit.guest import guest_topology, open_image

        try:
            image = open_image(guest)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        rules = kernels[0] if kernels else image.rules
        model = play_on_model(opened, names, rules, guest_topology(), GUEST_SCALE)
        return [model, play_in_guest(opened, names, image)]
    if live:
        from numakit.topology import Topology

        kernel = kernels[0] if kernels else model_of_the_running_kernel()
        return [play_on_model(opened, names, kernel, Topology.host()), play_live(opened, names)]
    topology = _load(machine or "two-sockets")
    sides = kernels if len(kernels) == 2 else tuple(dict.fromkeys(("seed", *kernels)))
    return [play_on_model(opened, names, kernel, topology) for kernel in sides]


@main.command(epilog=EXIT_STATUS)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete the arguments of numakit.

    \b
    bash:  numakit completion bash >> ~/.bashrc
    zsh:   numakit completion zsh >> ~/.zshrc
    fish:  numakit completion fish > ~/.config/fish/completions/numakit.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "numakit", "_NUMAKIT_COMPLETE").source())


def _course() -> ModuleType:
    try:
        from numakit.judge import course
    except ImportError as error:
        raise click.ClickException(f'nbgrader is missing ({error}): pip install "numakit[grade]"') from error
    return course


def _load(machine: str) -> Topology:
    from numakit.topology import Topology, TopologyError

    try:
        if machine == "host":
            return Topology.host()
        return Topology.preset(machine) if machine in Topology.presets() else Topology.load(machine)
    except TopologyError as error:
        raise Failure(error, REFUSED) from error
    except FileNotFoundError:
        raise Failure(f"{machine}: no such file, preset or shipped dump; --list shows names", ABSENT) from None


def _listing() -> str:
    from numakit.topology import Topology

    presets = [
        f"  {name:<12} {str(Topology.preset(name)).splitlines()[0].partition(': ')[2]}" for name in Topology.presets()
    ]
    return "\n".join(["Presets", *presets, "Shipped dumps", *(f"  {name}" for name in Topology.dumps())])


def _printed(found: Topology, form: str | None, memory: int | None) -> str:
    from numakit.topology import TopologyError

    try:
        if form == "json":
            return found.to_json()
        if form == "qemu":
            arguments = found.to_qemu(memory)
            pairs = (shlex.join(arguments[place : place + 2]) for place in range(0, len(arguments), 2))
            return " \\\n".join(pairs) + "\n"
    except TopologyError as error:
        raise Failure(error, REFUSED) from error
    from numakit.plots.words import describe_topology

    return f"{found.to_numactl()}\n{describe_topology(found)}\n"


def _draw(found: Topology, path: Path, what: str, theme: str) -> None:
    """Write one picture; a failure leaves no half of a file behind."""
    try:
        import matplotlib

        from numakit import plots
    except ImportError:
        raise Failure('pictures need matplotlib: pip install "numakit[lab]"', UNWRITTEN) from None
    matplotlib.use("Agg")
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        figure = getattr(plots, what)(found, theme=theme).figure
        figure.savefig(part, dpi=150)
        part.replace(path)
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: not written ({error})", UNWRITTEN) from error
    finally:
        part.unlink(missing_ok=True)
