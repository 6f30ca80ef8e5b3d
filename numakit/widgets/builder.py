"""The builder of calls: a call of move_pages() put together from choices, shown as Python, and made.

It decides nothing about pages: what is wrong with a call is the kernel's answer. Only what is no call at all cannot be
put together; the control is disabled then, and a sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import traitlets

from numakit.abi import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE, errno_name
from numakit.explain.result import Result
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.facade.run import Run
from numakit.facade.vma import Vma
from numakit.timeline.run import Stuck
from numakit.widgets.calltext import call_python, flags_text
from numakit.widgets.form import FormWithStepper, Wish, button, field, select, tick
from numakit.widgets.panels import prose

MOST_PAGES = 64  #: pages that one call names here
NO_AREA = 0  #: stands for an address in no area, where an area's first address could stand
FLAGS = {MPOL_MF_MOVE: "MPOL_MF_MOVE", MPOL_MF_MOVE_ALL: "MPOL_MF_MOVE_ALL", 1: "1 (no flag of this call)"}
HOW = {"one": "one for all pages", "pattern": "a pattern, repeated", "query": "none: only ask where the pages are"}
CHOICES = ("caller", "target", "area", "first", "count", "how", "node", "pattern", "flags")


class CallBuilder(FormWithStepper):
    """A call of move_pages() on a machine, put together from choices.

    Each choice is an attribute as well: ``builder.how, builder.pattern = "pattern", "0,1"``. ``builder.python`` makes
    the call in a cell of yours, ``builder.make_call()`` here: its result is shown, and its run stands in a Stepper
    below. Attributes raise TraitError for what there is not, naming what there is. Where there is no kernel, the
    output is a picture. Raises ValueError for a machine without a process that could make a call.
    """

    title = "Build a call of move_pages()"

    caller = traitlets.Int()  #: the pid of the process that makes the call
    target = traitlets.Int(0)  #: whose pages are meant: a pid, 0 for the caller itself
    area = traitlets.Int(NO_AREA)  #: the first address of an area of the target, or NO_AREA
    first = traitlets.Int(0)  #: the first page of the area that is named
    count = traitlets.Int(1)  #: how many pages are named
    how = traitlets.Enum(list(HOW), "one")  #: how the nodes are given
    node = traitlets.Int(0)  #: the node for all pages
    pattern = traitlets.Unicode("0,1")  #: nodes that are repeated
    flags = traitlets.Int(MPOL_MF_MOVE)  #: a sum of the keys of FLAGS

    def __init__(self, machine: Machine) -> None:
        if not isinstance(machine, Machine):
            raise TypeError(f"machine={machine!r}: a Machine is wanted")
        self.machine = machine
        if not self.callers:
            raise ValueError("machine: it has no process that could make a call; machine.spawn(name) makes one")
        self.run: Run[Result] | None = None  #: the call that was made last
        self._fitting = True
        super().__init__()
        self.caller, self.node = self.callers[0].pid, machine.node_ids[-1]
        self._first_area()
        self._fitting = False
        self.observe(self._chosen, list(CHOICES))
        self.draw()

    # -- what there is to choose from, now

    @property
    def callers(self) -> list[Process]:
        """The processes that can make a call; a kernel thread makes none."""
        return [process for process in self.machine.processes if process.mm]

    @property
    def nobody(self) -> int:
        """A pid that no process has."""
        return max(process.pid for process in self.machine.processes) + 1000

    @property
    def whose(self) -> Process | None:
        """The process whose pages are meant; None for a pid that nobody has."""
        pid = self.target or self.caller
        return next((process for process in self.machine.processes if process.pid == pid), None)

    @property
    def areas(self) -> list[Vma]:
        """The areas of that process."""
        return self.whose.vmas if self.whose is not None and self.whose.mm else []

    @property
    def nodes_offered(self) -> list[int]:
        """The nodes that are online, and one that does not exist."""
        return [*self.machine.node_ids, max(self.machine.node_ids) + 1]

    # -- the call

    @property
    def pages(self) -> list[int]:
        """The addresses that the call names."""
        area = self._area()
        if area is not None:
            return area[self.first : self.first + self.count]
        return [self._outside()]

    @property
    def nodes(self) -> list[int] | None:
        """The nodes that the call gives, one for each page; None for a query.

        Raises ValueError for a pattern that cannot be read.
        """
        if self.how == "query":
            return None
        given = [self.node] if self.how == "one" else parse_pattern(self.pattern)
        return [given[i % len(given)] for i in range(len(self.pages))]

    @property
    def python(self) -> str:
        """Lines that make the same call on ``machine``. Raises ValueError for a pattern that cannot be read."""
        return call_python(self.caller, self.target, self.pages, self.nodes, self.flags)

    def make_call(self) -> Result:
        """Make the call as a recorded run, show its result, and put its run below; the machine is brought to now first.

        Raises ValueError for a pattern that cannot be read or a caller that has exited, Stuck for a call that never
        ends.
        """
        nodes = self.nodes
        self.machine.present()
        call = self.machine.process(self.caller).move_pages
        self.run = self.machine.begin(call, self.target, self.pages, nodes, self.flags)
        try:
            return self.run.finish()
        finally:
            self.show_run(self.run)
            self.look_again()

    @property
    def result(self) -> Result | None:
        """What the call that was made last returned; None if there was none, or it has not ended."""
        return self.run.result if self.run is not None and self.run.finished else None

    def look_again(self) -> None:
        """See which processes and areas there are now; a choice that is gone is replaced by one that there is."""
        self._fitting = True
        if self.caller not in [process.pid for process in self.callers]:
            self.caller = self.callers[0].pid
        if self.whose is None and self.target != self.nobody:
            self.target = 0
        if self._area() is None and self.area != NO_AREA:
            self._first_area()
        self._into_the_area()
        self._fitting = False
        self.draw()

    # -- choices that depend on others

    def _area(self) -> Vma | None:
        return next((area for area in self.areas if area.start == self.area), None)

    def _first_area(self) -> None:
        self.area = self.areas[0].start if self.areas else NO_AREA
        self.first, self.count = 0, 4
        self._into_the_area()

    def _into_the_area(self) -> None:
        """Bring the range into the area."""
        area = self._area()
        pages = area.pages if area else 1
        self.first = max(0, min(self.first, pages - 1))
        self.count = max(1, min(self.count, pages - self.first, MOST_PAGES))

    def _chosen(self, change: Any) -> None:
        if self._fitting:
            return
        self._fitting = True
        if change["name"] in ("caller", "target"):
            self._first_area()
        self._into_the_area()
        self._fitting = False
        self.draw()

    @traitlets.validate("caller", "target", "area", "node", "flags")
    def _there_is(self, proposal: Any) -> int:
        """Raise TraitError for what is not offered."""
        name, value = proposal["trait"].name, proposal["value"]
        if value not in [offered for offered, _ in self._offers(name)]:
            there_are = ", ".join(f"{offered} ({text})" for offered, text in self._offers(name))
            raise traitlets.TraitError(f"{name}={value!r}: to choose from are {there_are}")
        return int(value)

    def _offers(self, name: str) -> list[tuple[int, str]]:
        """What can be chosen, (value, text) each."""
        if name == "caller":
            return [(process.pid, f"{process.name} (pid {process.pid})") for process in self.callers]
        if name == "target":
            others = [
                (p.pid, f"{p.pid}: {p.name}{'' if p.mm else ', a kernel thread'}") for p in self.machine.processes
            ]
            return [(0, "0: the caller itself"), *others, (self.nobody, f"{self.nobody}: nobody has this pid")]
        if name == "area":
            shown = [(a.start, f"{a.start:#x}, {a.pages} page{'s' * (a.pages != 1)}") for a in self.areas]
            return [*shown, (NO_AREA, f"an address in no area: {self._outside():#x}")]
        if name == "node":
            return [
                (n, f"node {n}" if n in self.machine.node_ids else f"{n}: does not exist") for n in self.nodes_offered
            ]
        return [(flags, flags_text(flags)) for flags in range(sum(FLAGS) + 1)]

    def _outside(self) -> int:
        return self.areas[-1].end + PAGE_SIZE if self.areas else PAGE_SIZE

    def deeds(self, wish: Wish) -> dict[str, Callable[[], object]]:
        """What the front can ask for."""
        return {"set": lambda: self._set(wish), "make": self._make, "look": self.look_again}

    def _set(self, wish: Wish) -> None:
        name, value = str(wish["name"]), wish["value"]
        if name == "flag":
            bit = int(value)
            self.flags = self.flags | bit if wish["checked"] else self.flags & ~bit
        elif name in CHOICES:
            setattr(self, name, value if name in ("how", "pattern") else int(value))
        else:
            raise ValueError(f"name={name!r}: there are {', '.join(CHOICES)}")

    def _make(self) -> None:
        try:
            self.make_call()
        except Stuck as stuck:
            self.note = f"The call does not end: {stuck}"

    # -- how it looks

    def form_html(self) -> str:
        """Choices, the Python, and what the call returned."""
        wrong = self._wrong()
        code = "" if wrong else self.python
        make = button("Make the call", "make", able=not wrong).replace("<button", "<button class='nk-go'", 1)
        return (
            f"<div role='heading' aria-level='2'>{self.title}</div>{self._fields(wrong)}"
            f"<div class='nk-field'><label><span>Python that makes this call</span>"
            f"<textarea class='nk-code' readonly rows='{max(3, code.count(chr(10)) + 1)}'>{escape(code)}</textarea></label></div>"
            f"<div class='nk-row'>{make}{button('Copy the Python', 'copy', able=not wrong)}"
            f"{button('Look at the machine again', 'look')}</div>"
            f"<p class='nk-note' role='status'>{escape(self.note or self._where_it_stands())}</p>{self._result_html()}"
        )

    def plain_html(self) -> str:
        """The choices as a table, the Python as it is."""
        rows = "".join(
            f"<tr><th scope='row'>{name}</th><td>{escape(text)}</td></tr>" for name, text in self._chosen_texts()
        )
        code = f"<pre><code>{escape(self._code())}</code></pre>"
        again = "<p><small>Run the cell to choose, and to make the call.</small></p>"
        table = f"<table class='nk-chosen'><tbody>{rows}</tbody></table>"
        return f"<div role='heading' aria-level='2'>{self.title}</div>{table}{code}{self._result_html()}{again}"

    def form_text(self) -> str:
        """The same in words."""
        chosen = [f"  {name}: {text}" for name, text in self._chosen_texts()]
        told = [str(self.result), self.result.explain()] if self.result is not None else []
        return "\n".join(
            [f"{self.title}:", *chosen, "Python:", *(f"  {line}" for line in self._code().splitlines()), *told]
        )

    def _code(self) -> str:
        return self._wrong() or self.python

    def _chosen_texts(self) -> list[tuple[str, str]]:
        """The choices in words."""
        texts = {name: dict(self._offers(name))[getattr(self, name)] for name in ("caller", "target", "area", "node")}
        last = self.first + self.count - 1
        pages = f"page {self.first}" if self.count == 1 else f"pages {self.first} to {last}"
        nodes = {"one": texts["node"], "pattern": f"{self.pattern}, repeated", "query": "none: a query"}[self.how]
        where = texts["area"] if self._area() is None else f"{texts['area']}: {pages}"
        return [
            ("Who calls", texts["caller"]),
            ("Whose pages (pid)", texts["target"]),
            ("Pages", where),
            ("Nodes", nodes),
            ("Flags", flags_text(self.flags)),
        ]

    def _wrong(self) -> str:
        """Why the call cannot be made, empty if it can."""
        try:
            if self.how == "pattern":
                parse_pattern(self.pattern)
        except ValueError as error:
            return str(error)
        return ""

    def _where_it_stands(self) -> str:
        return (
            "The machine stands in its past, and so do these choices; making a call brings it to now."
            if self.machine.in_the_past
            else ""
        )

    def _fields(self, wrong: str) -> str:
        area = self._area()
        pages = area.pages if area else 1
        whole = pages - self.first
        bounds = f' min="0" max="{pages - 1}"', f' min="1" max="{min(whole, MOST_PAGES)}"'
        one = "" if area else "One address is named, in no area, so there is no range to choose."
        who = select("caller", "Who calls", self._offers("caller"), self.caller) + select(
            "target", "Whose pages (pid)", self._offers("target"), self.target
        )
        which = (
            select("area", "Area", self._offers("area"), self.area, self._why_no_area())
            + field("first", "From page", self.first, "number", bounds[0], able=area is not None, told=one)
            + field("count", "Number of pages", self.count, "number", bounds[1], able=area is not None)
        )
        too_large = f"<small>A call made here names at most {MOST_PAGES} pages.</small>" if whole > MOST_PAGES else ""
        return f"<div class='nk-fields'>{who}</div><div class='nk-fields'>{which}</div>{too_large}<div class='nk-fields'>{self._nodes_fields(wrong)}{self._flag_fields()}</div>"

    def _why_no_area(self) -> str:
        process = self.whose
        if process is None:
            return "Nobody has this pid, so there is no area to choose."
        if not process.mm:
            return f"{process.name} is a kernel thread and has no memory, so there is no area to choose."
        return "" if self.areas else f"{process.name} has mapped nothing, so there is no area to choose."

    def _nodes_fields(self, wrong: str) -> str:
        ways = "".join(tick("how", text, key, on=key == self.how, kind="radio") for key, text in HOW.items())
        node = select("node", "Node", self._offers("node"), self.node) if self.how == "one" else ""
        pattern = field("pattern", "Nodes, with commas between them", self.pattern) if self.how == "pattern" else ""
        told = f"<p class='nk-fail'>{escape(wrong)}</p>" if wrong else ""
        return f"<fieldset><legend>Nodes</legend>{ways}{node}{pattern}{told}</fieldset>"

    def _flag_fields(self) -> str:
        flags = "".join(tick("flag", text, bit, on=bool(self.flags & bit)) for bit, text in FLAGS.items())
        said = (
            ""
            if self.how != "query"
            else "<small>A query looks only at whether the flags exist, and at MPOL_MF_MOVE_ALL.</small>"
        )
        return f"<fieldset><legend>Flags</legend>{flags}{said}</fieldset>"

    def _result_html(self) -> str:
        result = self.result
        if result is None:
            return ""
        rows = "".join(
            f"<tr><td>{i}</td><td><code>{address:#x}</code></td><td>{escape(status_text(status))}</td>"
            f"<td>{escape(decided_text(decided))}</td><td>{prose(result.explain(i).partition('. ')[2])}</td></tr>"
            for i, (address, status, decided) in enumerate(
                zip(result.addresses, result.status, result.outcome, strict=True)
            )
        )
        head = "".join(f"<th scope='col'>{name}</th>" for name in ("entry", "address", "status", "decided", "why"))
        return (
            f"<div class='nk-answer-box'><div role='heading' aria-level='3'>The call that was made last</div><p role='status'><b>{prose(result.summary())}</b></p><p>{prose(result.explain())}</p>"
            f"<div class='nk-table' tabindex='0' role='group' aria-label='Entries'><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div></div>"
        )


def parse_pattern(text: str) -> list[int]:
    """The nodes of a text ``0,1,0,2``. Raises ValueError for what is none."""
    try:
        nodes = [int(word) for word in text.split(",")]
    except ValueError:
        nodes = []
    if not nodes or not all(-(2**31) <= node < 2**31 for node in nodes):
        raise ValueError(f"pattern={text!r}: whole numbers of 32 bits with commas between them are wanted, such as 0,1")
    return nodes


def status_text(status: int | None) -> str:
    """What stands in status[]."""
    return "not written" if status is None else _answer_text(status)


def decided_text(outcome: int | None) -> str:
    """What was decided for an entry, whether or not it was written to status[]."""
    return "nothing" if outcome is None else _answer_text(outcome)


def _answer_text(value: int) -> str:
    return f"node {value}" if value >= 0 else errno_name(value)
