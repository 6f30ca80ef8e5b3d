"""What a call took: counted while it runs, and no part of the machine's state. A replay counts again from nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Costs:
    """How often a call did what takes time.

    ``passes``: sweeps over the list. ``attempts``: pages tried, each time counted. ``retries``: attempts that ended
    in "try again". ``waits``: times that it slept for a page lock or a disc because the pass was forced.
    ``thrown_away``: new pages that were allocated and not used. ``scanned``: entries that new_page_node() looks at to
    find the one that asked for a page, from the first one on, every time: half of all entries on average, so that a
    call of n pages looks at n * n / 2. (They are counted here, not looked at; since 4.17 there is nothing to look for.)
    """

    passes: int = 0
    attempts: int = 0
    retries: int = 0
    waits: int = 0
    thrown_away: int = 0
    scanned: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{field.name.replace('_', ' ')} {getattr(self, field.name)}" for field in fields(self))
