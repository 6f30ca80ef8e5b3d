"""The judge's process: `python -m numakit.judge.trial`. It reads one case, and writes what it finds, a line each.

The lecturer's cells run here; the submission's in a process of their own. That one may end, hang or be killed: it is
started again for the next test, and what happened is told where it happened. Marks leave by this process' own pipe to
the grader, which no submission has ever had.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import linecache
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import IO, Any, NamedTuple

from numakit.judge.confine import SLEEPING, Limits, Walls, environment, seconds_worked
from numakit.judge.exercise import Case
from numakit.judge.exposed import EXERCISE, JudgesDoor
from numakit.judge.peer import Gone, Peer
from numakit.judge.student import LARGE
from numakit.kernels.functions import serves

LOOKS = 0.5  #: seconds between two looks at what a cell has taken
JUDGES_MEMORY = 2  #: as many times a submission's
MOST_ENDINGS = 3  #: cells that end their process; those after them are not run any more


class OutOfTime(BaseException):
    """A cell has had its time. No `Exception`, so that nothing on the way takes it for an error of its own."""


class CannotJudge(Exception):
    """Nothing can be said of the submission; the message says why."""


class Trouble(NamedTuple):
    """Why a cell failed, for its reader: an error's class, what it says, and the lines that it came through."""

    kind: str
    what: str
    lines: str = ""


class Printed:
    """What a submission's process prints: so much is kept, the rest is read and dropped, so that it never waits."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._pipe, self._most, self._kept, self._dropped = stream.fileno(), most, b"", 0
        self._stream, self._lock = stream, threading.Lock()
        os.set_blocking(self._pipe, False)
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        open_ = True
        while open_:
            select.select([self._pipe], [], [])
            open_ = self._keep_what_is_there()

    def _keep_what_is_there(self) -> bool:
        """Empty the pipe; False at its end. Reader and asker share a lock, so that nothing is between the two."""
        with self._lock:
            try:
                while chunk := os.read(self._pipe, 1 << 16):
                    room = max(0, self._most - len(self._kept))
                    self._kept += chunk[:room]
                    self._dropped += len(chunk[room:])
            except BlockingIOError:
                return True
            return False

    def take(self) -> str:
        """What was printed since the last time, and how much of it is missing."""
        self._keep_what_is_there()
        with self._lock:
            text, dropped = self._kept.decode(errors="replace"), self._dropped
            self._kept, self._dropped = b"", 0
        return f"{text}\n[{dropped} more bytes were printed]" if dropped else text


class Submission:
    """A submission's process: started, asked, ended."""

    def __init__(self, walls: Walls, limits: Limits, closed: list[str], named: list[str], door: JudgesDoor) -> None:
        self.folder = tempfile.mkdtemp(prefix="submission-")
        if walls.uid is not None:
            os.chown(self.folder, walls.uid, walls.uid)
        self.process = subprocess.Popen(
            [*walls.command, sys.executable, "-u", "-m", "numakit.judge.student"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environment(self.folder),
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.printed = Printed(self.process.stderr, limits.output)
        self.peer = Peer(self.process.stdout, self.process.stdin, door)  # type: ignore[arg-type]
        self.alive = True
        terms = (walls.uid, limits.memory, limits.file_size, int(limits.all_seconds), closed, named)
        try:
            opened = self.ask("begin", *terms)
        except Gone:
            ended, said = self.end(), (self.printed.take().splitlines() or [""])[-1]
            raise CannotJudge(f"its process does not start: {ended} ({said})") from None
        if opened and walls.kind != "none":
            self.end()
            raise CannotJudge(f"submissions could read {opened[0]}: close it to other users (chmod o-rwx)")

    def ask(self, name: str, *arguments: Any) -> Any:
        """Ask its workshop for something."""
        return self.peer.ask("call", 0, name, arguments, {})

    def seconds_worked(self) -> float:
        """Seconds that processors worked for it, here and there."""
        return time.process_time() + seconds_worked(self.process.pid)

    def end(self) -> str:
        """End it, if it has not ended itself; what became of it, in words."""
        self.alive = False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
        ended_itself = self.process.poll()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        if ended_itself is None:
            return "it closed its pipe"
        if ended_itself < 0:
            return f"it was ended by {signal.Signals(-ended_itself).name}"
        return f"it ended with exit status {ended_itself}"


class Trial:
    """One case: the lecturer's names here, the submission beside it."""

    def __init__(self, case: Case, walls: Walls, limits: Limits, closed: list[str], tell: Callable[..., None]) -> None:
        self.case, self.walls, self.limits, self.closed, self.tell = case, walls, limits, closed, tell
        self.named = [word for word in LARGE if any(word in source for _, source in case.theirs)]
        self.left = limits.all_seconds
        self.names: dict[str, Any] = {"__name__": EXERCISE}
        self.fatal: dict[int, Trouble] = {}  #: cells of the submission that ended their process, or took too long
        self.told: set[int] = set()
        self.submission: Submission | None = None

    def hold(self) -> None:
        """Run all, and tell of each cell. Raises CannotJudge."""
        try:
            self.ready()
            for kind, name, source, points in self.case.ours:
                earned, said, trouble = self.lecturers_cell(source, name, points)
                if kind == "test":
                    self.tell(cell=name, points=earned, said=said, trouble=trouble)
        finally:
            if self.submission is not None:
                self.submission.end()

    # -- the submission's cells

    def ready(self) -> Submission:
        """The submission's process, with its cells run; started again if it has ended."""
        while self.submission is None or not self.submission.alive:
            door = JudgesDoor(serves=bool(self.case.roles))
            self.submission = Submission(self.walls, self.limits, self.closed, self.named, door)
            for place in range(len(self.case.theirs)):
                if place not in self.fatal and len(self.fatal) <= MOST_ENDINGS:
                    self.students_cell(self.submission, place)
                if not self.submission.alive:
                    break
        return self.submission

    def students_cell(self, submission: Submission, place: int) -> None:
        """Run a cell of the submission, and tell of it the first time."""
        name, source = self.case.theirs[place]
        trouble: Trouble | None = None
        try:
            with self.watch(submission):
                submission.ask("run", source, name)
        except Exception as error:
            trouble = Trouble(type(error).__name__, str(error), "\n".join(getattr(error, "__notes__", ())))
        except (Gone, OutOfTime) as ending:
            self.fatal[place] = trouble = self.ending(ending)
        if place not in self.told:
            self.told.add(place)
            self.tell(theirs=place, said=submission.printed.take(), trouble=trouble)

    def ending(self, ending: BaseException) -> Trouble:
        """End the process, which may be in the middle of anything; what to tell."""
        assert self.submission is not None
        what = self.submission.end()
        if isinstance(ending, OutOfTime):
            return Trouble("Timeout", f"still running after {self.limits.cell_seconds:g} seconds, and ended")
        return Trouble("ProcessEnded", f"the code ended its process, from which no answer can come any more: {what}")

    # -- the lecturer's cells

    def lecturers_cell(self, source: str, name: str, points: float) -> tuple[float, str, Trouble | None]:
        """Run a given cell or a test: what it earns, what was printed, and why it failed."""
        if self.left <= 0:
            return 0, "", Trouble("Timeout", f"all {self.limits.all_seconds:g} seconds of this submission are used up")
        submission = self.ready()
        printed = io.StringIO()
        trouble: Trouble | None = None
        value: object = None
        try:
            with self.watch(submission), contextlib.redirect_stdout(printed):
                self.bring_answers(submission)
                value = run_cell(source, f"<test {name}>", self.names)
        except Exception as error:
            trouble = self.explained(error, name)
        except (Gone, OutOfTime, SystemExit) as ending:
            trouble = self.ending(ending)
        said = (printed.getvalue()[: self.limits.output] + submission.printed.take()).strip()
        if trouble is not None:
            return 0, said, trouble
        partial = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= points
        return float(value) if partial else points, said, None  # type: ignore[arg-type]

    def bring_answers(self, submission: Submission) -> None:
        """Under the names of the answers stands what the submission has there now; nothing where it has nothing."""
        for name in self.case.answers:
            self.names.pop(name, None)
            if submission.ask("has", name):
                self.names[name] = submission.ask("value", name)
                if name in self.case.roles:
                    served_by(name, self.case.roles[name], self.names[name])

    def explained(self, error: Exception, name: str) -> Trouble:
        """What a reader is told: the test's line, and the lines of the submission."""
        lines = [line for line in traceback.extract_tb(error.__traceback__) if line.filename == f"<test {name}>"]
        told = [f"test {name}, line {line.lineno}: {line.line}" for line in lines[-1:]]
        return Trouble(type(error).__name__, str(error), "\n".join([*told, *getattr(error, "__notes__", ())]))

    @contextlib.contextmanager
    def watch(self, submission: Submission) -> Iterator[None]:
        """Raise OutOfTime in the body if the two processes have worked, or only waited, too long for a cell."""
        allowed = min(self.limits.cell_seconds, self.left)
        begun, before = time.monotonic(), submission.seconds_worked()

        def spent() -> float:
            worked = submission.seconds_worked() - before
            return max(worked, (time.monotonic() - begun) / SLEEPING)

        def look(number: int, frame: FrameType | None) -> None:
            if spent() > allowed:
                raise OutOfTime

        if not hasattr(signal, "setitimer"):  # Windows: the grader's patience is the only one
            yield
            return
        earlier = signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, LOOKS, LOOKS)  # again and again: one might come where it is lost
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, earlier)
            self.left -= spent()


def served_by(name: str, role: str, function: Callable[..., Any]) -> None:
    """Let a function of the submission serve in the judge's kernel: under its name, which a kernel's data can tell."""

    def function_of_the_submission(m: Any, *arguments: Any) -> Any:
        return function(m, *arguments)

    function_of_the_submission.__name__ = name
    serves(role)(function_of_the_submission)


def run_cell(source: str, filename: str, names: dict[str, Any]) -> object:
    """Run a cell; the value of its last line, if that is an expression, as nbgrader has it for partial credit."""
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    tree = ast.parse(source, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, filename, "exec"), names)
    return eval(compile(ast.Expression(last.value), filename, "eval"), names) if isinstance(last, ast.Expr) else None


def limit_memory(most: int) -> None:
    """The judge, too, can be driven to take too much."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def shortened(part: Any, most: int) -> Any:
    """A part of a finding, its texts cut and such as a file can hold: a submission chooses what its errors say."""
    if isinstance(part, str):
        return part[:most].encode(errors="replace").decode()
    return [shortened(text, most) for text in part] if isinstance(part, tuple) else part


def main() -> None:
    """Read a case from standard input, write findings to standard output."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.loads(sys.stdin.buffer.read())
    limits = Limits(*task["limits"])

    def tell(**finding: Any) -> None:
        told = {name: shortened(part, 3 * limits.output) for name, part in finding.items()}
        out.write(json.dumps(told) + "\n")
        out.flush()

    limit_memory(JUDGES_MEMORY * limits.memory)
    kind, command, uid = task["walls"]
    try:
        trial = Trial(Case(*task["case"]), Walls(kind, tuple(command), uid), limits, task["closed"], tell)
        trial.hold()
    except CannotJudge as error:
        tell(cannot=str(error))
    else:
        tell(done=True)


if __name__ == "__main__":
    main()
