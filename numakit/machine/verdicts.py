"""Why an entry or a call got the answer it got.

Whoever decides notes the row of the contract (``shared``, ``pinned``, ``cpuset`` ...) and the fact that decided, at
the spot where it is decided. ``explain`` turns this into sentences and adds nothing of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numakit.machine.state import MachineState


class Verdict(NamedTuple):
    """An answer (a node, or a negative errno), the row that it belongs to, and the facts: pairs of a name and plain
    data.
    """

    value: int
    row: str
    facts: tuple[tuple[str, Any], ...] = ()

    @property
    def fact(self) -> dict[str, Any]:
        """The facts by name."""
        return dict(self.facts)


def because(m: MachineState, value: int, row: str, **facts: Any) -> int:
    """Note why the system call of the acting task returns ``value``; returns it."""
    m.put(("return", m.current), Verdict(value, row, tuple(facts.items())))
    return value


def decide_entry(m: MachineState, entry: int, value: int, row: str, **facts: Any) -> int:
    """Note what was decided for an entry of the acting task's call while it was looked up; returns ``value``."""
    m.put(("entry", m.current, entry), Verdict(value, row, tuple(facts.items())))
    return value


def decide_page(m: MachineState, page: int, value: int, row: str, **facts: Any) -> int:
    """Note what was decided for a page that is being migrated; a later attempt may decide anew. Returns ``value``."""
    m.put(("page verdict", m.current, page), Verdict(value, row, tuple(facts.items())))
    return value


def take_verdict(m: MachineState, *key: Any) -> Verdict | None:
    """A verdict that was noted, and is not kept in the state any longer."""
    verdict: Verdict | None = m.table.get(key)
    if verdict is not None:
        m.put(key, None)
    return verdict


def forget_verdicts(m: MachineState) -> None:
    """The call of the acting task has ended: what was noted of its entries and pages, and that nobody asked for, is not
    kept. The next call of a task with this number would take it for its own.
    """
    for key in [key for key in m.table if isinstance(key, tuple) and key[0] in ("entry", "page verdict")]:
        if key[1] == m.current:
            m.put(key, None)
