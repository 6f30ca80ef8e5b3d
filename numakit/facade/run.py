"""A recorded call as people see it: walk through it, and let others act meanwhile."""

from __future__ import annotations

from typing import Any, Generic, ParamSpec, TypeVar

from numakit.facade.call import BoundCall
from numakit.moments import Moment, moment_named
from numakit.tables import html_table
from numakit.timeline.run import Run as Timeline
from numakit.timeline.task import Task, When

P = ParamSpec("P")
R = TypeVar("R")
Q = TypeVar("Q")

SHOWN_STEPS = 40  #: steps that a table shows before it is cut


class Actor(Generic[R]):
    """Somebody who acts beside the call of a run."""

    def __init__(self, task: Task, present: Any) -> None:
        self.task, self._present = task, present

    @property
    def began(self) -> bool:
        """Whether its moment has come."""
        return self.task.released

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.task.done

    @property
    def result(self) -> R:
        """What its call returned. Raises RuntimeError as long as it has not ended."""
        if not self.task.done:
            raise RuntimeError(
                f"{self.task.name} has not ended" if self.began else f"{self.task.name}: its moment never came"
            )
        return self._present(self.task.result)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        state = "done" if self.done else f"stands at {self.task.at[0]}" if self.began else f"waits for {self.task.when}"
        return f"<{self.task.name}: {state}>"


class Meanwhile:
    """A time at which somebody else acts: ``run.when("COPY").do(child.write, address)``."""

    def __init__(self, run: Run[Any], when: When | None) -> None:
        self._run, self._when = run, when

    def do(self, call: BoundCall[P, Q], *args: P.args, **kwargs: P.kwargs) -> Actor[Q]:
        """Let a call of a process or of the machine begin at that time. Whatever was recorded after this step is
        forgotten.
        """
        prepared = call.prepare(*args, **kwargs)
        return Actor(self._run.add(prepared.task(self._when)), prepared.present)


class Run(Timeline[R]):
    """A call that was recorded, or that is being made, with whoever acts beside it.

    ``run.back()``, ``run.forward()``, ``run.goto(i)``, ``run.first()``, ``run.last()`` show the machine at any step;
    ``run.steps`` has
    them all; ``run.result`` is what the call returned.
    """

    def when(
        self, moment: str | Moment, about: int | None = None, nth: int = 1, in_pass: int | None = None
    ) -> Meanwhile:
        """The ``nth`` time at which the call stands at ``moment``; only for what it is ``about`` (a page's number, a
        pass), only ``in_pass``, if given."""
        if nth < 1:
            raise ValueError(f"nth={nth}: the first time is 1")
        return Meanwhile(self, When(moment_named(moment), about, nth, in_pass))

    @property
    def now(self) -> Meanwhile:
        """The step at which the run stands: ``run.goto(12); run.now.do(child.write, address); run.finish()``."""
        return Meanwhile(self, None)

    def __repr__(self) -> str:
        state = "finished" if self.finished else "under way"
        kept = f"{len(self)} steps, shows step {self.position}" if self.recorded else self.no_way_back or "not recorded"
        return f"<Run of {self.call.name}: {state}, {kept}>"

    def _repr_html_(self) -> str:
        steps = self.steps[: SHOWN_STEPS if self.recorded else 0]
        rows = [(s.number, s.task.name, s.moment.document, s.moment.function, s.moment.what, s.about) for s in steps]
        head = ("step", "who", "document", "function", "what happens", "about")
        more = f", the first {SHOWN_STEPS}" if len(self) > SHOWN_STEPS else ""
        return html_table(repr(self)[1:-1] + more, head, rows)
