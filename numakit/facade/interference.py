"""A notation for who acts beside a call, and when: it can be printed, kept in a notebook, and read back.

One line an actor, then, if the turns were not those of the default schedule, one line with them:

    process(2).write([0x10000000]) when COUNT, page 7, in pass 0
    process(1).pin_for_a_while([0x10001000]) when GET_NEW_PAGE #2 until PASS, in pass 3
    process(2).fork() from step 17
    turns 1*14 2*3 1*20

Reading is no evaluation: a call's name must be one of the model's calls, its arguments must be literals. A call that
was handed a function, such as machine.migrate_pages(), can be shown but not read back.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from numakit.facade.call import BoundCall
from numakit.moments import moment_named
from numakit.syscalls.user_memory import UserArray
from numakit.timeline.task import When

if TYPE_CHECKING:
    from numakit.facade.machine import Machine

LONGEST_SCHEDULE = 1 << 20  #: characters of a text that is read
MOST_TURNS = 1 << 24
SHOWN_TEXT = 80  #: characters of a refused text that its error repeats

_CALL = re.compile(
    r"(?P<owner>machine|(?P<kind>process|pin|file|cpuset)\((?P<number>\d{1,9})\))\.(?P<name>[a-z_]+)(?P<args>\(.*\))"
)
_TIME = r"[A-Z_]{1,30}(?: #\d{1,9})?(?:, page \d{1,12})?(?:, in pass \d{1,9})?"
_TIME_PARTS = re.compile(
    r"(?P<moment>[A-Z_]+)(?: #(?P<nth>\d+))?(?:, page (?P<page>\d+))?(?:, in pass (?P<in_pass>\d+))?"
)
_WHEN = re.compile(rf"(?: when (?P<when>{_TIME}))?(?: until (?P<until>{_TIME}))?(?P<for_ever> for ever)?"
                   r"(?: from step (?P<step>\d{1,9}))?")  # fmt: skip


class Interference(NamedTuple):
    """A call beside the call of a run: its text, when it begins, at which step it joined, until when it holds what it
    holds.
    """

    call: str
    when: When | None = None
    step: int = 0
    until: When | None = None
    for_ever: bool = False

    def __str__(self) -> str:
        parts = [self.call]
        if self.when:
            parts.append(f"when {time_text(self.when)}")
        if self.until:
            parts.append(f"until {time_text(self.until)}")
        if self.for_ever:
            parts.append("for ever")
        if self.step:
            parts.append(f"from step {self.step}")
        return " ".join(parts)

    def find_call(self, machine: Machine) -> tuple[BoundCall[..., Any], list[Any], dict[str, Any]]:
        """The call on a machine, and its arguments, which the call accepts.

        Raises ValueError, with the line, for what is no call, or whose process does not exist.
        """
        try:
            match = _CALL.fullmatch(self.call)
            if not match:
                raise ValueError("this is no call: process(2).write([4096]) is one")
            finders: dict[str, Any] = {
                "process": machine.process,
                "pin": machine.pin,
                "file": machine.file_numbered,
                "cpuset": machine.cpuset_numbered,
            }
            owner = finders[match["kind"]](int(match["number"])) if match["kind"] else machine
            call = getattr(owner, match["name"], None) if not match["name"].startswith("_") else None
            if not isinstance(call, BoundCall):
                raise ValueError(f"{match['owner']} has no call {match['name']}")
            arguments, options = literal_arguments(match["args"])
            call.prepare(*arguments, **options)
        except (ValueError, TypeError) as error:
            raise ValueError(f"schedule, line {shown(str(self))}: {error}") from None
        return call, arguments, options


class Schedule(NamedTuple):
    """Who acts beside the call of a run, and the turns as (task, how many in a row), none for the default order."""

    interferences: tuple[Interference, ...] = ()
    turns: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        lines = [str(interference) for interference in self.interferences]
        if self.turns:
            lines.append("turns " + " ".join(f"{task}*{times}" for task, times in self.turns))
        return "\n".join(lines)


def as_turns(tasks: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Turns in a row put together: ``[1, 1, 2]`` -> ``((1, 2), (2, 1))``."""
    return tuple((task, len(list(group))) for task, group in groupby(tasks))


def time_text(when: When) -> str:
    """A time in the notation."""
    text = when.moment.name
    text += f" #{when.nth}" if when.nth > 1 else ""
    text += f", page {when.page}" if when.page is not None else ""
    return text + (f", in pass {when.in_pass}" if when.in_pass is not None else "")


def parse_schedule(text: str) -> Schedule:
    """The schedule that a text tells. Raises ValueError, with the line, for what is not in the notation."""
    if len(text) > LONGEST_SCHEDULE:
        raise ValueError(f"schedule: {len(text)} characters; at most {LONGEST_SCHEDULE} are read")
    interferences: list[Interference] = []
    turns: tuple[tuple[int, int], ...] = ()
    for number, line in enumerate(text.strip().splitlines(), 1):
        try:
            if line.startswith("turns "):
                turns += parse_turns(line)
            elif line.strip():
                interferences.append(parse_interference(line.strip()))
        except ValueError as error:
            raise ValueError(f"schedule, line {number}: {error}") from None
    return Schedule(tuple(interferences), turns)


def parse_turns(line: str) -> tuple[tuple[int, int], ...]:
    """The turns of a line ``turns 1*14 2*3``."""
    turns = []
    for word in line.split()[1:]:
        match = re.fullmatch(r"(\d{1,5})\*(\d{1,8})", word)
        if not match:
            raise ValueError(f"{shown(word)} is no turn: 2*3 means that task 2 acts three times")
        turns.append((int(match[1]), int(match[2])))
    if sum(times for _, times in turns) > MOST_TURNS or any(task < 1 for task, _ in turns):
        raise ValueError(f"tasks are numbered from 1, and at most {MOST_TURNS} turns are read")
    return tuple(turns)


def parse_interference(line: str) -> Interference:
    """The actor of a line."""
    call, parenthesis, when = line.rpartition(")")
    call_parts, time_parts = _CALL.fullmatch(call + parenthesis), _WHEN.fullmatch(when)
    if not call_parts or not time_parts:
        raise ValueError(f"{shown(line)} is not in the notation: process(2).write([4096]) when COUNT")
    literal_arguments(call_parts["args"])  # looked at early, for its line
    begin, end = (parse_time(time_parts[name]) if time_parts[name] else None for name in ("when", "until"))
    return Interference(call_parts[0], begin, int(time_parts["step"] or 0), end, bool(time_parts["for_ever"]))


def parse_time(text: str) -> When:
    """The time of a text ``COUNT #2, page 7, in pass 0``."""
    match = _TIME_PARTS.fullmatch(text)
    if not match or (match["nth"] and not int(match["nth"])):
        raise ValueError(f"{shown(text)} is no time: COUNT #2, page 7, in pass 0")
    page, in_pass = (int(match[name]) if match[name] else None for name in ("page", "in_pass"))
    return When(moment_named(match["moment"]), int(match["nth"] or 1), page, in_pass)


def literal_arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call's text ``(0x1000, [1, 2], flags=4)``; literals only. Raises ValueError."""
    try:
        call = ast.parse(f"call{text}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError
        return [literal(node) for node in call.args], {str(word.arg): literal(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError(
            f"{shown(text)} is no list of arguments: numbers, texts and lists of them are wanted"
        ) from None


def literal(node: ast.expr) -> Any:
    """A literal, or a user array of literals. Raises ValueError, TypeError or RecursionError for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UserArray":
        address, length, size = (ast.literal_eval(argument) for argument in node.args)
        return UserArray(int(address), int(length), int(size))
    return ast.literal_eval(node)


def shown(text: str) -> str:
    """A text that was refused, as far as an error repeats it."""
    return repr(text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}...")
