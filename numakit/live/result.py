"""What the calls about policies and about all pages of a process answered on the running kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from numakit.abi import errno_name
from numakit.explain.number import causes_in_words, causes_on
from numakit.explain.sentences import Sentences


@dataclass(frozen=True, repr=False, eq=False)
class LiveResult:
    """What a call returned: 0, a negative errno or, of migrate_pages(), how many pages were not moved.

    Compares equal to that number. ``kernel``: the release that answered. It notes no reasons.
    """

    call: str
    ret: int
    kernel: str

    def explain(self) -> Sentences:
        """Every cause that this number has as the call's return code, and how to tell them apart."""
        causes = causes_on(self.ret, self.kernel, "return", self.call.partition("(")[0])
        return Sentences(f"{self.call} returned {errno_name(self.ret)}. {causes_in_words(causes)}")

    def __eq__(self, other: object) -> bool:
        return self.ret == other if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self.ret)

    def __int__(self) -> int:
        return self.ret

    def __str__(self) -> str:
        return f"{self.call} = {errno_name(self.ret)}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False, eq=False)
class LivePolicy(LiveResult):
    """What get_mempolicy() told: ``mode`` or, with MPOL_F_NODE, ``node``, and the ``nodes`` of the policy. None where
    nothing was told.
    """

    mode: int | None = None
    node: int | None = None
    nodes: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[object]:
        """``ret, mode_or_node, nodes = process.get_mempolicy()``"""
        return iter((self.ret, self.mode if self.node is None else self.node, self.nodes))

    def __str__(self) -> str:
        told = [f"{name} {value}" for name, value in (("mode", self.mode), ("node", self.node)) if value is not None]
        if self.nodes:
            told.append(f"nodes {', '.join(map(str, self.nodes))}")
        return "; ".join((super().__str__(), *told))

    __repr__ = __str__
