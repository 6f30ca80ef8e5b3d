"""`numakit run`: scenarios of a file, played in two worlds and compared call by call."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import numakit.scenario.guest
from numakit import Machine
from numakit.cli import main
from numakit.guest import CouldNotRun, GuestImage, guest_topology
from numakit.guest.image import FILES, KERNEL, describe_image
from numakit.kernels import KERNELS
from numakit.live import CannotTry, World
from numakit.scenario import Play, compare, open_scenarios, play_in_guest, play_on_model
from numakit.scenario.guest import FOLDER, from_line, packed, to_line
from numakit.scenario.play import model_of_the_running_kernel, play
from numakit.topology import Topology

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "scenarios").glob("*.py"))

HELD = """
from numakit.live import two_nodes

def held(world):
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(3)
    shell.write(area)
    shell.vmsplice(area[1])
    shell.move_pages(0, area, [there] * 3)
    shell.move_pages(0, area)
"""
SAME = """
def same(world):
    shell = world.spawn("shell")
    shell.write(shell.mmap(2))
"""


def run(*arguments: object) -> Result:
    """Run the command in this process, on a wide terminal."""
    words = ["run", *(str(argument) for argument in arguments)]
    return CliRunner(env={"COLUMNS": "140"}).invoke(main, words, prog_name="numakit")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its scenarios."""
    return tmp_path / "mine.py"


# -- what is printed


def test_calls_stand_side_by_side_with_names_instead_of_addresses(file: Path) -> None:
    """Answers of both kernels on one line, the line of the file in front, and a mark where they differ."""
    file.write_text(HELD)
    done = run(file, "--kernel", "6.12")
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[2] == "line call model of the 2006 text model of Linux 6.12"
    assert "9 pipe1 = shell.vmsplice(area1[1]) holds 1 page holds 1 page" in lines
    assert "11 shell.move_pages(0, area1) 0, status [1, 0, 1] 0, status [1, 0, 1]" in lines
    (marked,) = [line for line in lines if line.startswith("!")]
    assert marked.startswith("! 10 shell.move_pages(0, area1, [1, 1, 1]) 0, status [1, -EBUSY, 1] 1, status")


def test_first_difference_is_told_in_words_with_the_cause_on_each_side(file: Path) -> None:
    """Which call, what each answered, and why."""
    file.write_text(HELD)
    output = " ".join(run(file, "--kernel", "6.12").output.split())
    assert "First difference, line 10: shell.move_pages(0, area1, [1, 1, 1])" in output
    assert "model of the 2006 text answers 0, status [1, -EBUSY, 1]" in output
    assert "model of Linux 6.12 answers 1, status [unwritten, unwritten, unwritten]" in output
    assert "model of Linux 6.12: move_pages(pid=0, 3 pages) returned 1. 1 pages did not move" in output


def test_a_difference_in_one_entry_is_explained_for_that_entry(file: Path) -> None:
    """The return codes agree, and are not explained."""
    file.write_text(HELD.replace("[there] * 3", "[there, here, there]").replace("shell.write", "shell.read"))
    output = " ".join(run(file, "--kernel", "2.6.18").output.split())
    assert "model of the 2006 text: Entry 0 (0x10000000): -EFAULT." in output
    assert "model of Linux 2.6.18: " in output


def test_one_model_alone_is_played_and_compared_with_nothing(file: Path) -> None:
    """The 2006 text, or another kernel that is named alone beside it twice."""
    file.write_text(HELD)
    alone = run(file)
    assert (alone.exit_code, "1 scenario: 1 played" in alone.output, "Linux" in alone.output) == (0, True, False)
    assert "held: played" in run(file, "--kernel", "seed").output


def test_two_kernels_that_are_named_are_compared_without_the_text(file: Path) -> None:
    """They agree here, and differ from it."""
    file.write_text(HELD)
    done = run(file, "--kernel", "6.1", "--kernel", "6.12")
    assert (done.exit_code, "2006" in done.output, "1 scenario: 1 same" in done.output) == (0, False, True)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_lines_are_as_wide_as_the_terminal(file: Path, columns: int) -> None:
    """Cells go on below, none is cut."""
    file.write_text(HELD)
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["run", str(file), "--kernel", "6.12"])
    assert max(map(len, done.output.splitlines())) <= min(columns, 140)
    assert done.output.count("unwritten") == 3 + 3


def test_scenarios_are_chosen_by_name(file: Path) -> None:
    """All of them if none is named."""
    file.write_text(HELD + SAME)
    assert "2 scenarios: 1 different, 1 same" in run(file, "--kernel", "6.12").output
    chosen = run(file, "same", "--kernel", "6.12")
    assert (chosen.exit_code, "held" in chosen.output) == (0, False)
    wrong = run(file, "sane")
    assert (wrong.exit_code, wrong.stderr) == (2, f"Error: {file}: no scenario 'sane'; there are held, same\n")


# -- exit status


@pytest.mark.parametrize(
    ("source", "status", "last"),
    [
        (SAME, 0, "1 scenario: 1 same"),
        (HELD, 1, "1 scenario: 1 different"),
        ("def one(world):\n    world.spawn('a').mmap(0)\n", 2, "1 scenario: 1 could not run"),
        (HELD + "def wrong(world):\n    0 / 0\n", 1, "2 scenarios: 1 different, 1 could not run"),
    ],
)
def test_exit_status_tells_the_same_from_different_from_could_not_run(
    file: Path, source: str, status: int, last: str
) -> None:
    """A difference that was found outweighs what could not run."""
    file.write_text(source)
    done = run(file, "--kernel", "6.12")
    assert (done.exit_code, done.output.splitlines()[-1]) == (status, last)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def one(world:\n    pass\n", ":1: SyntaxError: '(' was never closed"),
        ("import nothing_of_that_name\n", ":1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("\n\nraise SystemExit(3)\n", ":3: SystemExit: 3"),
        ("def _one(world): pass\ndef two(): pass\ndef three(a, b): pass\n", ": no scenario in it; a scenario is a"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_one_line_with_its_place(file: Path, source: str, message: str) -> None:
    """Not as a traceback of the kit."""
    file.write_text(source)
    done = run(file)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: {file}{message}")
    assert len(done.stderr.splitlines()) == 1


def test_a_mistake_in_a_scenario_is_told_with_its_innermost_line_of_the_file(file: Path) -> None:
    """Once, though both kernels came to it; calls before it are shown."""
    file.write_text("def _part(shell):\n    shell.mmap(0)\n\ndef one(world):\n    _part(world.spawn('a'))\n")
    done = run(file, "--kernel", "6.12")
    mistake = f"The file has a mistake: {file}:2, in _part: ValueError: pages=0: 1 to 2**26 pages are allowed"
    assert " ".join(done.output.split()).count(mistake) == 1
    assert "a = spawn('a')" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kernel", "5.19"), "'5.19' is not modelled; there are seed"),
        (("--kernel", "seed", "--kernel", "6.1", "--kernel", "6.12"), "two kernels are compared, no more"),
        (("--live", "--kernel", "seed", "--kernel", "6.1"), "two kernels are compared, no more"),
        (("--live", "--guest", "."), "one real kernel at a time"),
        (("--live", "--machine", "ring4"), "its own machine is modelled"),
        (("--guest", "."), "`make oracle` makes images"),
        (("--guest", "/nowhere"), "does not exist"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(file: Path, arguments: tuple[str, ...], message: str) -> None:
    """With the sentence that says what does."""
    file.write_text(SAME)
    done = run(file, *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


def test_a_file_that_is_not_there_has_status_2() -> None:
    """As any wrong argument."""
    assert run("/nowhere/mine.py").exit_code == 2


def test_the_help_says_that_the_file_is_run_and_what_the_statuses_mean() -> None:
    """With the rights of who runs it."""
    output = " ".join(run("--help").output.split())
    assert "it is run as it is, with your rights" in output
    for status in ("0 every call was answered the same", "1 some scenario differs", "2 none differs, but something"):
        assert status in output


# -- plays


def test_calls_of_two_processes_name_the_memory_of_each(file: Path) -> None:
    """Those of two may lie at the same address; a child has its parent's; a pid has the name of its process."""
    file.write_text(
        "def two(world):\n"
        "    one, other = world.spawn('shell'), world.spawn('shell')\n"
        "    mine, theirs = one.mmap(2), other.mmap(2)\n"
        "    assert mine.start == theirs.start\n"
        "    one.write(mine[1]), other.write(theirs[0] + 5)\n"
        "    child = one.fork('child')\n"
        "    child.move_pages(one.pid, [mine[0], mine.end, mine[1]])\n"
        "    other.mbind(theirs, 2, {0}, 3)\n"
        "    other.mprotect(theirs[0], 1)\n"
    )
    texts = [call.text for call in played(file, "6.12").calls]
    assert texts[2:] == [
        "area1 = shell.mmap(2)",
        "area2 = shell 2.mmap(2)",
        "shell.write(area1[1])",
        "shell 2.write(area2[0] + 5)",
        "child = shell.fork('child')",
        "child.move_pages(shell.pid, [area1[0], area1.end, area1[1]])",
        "shell 2.mbind(area2, MPOL_BIND, {0}, MPOL_MF_STRICT | MPOL_MF_MOVE)",
        "shell 2.mprotect(area2[0], PROT_READ)",
    ]


def test_contents_are_told_by_when_they_were_seen(file: Path) -> None:
    """Not by the number that a world gives them."""
    file.write_text(
        "def contents(world):\n"
        "    shell = world.spawn('shell')\n"
        "    for _ in range(3):\n"
        "        shell.write(shell.mmap(1))\n"
        "    area = shell.mmap(3)\n"
        "    shell.write(area[0:2])\n"
        "    shell.read(area)\n"
        "    shell.read(area[1])\n"
    )
    assert [call.answer for call in played(file, "seed").calls[-2:]] == ["[data1, data2, zeroes]", "data2"]


def test_a_scenario_ends_where_the_kernel_hits_a_bug(file: Path) -> None:
    """The other kernel goes on; that is a difference, and no mistake of the file."""
    file.write_text(
        "def bug(world):\n"
        "    shell = world.spawn('shell')\n"
        "    area = shell.mmap(1)\n"
        "    shell.move_pages(0, area, [-1])\n"
        "    shell.write(area)\n"
    )
    done = run(file, "--kernel", "2.6.18")
    assert done.exit_code == 1
    output = " ".join(done.output.split())
    assert "model of Linux 2.6.18, line 5: the kernel hit a BUG: node_online(-1) reads outside the node mask" in output
    assert "model of Linux 2.6.18 answers no answer (a BUG), status [unwritten]" in output


def test_other_calls_of_one_kernel_are_a_difference(file: Path) -> None:
    """A scenario may go on by what it was answered."""
    file.write_text(
        "def branches(world):\n"
        "    shell = world.spawn('shell')\n"
        "    area = shell.mmap(1)\n"
        "    shell.write(area)\n"
        "    if shell.move_pages(0, area, []) if False else world.kernel.name == 'seed':\n"
        "        shell.munmap(area)\n"
    )
    done = run(file, "--kernel", "6.12")
    assert done.exit_code == 1
    assert "First difference, line 6: from here on other calls are made." in done.output


def test_what_a_real_kernel_cannot_be_asked_is_no_mistake(file: Path) -> None:
    """Frames and pins of devices are the model's; in a live world the play ends there with a sentence."""
    file.write_text("def pins(world):\n    shell = world.spawn('shell')\n    shell.direct_io(shell.mmap(1))\n")
    try:
        with World() as world:
            live = play(open_scenarios(file), "pins", world, "Linux", world.kernel)
    except CannotTry as why:
        pytest.skip(str(why))
    assert (live.end, live.why) == ("cannot", "A real kernel cannot be asked for direct_io: only a model has that.")
    assert compare([played(file, "seed"), live]).verdict == "could not run"


def test_live_play_is_compared_with_the_nearest_model(file: Path) -> None:
    """The same calls with the same words, or a sentence where there is no world to be had."""
    file.write_text(SAME)
    done = run(file, "--live")
    assert model_of_the_running_kernel() in KERNELS
    if "1 could not run" in done.output:
        assert done.exit_code == 2
    else:
        assert (done.exit_code, "shell.write(area1)" in done.output) == (0, True)


# -- guests


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder that looks like an image."""
    folder = tmp_path / "image"
    folder.mkdir()
    for name in (KERNEL, FILES):
        (folder / name).write_bytes(b"")
    describe_image(GuestImage(folder, "6.12.90-fake", "6.12"))
    return folder


def test_a_guest_gets_the_file_and_its_answers_are_compared(
    file: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that answers as 6.12 does is the same as its model, which is the one that is taken; one that answers as
    the text differs.
    """

    def guest_of(kernel: str) -> None:
        def boot(image: GuestImage, program: Mapping[str, bytes], seconds: float) -> list[str]:
            copy = file.with_name("copy.py")
            copy.write_bytes(program[f"{FOLDER}/{file.name}"])
            opened = open_scenarios(copy)
            machine = Machine(guest_topology(), kernel, 64)
            return ["something that the file printed", to_line(play(opened, "held", machine, "guest", image.release))]

        monkeypatch.setattr(numakit.scenario.guest, "boot", boot)

    file.write_text(HELD)
    guest_of("6.12")
    assert (run(file, "--guest", image).exit_code, run(file, "--guest", image, "--kernel", "seed").exit_code) == (0, 1)
    guest_of("seed")
    done = run(file, "--guest", image)
    assert done.exit_code == 1
    assert "guest: move_pages() returned 0." in done.output, "explained from the number alone"


def test_a_guest_that_does_not_answer_could_not_run(file: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is told apart from a difference, with what is in the way; so is a scenario that the guest never told of."""
    file.write_text(HELD)

    def fails(image: GuestImage, program: Mapping[str, bytes], seconds: float) -> list[str]:
        raise CouldNotRun("qemu-system-x86_64 is not installed")

    monkeypatch.setattr(numakit.scenario.guest, "boot", fails)
    done = run(file, "--guest", image)
    assert (done.exit_code, "qemu-system-x86_64 is not installed" in done.output) == (2, True)
    monkeypatch.setattr(numakit.scenario.guest, "boot", lambda image, program, seconds: [])
    done = run(file, "--guest", image)
    assert (done.exit_code, "the guest did not tell of it" in done.output) == (2, True)


def test_program_of_a_guest_runs_with_the_standard_library_and_what_is_packed(
    file: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the guest: nothing else is on its path."""

    def boot(image: GuestImage, program: Mapping[str, bytes], seconds: float) -> list[str]:
        for path, data in program.items():
            place = tmp_path / "program" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data.replace(b"'/program/", f"'{tmp_path}/program/".encode()))
        start = tmp_path / "program" / "main.py"
        code = f"import sys, runpy; sys.path.insert(0, {str(start.parent)!r}); runpy.run_path({str(start)!r})"
        done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
        if "CannotTry" in done.stderr:
            pytest.skip(done.stderr.splitlines()[-1])
        assert done.stderr == ""
        return done.stdout.splitlines()

    monkeypatch.setattr(numakit.scenario.guest, "boot", boot)
    file.write_text(SAME)
    opened = open_scenarios(file)
    (guest,) = play_in_guest(opened, ["same"], GuestImage(image, "6.12.90", "6.12"))
    if guest.end == "cannot":
        pytest.skip(guest.why)
    assert [call.text for call in guest.calls] == [call.text for call in played(file, "6.12").calls]


def test_a_play_is_the_same_when_it_comes_out_of_a_guest(file: Path) -> None:
    """But for what only this Python knows."""
    file.write_text(HELD)
    one = played(file, "seed")
    assert from_line(to_line(one)) == one
    assert from_line("any other line") is None


def test_nothing_of_the_packages_own_tests_is_packed() -> None:
    """The guest's memory is small."""
    assert "numakit/live/world.py" in packed()
    assert [path for path in packed() if "/tests/" in path] == []


# -- the examples


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_can_be_played_on_every_kernel(example: Path) -> None:
    """All go through on two nodes, or up to the BUG of their kernel."""
    opened = open_scenarios(example)
    for kernel in KERNELS:
        plays = play_on_model(opened, opened.chosen([]), kernel, Topology.preset("two-sockets"))
        assert [one.why for one in plays if one.end not in ("through", "bug")] == []
        assert all(one.calls for one in plays)


def test_each_example_shows_a_difference_with_the_command_that_it_names() -> None:
    """Its first lines name it; what is played live differs by machine."""
    for example in EXAMPLES:
        commands = [line.split()[3:] for line in example.read_text().splitlines() if "numakit run" in line]
        assert commands, example
        for words in commands:
            if "--live" not in words:
                assert run(example, *words).exit_code == 1, example


def played(file: Path, kernel: str) -> Play:
    """The only scenario of a file on a model."""
    opened = open_scenarios(file)
    (one,) = play_on_model(opened, opened.chosen([]), kernel, Topology.preset("two-sockets"))
    return one
