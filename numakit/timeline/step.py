"""Steps: what happened from one moment to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from numakit.abi import PAGE_SHIFT
from numakit.moments import Moment
from numakit.tables import html_table
from numakit.timeline.state import Change

if TYPE_CHECKING:
    from numakit.timeline.run import Run
    from numakit.timeline.task import Task


@dataclass(frozen=True)
class Step:
    """What a task did from the moment where it stood to its next one. ``run.goto(step.number)`` shows the state
    before.
    """

    run: Run[Any]
    number: int

    @property
    def task(self) -> Task:
        """Who acted."""
        return self.run.unpack(self.number)[0]

    @property
    def moment(self) -> Moment:
        """Where the task stood; the step is what it did there."""
        return self.run.unpack(self.number)[1]

    @property
    def about(self) -> int:
        """What the moment is about: a page (pfn), for some moments a pass, an entry, or a page number of an mm."""
        return self.run.unpack(self.number)[2]

    @property
    def subject(self) -> str:
        """What the moment is about, in words: "page 7", "address 0x10000000", "pass 0"; empty for nothing."""
        kind = self.moment.subject
        return f"{kind} {self.about << PAGE_SHIFT:#x}" if kind == "address" else f"{kind} {self.about}" if kind else ""

    @property
    def changes(self) -> list[Change]:
        """What the step changed, in order, each with the value before and after it."""
        return list(self.run.machine.changes(*self.run.journal_places(self.number)))

    def __repr__(self) -> str:
        document = f", document {self.moment.document}" if self.moment.document else ""
        return f"<Step {self.number}: {self.task.name} in {self.moment.function}{document}: {self.moment.what}>"

    def _repr_html_(self) -> str:
        rows = [(self.run.machine.place_name(c), str(c.before), str(c.after)) for c in self.changes]
        return html_table(repr(self)[1:-1], ("changed", "before", "after"), rows)


class RecordedSteps(Sequence[Step]):
    """The steps of a run; each is made when it is asked for."""

    def __init__(self, run: Run[Any]) -> None:
        self._run = run

    def __len__(self) -> int:
        return len(self._run)

    def __repr__(self) -> str:
        return f"<{len(self)} steps of {self._run.call.name}>"

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...

    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        numbers = range(len(self))[index]
        if isinstance(numbers, int):
            return Step(self._run, numbers)
        return [Step(self._run, number) for number in numbers]
