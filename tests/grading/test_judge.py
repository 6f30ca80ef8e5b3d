"""The judge: what hostile submissions get, and what they get at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from numakit import Machine, Topology
from numakit.judge.confine import Limits, a_user, best_kind, seconds_worked
from numakit.judge.exercise import Case, Original, case_of
from numakit.judge.exposed import JudgesDoor
from numakit.judge.grader import Judged, judge, judge_class

SECRET = 20061117  #: stands in the hidden test, and nowhere else
LIMITS = Limits(cell_seconds=6, all_seconds=60, memory=400 << 20)
GIVEN = "from numakit import Machine, Topology\nmachine = Machine(Topology.preset('two-sockets'))"
SEEN = "assert free_on(machine, 1) == machine.free_frames(1)"
HIDDEN = f"""
process = machine.spawn("p", node=0)
process.write(process.mmap(pages=5))
for node in (0, 1):
    assert free_on(machine, node) == machine.free_frames(node), "node {{node}} has others"
assert free_on(machine, 0) != {SECRET}
"""
PART = "sum(free_on(machine, node) == machine.free_frames(node) for node in (0, 1, 1, 1)) / 4"
ORIGINALS = [
    Original("world", "given", GIVEN),
    Original("answer", "answer", "def free_on(machine, node):\n    return machine.free_frames(node)"),
    Original("seen", "test", SEEN, 1),
    Original("hidden", "test", HIDDEN, 2),
    Original("part", "test", PART, 1),
]
WALLED = pytest.mark.skipif(best_kind() == "none", reason="needs root or bubblewrap: submissions are trusted here")

STUB = "def free_on(machine, node):\n    raise NotImplementedError"
RIGHT = "def free_on(machine, node):\n    return machine.free_frames(node)"
ENDLESS = """
def free_on(machine, node):
    while node == 0:
        pass
    return machine.free_frames(node)
"""
EXITS = """
import os
def free_on(machine, node):
    if node == 0:
        os._exit(0)
    return machine.free_frames(node)
"""
EXITS_AT_ONCE = "import os\nos._exit(0)"
PRINTS = """
def free_on(machine, node):
    print("x" * (1 << 20))
    return machine.free_frames(node)
"""
PATCHES = """
import builtins, json, numakit.facade.machine, numakit.judge.peer, numakit.judge.values
numakit.facade.machine.Machine.free_frames = lambda self, node: 7
numakit.judge.peer.Peer.do = lambda self, *rest: 7
numakit.judge.values.encode = numakit.judge.peer.encode = lambda value, other: 7
class Equal(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = None
def free_on(machine, node):
    return Equal(7)
"""
ALWAYS_EQUAL = """
class Equal:
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return True
    def __radd__(self, other):
        return 4
    __len__ = __bool__ = __index__ = lambda self: 1
def free_on(machine, node):
    return Equal()
"""
FORGES = """
import json, os
lines = [{"cell": name, "points": 2, "said": "", "trouble": None} for name in ("seen", "hidden", "part")]
for fd in range(3, 20):
    try:
        os.write(fd, b"".join(json.dumps(line).encode() + b"\\n" for line in [*lines, {"done": True}]))
    except OSError:
        pass
def free_on(machine, node):
    return -1
"""
EATS = """
def free_on(machine, node):
    return len(bytearray(4 << 30))
"""
FEEDS_THE_JUDGE = """
def free_on(machine, node):
    if node == 1:
        return machine.free_frames(node)
    cells = [machine.cells(1 << 26, fill=i) for i in range(1 << 20)]
"""
FORKS = """
import os
def free_on(machine, node):
    try:
        os.fork()
    except OSError:
        print("no new processes")
    return machine.free_frames(node)
"""
REACHES = """
ways = [
    lambda machine: machine.free_frames.__globals__,
    lambda machine: machine.free_frames.__self__.__class__,
    lambda machine: machine._allocate,
    lambda machine: machine.put("key", 1),
    lambda machine: machine.arrays,
    lambda machine: machine.begin(machine.migrate_prep),
    lambda machine: machine.record(machine.migrate_prep),
    lambda machine: machine.spawn("q").struct.__class__.__init__.__globals__["os"],
    lambda machine: machine._end[0].ask("get", machine._end[1], "__class__"),
    lambda machine: machine._end[0].ask("call", machine._end[1], "__init__", ("x",), {}),
    lambda machine: machine._end[0].ask("call", machine._end[1], "__reduce_ex__", (2,), {}),
    lambda machine: machine._end[0].ask("get", 10**6, "name"),
    lambda machine: machine._end[0].ask("get", -1, "name"),
]
def free_on(machine, node):
    for number, way in enumerate(ways):
        try:
            print("REACHED", number, way(machine))
        except Exception as error:
            print("refused", number, type(error).__name__)
    return -1
"""
READS = """
import os, re
NEEDLE = str(20061116 + 1).encode()

def memory_of(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            if " rw" in line and end - begin < 1 << 28:
                memory.seek(begin)
                yield memory.read(end - begin)

def content_of(path):
    yield open(path, "rb").read(1 << 20)

def look(what, contents):
    try:
        if any(NEEDLE in content for content in contents):
            print("FOUND in", what)
    except (OSError, OverflowError, ValueError) as error:
        print("refused", what)

def free_on(machine, node):
    above = os.getppid()
    look("memory", memory_of(above))
    for path in COURSE:
        look(path, content_of(path))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) != os.getpid():
            look("a command line", content_of(f"/proc/{pid}/cmdline"))
            look("an environment", content_of(f"/proc/{pid}/environ"))
    print("folder", os.listdir("."))
    try:
        open(GRADEBOOK, "ab").write(b"x")
        print("FOUND to be written")
    except OSError:
        print("refused to be written")
    return -1
"""

SUBMISSIONS = {
    "right": RIGHT, "endless": ENDLESS, "exits": EXITS, "exits at once": EXITS_AT_ONCE, "prints": PRINTS,
    "patches": PATCHES, "always equal": ALWAYS_EQUAL, "forges": FORGES, "eats": EATS, "feeds": FEEDS_THE_JUDGE,
    "forks": FORKS, "reaches": REACHES, "nothing": STUB, "not python": "def free_on(:",
}  # fmt: skip


def case(answer: str) -> Case:
    """The case of a submission with that answer."""
    told = {"nbgrader": {"grade_id": "answer"}}
    return case_of(ORIGINALS, [{"cell_type": "code", "metadata": told, "source": answer}])


def judge_one(answer: str, kind: str | None = None, closed: tuple[str, ...] = ()) -> Judged:
    """Judge one answer."""
    return judge(case(answer), LIMITS, closed, kind)


@pytest.fixture(scope="module")
def found() -> Mapping[str, Judged]:
    """All submissions, judged two at a time."""
    with ThreadPoolExecutor(2) as executor:
        return judge_class({name: case(text) for name, text in SUBMISSIONS.items()}, executor, LIMITS, [])


def points(judged: Judged) -> list[float | None]:
    """What the three tests earned."""
    return [judged.tests[name].points for name in ("seen", "hidden", "part")]


@pytest.mark.parametrize(
    ("name", "earned"),
    [
        pytest.param("right", [1, 2, 1], id="full marks"),
        pytest.param("endless", [1, 0, 0], id="an endless loop costs the tests that meet it"),
        pytest.param("exits", [1, 0, 0], id="so does the end of the process"),
        pytest.param("exits at once", [0, 0, 0], id="without an answer there is nothing"),
        pytest.param("prints", [1, 2, 1], id="much output is no mistake"),
        pytest.param("patches", [0, 0, 0], id="a kit patched in the submission's process decides nothing"),
        pytest.param("always equal", [0, 0, 0], id="an object that equals everything is compared as a value"),
        pytest.param("forges", [0, 0, 0], id="lines like the judge's, written to every pipe, are no marks"),
        pytest.param("eats", [0, 0, 0], id="memory ends for the submission"),
        pytest.param("feeds", [1, 0, 0], id="memory ends for the judge, who goes on"),
        pytest.param("nothing", [0, 0, 0], id="an untouched cell"),
        pytest.param("not python", [0, 0, 0], id="no Python"),
        pytest.param("reaches", [0, 0, 0], id="the judge's inside"),
    ],
)
def test_each_submission_gets_what_it_deserves(
    found: Mapping[str, Judged], name: str, earned: list[float | None]
) -> None:
    """Whatever it does; and that it could be judged is never in doubt."""
    assert points(found[name]) == earned, found[name]
    assert found[name].cannot == ""


def test_feedback_says_what_happened(found: Mapping[str, Judged]) -> None:
    """In words for whoever wrote it."""
    for name, words in {
        "endless": "still running after 6 seconds",
        "exits": "ended its process",
        "eats": "MemoryError",
        "nothing": "NotImplementedError",
        "patches": "not callable",
    }.items():
        assert words in str(found[name].tests["hidden"].trouble), name
    assert "ended its process" in str(found["exits at once"].theirs)
    assert "SyntaxError" in str(found["not python"].theirs)
    assert "line 1" in str(found["not python"].theirs)


def test_a_test_earns_the_part_that_its_last_line_says(found: Mapping[str, Judged]) -> None:
    """As nbgrader has it for partial credit."""
    half = judge_one("def free_on(machine, node):\n    return machine.free_frames(1)")
    assert half.tests["part"].points == 0.75


def test_output_is_cut(found: Mapping[str, Judged]) -> None:
    """A megabyte printed is read, so that nobody waits, and kept in part."""
    said = found["prints"].tests["seen"].said
    assert len(said) < 2 * LIMITS.output
    assert "more bytes were printed" in said


def test_the_model_is_open_and_nothing_behind_it(found: Mapping[str, Judged]) -> None:
    """No way leads from a machine to the judge's modules, files or memory."""
    said = found["reaches"].tests["seen"].said
    assert said.count("refused") == 13
    assert "REACHED" not in said


LIES = """
class Lies:
    asked = 0
    def __len__(self):
        return 3
    def __iter__(self):
        self.asked += 1
        return iter([1, 2, 3] if self.asked > 1 else [])

class LiesWithoutIter:
    def __len__(self):
        return 3
    def __getitem__(self, place):
        raise IndexError

class Squares(LiesWithoutIter):
    def __getitem__(self, place):
        return [0, 1, 4][place]

def items(kind):
    return [Lies, LiesWithoutIter, Squares][kind]()
"""


def test_items_are_counted_and_not_asked_how_many_they_are() -> None:
    """Else a test that counts, and then compares each, would compare none; what tells the truth passes."""
    counts = (
        "found = items({})\nassert len(found) == 3\nfor place, item in enumerate(found):\n    assert item == place**2"
    )
    originals = [Original("answer", "answer", "def items(kind):\n    pass")]
    originals += [Original(f"kind {kind}", "test", counts.format(kind), 1) for kind in range(3)]
    told = {"nbgrader": {"grade_id": "answer"}}
    found = judge(case_of(originals, [{"cell_type": "code", "metadata": told, "source": LIES}]), LIMITS, ())
    assert [finding.points for finding in found.tests.values()] == [0, 0, 1]


@WALLED
def test_modules_that_a_cell_imports_are_there() -> None:
    """Also where Python lies in a home that the submission's user cannot look into."""
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    imports = "import email.parser, subprocess, zoneinfo\nimport matplotlib.pyplot as plt, pandas\n"
    draws = "figure, axes = plt.subplots()\nassert pandas.DataFrame({'a': [1]}).a.sum() == 1\n"
    found = judge_one(imports + draws + RIGHT)
    assert found.theirs[1].trouble is None
    assert points(found) == [1, 2, 1]


TALKS = """
def free_on(machine, node):
    raise ValueError("}" * (7 << 20) if node == 0 else "half a character: \\ud800")
"""


def test_error_that_says_too_much_is_cut() -> None:
    """Nor does it say what no file can hold; the mark is a zero, and not a riddle for the lecturer."""
    found = judge_one(TALKS)
    assert points(found) == [0, 0, 0]
    assert found.cannot == ""
    assert len(str(found)) < 20 * LIMITS.output
    str(found).encode()


@WALLED
def test_no_new_processes(found: Mapping[str, Judged]) -> None:
    """So nothing outlives the judge."""
    assert "no new processes" in found["forks"].tests["seen"].said


@pytest.fixture(scope="module")
def course() -> Iterator[Path]:
    """A course's folder that its owner alone may read."""
    folder = Path(f"/var/tmp/numakit-course-{os.getpid()}")
    folder.mkdir(mode=0o700)
    (folder / "tour.ipynb").write_text(f"hidden {SECRET}")
    (folder / "gradebook.db").write_text(f"marks {SECRET}")
    yield folder
    shutil.rmtree(folder)


def reading(course: Path) -> str:
    """The submission that looks everywhere."""
    paths = [str(course / "gradebook.db"), str(course / "tour.ipynb")]
    return READS.replace("COURSE", repr(paths)).replace("GRADEBOOK", repr(paths[0]))


@pytest.mark.parametrize("kind", ["another user", "namespace"])
def test_hidden_tests_and_gradebook_cannot_be_read_or_written(course: Path, kind: str) -> None:
    """Neither in the judge's memory, nor in the notebook, nor in the course's folder."""
    if kind == "another user" and os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    if kind == "namespace" and not namespace():
        pytest.skip("needs bubblewrap, and a kernel that lets it make namespaces")
    judged = judge_one(reading(course), kind, (str(course), str(course / "gradebook.db")))
    said = judged.tests["seen"].said
    assert "folder []" in said
    assert ("refused memory" in said) == (kind == "another user")  # in a namespace the process above is bubblewrap
    assert "refused to be written" in said
    assert "FOUND" not in said
    assert (course / "gradebook.db").read_text() == f"marks {SECRET}"


def namespace() -> bool:
    """Whether bubblewrap works here."""
    from numakit.judge.confine import namespaces_work

    return namespaces_work()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whom no kernel keeps from other processes' memory")
def test_without_walls_all_that_could_be_read(course: Path) -> None:
    """The test above would see it."""
    said = judge_one(reading(course), "none").tests["seen"].said
    for what in ("memory", str(course / "gradebook.db"), str(course / "tour.ipynb")):
        assert f"FOUND in {what}" in said


@WALLED
def test_a_course_that_others_can_read_is_no_course_to_grade_in() -> None:
    """The lecturer is told, before a submission is run; that is no zero."""
    if best_kind() != "another user":
        pytest.skip("needs root: in a namespace the folder is not there at all")
    folder = Path(f"/var/tmp/numakit-open-{os.getpid()}")
    folder.mkdir(mode=0o755)
    try:
        judged = judge_one(RIGHT, None, (str(folder),))
    finally:
        folder.rmdir()
    assert points(judged) == [None, None, None]
    assert judged.score is None
    assert "chmod o-rwx" in judged.cannot


def test_who_sleeps_is_ended_too() -> None:
    """Seconds count that a processor works; asleep there are three times as many, and not for ever."""
    sleeps = "import time\n\ndef free_on(machine, node):\n    time.sleep(1000)"
    judged = judge(case(sleeps), LIMITS._replace(cell_seconds=1), ())
    assert points(judged) == [0, 0, 0]
    assert "still running after 1 seconds" in str(judged.tests["seen"].trouble)
    assert judged.cannot == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give users away")
def test_two_submissions_never_run_as_the_same_user() -> None:
    """Whoever grades them: else one could read the other's memory, and the end of one would end both."""
    with a_user() as first, a_user() as second:
        assert first != second
    with a_user() as again:
        assert again == first


def test_only_a_function_of_the_kernel_sees_the_inside_of_a_machine() -> None:
    """It writes as the kernel does; who else acts is hidden from it, too."""
    machine = Machine(Topology.preset("two-sockets"))
    inside = JudgesDoor(serves=True)
    assert inside.get(machine, "set") == machine.set
    assert inside.get(machine, "table").get("no such key") is None
    for door, name in ((JudgesDoor(), "set"), (JudgesDoor(), "table"), (inside, "run"), (inside, "_set_plain")):
        with pytest.raises(AttributeError, match="not open to submissions"):
            door.get(machine, name)


def test_functions_that_serve_in_the_kernel_are_those_that_the_solution_registers() -> None:
    """What a submission registers beside them serves in its own process alone."""
    theirs = Original("answer", "answer", '@serves("count_test")\ndef mine(m, page, expected):\n    return 0')
    assert case_of([theirs], []).roles == {"mine": "count_test"}
    assert case_of(ORIGINALS, []).roles == {}


def test_a_judge_that_ends_early_leaves_no_marks_and_no_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had found stands; the rest could not be run."""
    from numakit.judge import grader

    for rest in ('{"cell": "hid', '{"cell": "hidden", "points": 0, "said": "}'):
        told = '{"cell": "seen", "points": 1, "said": "", "trouble": null}\n' + rest
        judged = grader.judged(case(RIGHT), told, "killed")
        assert points(judged) == [1, None, None]
        assert judged.score is None
        assert "killed" in judged.cannot


NAMELESS = """
import sys, time
open("/proc/self/comm", "wb").write(b"\\xff")
while time.process_time() < 0.3:
    pass
print("worked", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux' own")
def test_name_that_is_no_text_hides_no_seconds() -> None:
    """A process chooses its name; what it has worked is beside it in the same line of /proc."""
    command = [sys.executable, "-c", NAMELESS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"worked\n"
        assert seconds_worked(process.pid) >= 0.2
        process.communicate()
