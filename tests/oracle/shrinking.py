"""A program that two worlds answer otherwise made small: steps are taken away as long as they still disagree, then
arguments.

To ask a guest takes a boot, and a boot takes many programs: so the candidates of a round are asked together, for all
mismatches at once. The model costs nothing: it is asked first which steps have a part in its own answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from tests.oracle.programs import LEFT_OUT, Program, Step

MOST_ROUNDS = 20


class Mismatch(NamedTuple):
    """A program whose last step is the first that two worlds, ``one`` and ``other``, answer otherwise."""

    program: Program
    one: Any
    other: Any

    @property
    def size(self) -> tuple[int, int]:
        """Fewer steps are better than light ones."""
        return len(self.program), _weight(self.program)


Found: TypeAlias = Sequence[Mismatch | None]
#: For each program its mismatch, or None where the worlds agree.
Compare: TypeAlias = Callable[[Sequence[Program]], Found]
#: What the world that costs nothing answers to the steps of a program.
Answers: TypeAlias = Callable[[Program], Sequence[Any]]
#: Gives programs to compare, gets what was found, and ends with the smallest mismatch.
Shrinking: TypeAlias = Generator[list[Program], Found, Mismatch]


def _weight(part: Any) -> int:
    """Large numbers weigh more than small ones, and more at the end of a list: one page less is less."""
    if isinstance(part, list):
        return sum(place * _weight(one) for place, one in enumerate(part, 1))
    return min(abs(part), 100) + 1 if isinstance(part, int) else 1


def first_difference(program: Program, one: Sequence[Any], other: Sequence[Any]) -> Mismatch | None:
    """The program up to the first step with two answers, without the steps that were left out; None if there is none.

    A world that came to grief has fewer answers, the last of which says why.
    """
    for at in range(len(program)):
        pair = (one[min(at, len(one) - 1)], other[min(at, len(other) - 1)])
        if pair[0] != pair[1]:
            played = [step for step, answer in zip(program[:at], one, strict=False) if answer != LEFT_OUT]
            return Mismatch([*played, program[at]], *pair)
    return None


def shrink(found: Sequence[Mismatch], compare: Compare, model: Answers) -> list[Mismatch]:
    """Smaller mismatches, each of the same call as the one that it was made from. ``model``: the world ``one``."""
    shrunk = list(found)
    under_way = {number: _shrinking(mismatch, model) for number, mismatch in enumerate(found)}
    wanted = {number: next(shrinking) for number, shrinking in under_way.items()}
    for _ in range(MOST_ROUNDS):
        if not wanted:
            break
        answers = iter(compare([program for programs in wanted.values() for program in programs]))
        for number, programs in list(wanted.items()):
            told = [next(answers) for _ in programs]
            kept = [one if one and one.program[-1][0] == shrunk[number].program[-1][0] else None for one in told]
            shrunk[number] = min([shrunk[number], *filter(None, kept)], key=lambda one: one.size)
            try:
                wanted[number] = under_way[number].send(kept)
            except StopIteration:
                del wanted[number]
    return shrunk


def _shrinking(best: Mismatch, model: Answers) -> Shrinking:
    """First what has no part in the model's answer goes, then steps in ever smaller groups (delta debugging), then
    parts of arguments, for which steps may have been needed.
    """
    found = yield [_that_matter(program, model) for program in (best.program, *_of_one_page(best))]
    best = min([best, *filter(None, found)], key=lambda one: one.size)
    before = None
    while before != best.program:
        before = best.program
        for candidates in (_without_steps, _with_less):
            best = yield from _as_long_as_that_helps(best, candidates)
    return best


def _that_matter(program: Program, model: Answers) -> Program:
    """The program without the steps of which the model's answer to the last one does not depend."""
    answer = model(program)[-1]
    for at in reversed(range(len(program) - 1)):
        fewer = program[:at] + program[at + 1 :]
        if model(fewer)[-1] == answer:
            program = fewer
    return program


def _of_one_page(mismatch: Mismatch) -> list[Program]:
    """A query with two answers for some of its pages, asked for the first and for the last of these alone."""
    *steps, last = mismatch.program
    if last[0] != "move_pages" or last[5] is not None or not all(isinstance(a, list) for a in mismatch[1:]):
        return []
    pairs = zip(last[4], mismatch.one[1], mismatch.other[1], strict=True)
    pages = [page for page, one, other in pairs if one != other]
    return [
        [*steps, [*last[:4], [page], *last[5:]]]
        for page in {str(page): page for page in pages[:1] + pages[-1:]}.values()
    ]


def _as_long_as_that_helps(best: Mismatch, candidates: Callable[[Program, int], list[Program]]) -> Shrinking:
    """Try all candidates, those that still disagree then taken together; where none does, finer ones."""
    parts = 4
    while tried := candidates(best.program, parts):
        found = yield tried
        smaller = [one for one in found if one and one.size < best.size]
        if smaller:
            both = _steps_of_all([one.program for one in smaller])
            again = yield [both, *(_steps_of_all([one.program for one in half]) for half in _halves(smaller))]
            best = min([*smaller, *(one for one in again if one)], key=lambda one: one.size)
        elif parts >= len(best.program):
            break
        else:
            parts *= 2
    return best


def _without_steps(program: Program, parts: int) -> list[Program]:
    """The program without each of so many groups of neighbouring steps; the last step stays."""
    steps, last = program[:-1], program[-1:]
    size = max(1, -(-len(steps) // parts))
    return [steps[:at] + steps[at + size :] + last for at in range(0, len(steps), size)]


def _with_less(program: Program, _: int) -> list[Program]:
    """The program with one argument of one step made smaller."""
    return [[*program[:at], less, *program[at + 1 :]] for at in range(len(program)) for less in _less(program[at])]


def _less(step: Step) -> Iterator[Step]:
    call, who, name, *arguments = step
    if call == "move_pages":
        target, pages, nodes, flags = arguments
        for size in {len(pages) // 2, 1} - {0, len(pages)}:
            for at in range(0, len(pages), size):
                kept = [slice(None, at), slice(at + size, None)]
                fewer = [one for part in kept for one in pages[part]]
                towards = nodes and [one for part in kept for one in nodes[part]]
                if fewer:
                    yield [call, who, name, target, fewer, towards, flags]
    for place, argument in enumerate(arguments):
        if call != "move_pages" and isinstance(argument, list) and len(argument) > 1:
            yield from _shorter(step, place + 3, argument)
        elif call == "mmap" and place == 0 and argument > 1:
            yield [*step[:3], argument - 1, *step[4:]]


def _shorter(step: Step, place: int, argument: list[Any]) -> Iterator[Step]:
    """A set of nodes without one of them, or pages without the first or the last."""
    if isinstance(argument[0], str):
        area, first, *number = argument
        if number and number[0] > 1:
            for pages in ([area, first, number[0] - 1], [area, first + 1, number[0] - 1]):
                yield [*step[:place], pages, *step[place + 1 :]]
        return
    for at in range(len(argument)):
        yield [*step[:place], argument[:at] + argument[at + 1 :], *step[place + 1 :]]


def _steps_of_all(programs: list[Program]) -> Program:
    """The steps that all of these programs have; the last step is that of the first."""
    in_all = [step for step in programs[0][:-1] if all(step in other for other in programs[1:])]
    return [*in_all, programs[0][-1]]


def _halves(found: list[Mismatch]) -> list[list[Mismatch]]:
    middle = len(found) // 2
    return [half for half in (found[:middle], found[middle:]) if half]
