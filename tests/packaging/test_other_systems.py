"""The student's path on Windows and macOS, as far as Linux can show it: what those lack is taken away."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from numakit.cli import main
from tests.clone import ROOT

COURSE = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *sorted((ROOT / "exercises" / "source").rglob("*.ipynb"))]
#: Notebooks that ask the system on which they run.
ASKING = ("index", "00-tour", "01-topology", "12-on-your-own-machine")

#: Before numakit is imported, and after everything else that the course needs: others may look at the true system.
TAKEN_AWAY = """
import contextlib, ctypes, io, os, platform, signal, socket, subprocess, sys, tempfile
from pathlib import Path
import click, ipywidgets, matplotlib.pyplot, nbformat, networkx, numpy
from importlib.metadata import version
import anywidget, xml.etree.ElementTree, matplotlib.backends.backend_agg, IPython.display
matplotlib.use("Agg")

sys.platform = {system!r}
for name in ("fcntl", "resource", "grp", "pwd", "termios", "pty", "syslog"):
    sys.modules[name] = None
LINUX = {{
    os: ("fork", "getuid", "geteuid", "getgid", "sysconf", "uname", "sched_getaffinity", "sched_setaffinity", "killpg"),
    socket: ("send_fds", "recv_fds", "AF_UNIX"),
    signal: ("SIGKILL", "SIGCHLD", "SIGXFSZ"),
}}
for module, names in LINUX.items():
    for name in names:
        delattr(module, name)

def no_library(*arguments, **named):
    raise TypeError("no such library")
ctypes.CDLL = no_library
"""

#: The copy is made and read as a student does it, in a folder whose name has a space.
PLAYED = """
from numakit.cli import main
folder = Path(sys.argv[1]) / "a folder of mine"
folder.mkdir()
os.chdir(folder)
for words in (["lab", "--copy-only"], ["lab", "--reset", "00-tour"], ["topology", "ring4"], ["explain", "-14"]):
    with contextlib.redirect_stdout(io.StringIO()):
        main(words, standalone_mode=False)

import numakit.topology.readers as readers
from numakit.lab import jupyterlab_command
assert f"--ServerApp.root_dir={{folder.resolve()}}" in jupyterlab_command(folder, port=None, browser=True)
read_host = readers.read_host
readers.read_host = lambda root: read_host(sys.argv[2])  # where there is neither sysfs nor proc

os.chdir("numakit-course/notebooks")
for name in {names!r}:
    cells = [cell for cell in nbformat.read(f"{{name}}.ipynb", 4).cells if cell.cell_type == "code"]
    known = {{}}
    for cell in cells[:-1]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(cell.source, known)
        matplotlib.pyplot.close("all")
        stored = "".join(output.get("text", "") for output in cell.outputs)
        if "nbval-ignore-output" not in cell.metadata.get("tags", []):
            assert printed.getvalue() == stored, (name, cell.id, printed.getvalue())
        elif name == "00-tour":
            print(printed.getvalue().strip())
print("played", len({names!r}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_course_is_copied_and_read_where_there_is_no_linux(system: str, tmp_path: Path) -> None:
    """The stored sentences are true there, too, and what only Linux can say is said to be so."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    program = TAKEN_AWAY.format(system=system) + PLAYED.format(names=ASKING)
    command = [sys.executable, "-X", "utf8=0", "-c", program, str(tmp_path), str(nowhere)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *told, last = done.stdout.splitlines()
    assert told == [f"The calls are those of Linux, and this is {system}: there is nobody to ask."]
    assert last == f"played {len(ASKING)}"


def test_what_windows_cannot_do_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of grading nothing is begun; of a comparison with the running kernel the model's half is played."""
    monkeypatch.setattr(sys, "platform", "win32")
    graded = CliRunner().invoke(main, ["grade", "tour", "--folder", str(tmp_path)])
    assert (graded.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert graded.output == "Error: grading needs Linux or macOS (or WSL): Windows sets a submission no limits\n"
    compared = CliRunner().invoke(main, ["run", str(ROOT / "docs" / "scenarios" / "one_node.py"), "--live"])
    assert compared.exit_code == 2
    assert "the calls are those of Linux, and this is win32" in " ".join(compared.output.split())


def calls_without_an_encoding(source: str) -> Iterator[int]:
    """The lines that open a text without saying which encoding it has: on Windows it would be that of the country."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not {"encoding", None} & {word.arg for word in node.keywords}:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("read_text", "write_text") or (name == "open" and opens_a_text(node)):
                yield node.lineno


def opens_a_text(call: ast.Call) -> bool:
    """Whether a call of something named open has a text's mode, or none where that means a text."""
    words = [*call.args, *(word.value for word in call.keywords)]
    told = [str(word.value) for word in words if isinstance(word, ast.Constant)]
    modes = [mode for mode in told if re.fullmatch(r"[rwxa]b?\+?", mode)]
    return not any("b" in mode for mode in modes) if modes else isinstance(call.func, ast.Name) or not words


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ('open(name, "w")', True),
        ('path.open("x")', True),
        ('path.read_text(encoding="utf-8")', False),
        ("open(name)", True),
        ("path.open()", True),
        ('open(name, "rb")', False),
        ('path.open("w", encoding="utf-8")', False),
        ("task.open(machine, 3)", False),
    ],
)
def test_a_text_without_an_encoding_is_found(source: str, found: bool) -> None:
    """The measure of the next test."""
    assert bool(list(calls_without_an_encoding(source))) == found


def test_every_text_is_opened_with_its_encoding() -> None:
    """In the package, and in the cells that a student runs."""
    found = []
    for path in (ROOT / "numakit").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        found += [f"{path}:{line}" for line in calls_without_an_encoding(source)]
    for path in COURSE:
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "code":
                found += [f"{path.name}: {cell.id}" for _ in calls_without_an_encoding(cell.source)]
    assert found == []


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_cells_need_no_shell(path: Path) -> None:
    """No line is handed to one, and no command is started that Windows lacks."""
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            assert not re.search(r"^\s*(!|%|import (subprocess|signal|resource)|os\.system)", cell.source, re.MULTILINE)
