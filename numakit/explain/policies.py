"""What set_mempolicy() and get_mempolicy() answered, and why: a sentence or two for each cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from numakit.abi import MPOL_BIND, MPOL_DEFAULT, MPOL_INTERLEAVE, MPOL_PREFERRED, errno_name
from numakit.explain.entries import Facts, listed
from numakit.explain.sentences import Sentences
from numakit.machine.verdicts import Verdict

MODES = {
    MPOL_DEFAULT: "MPOL_DEFAULT",
    MPOL_PREFERRED: "MPOL_PREFERRED",
    MPOL_BIND: "MPOL_BIND",
    MPOL_INTERLEAVE: "MPOL_INTERLEAVE",
}
KEPT = "The policy is what it was before."

POLICY_CAUSES: dict[str, Callable[[Facts], str]] = {
    "policy-set": lambda fact: (
        "From now on the process allocates by this policy, where no area has one of its own. Pages that it has already "
        "stay where they are."
    ),
    "policy-told": lambda fact: "The call only asked.",
    "bad-mode": lambda fact: f"There is no mode {fact['mode']}: modes are 0 to {max(MODES)} in this kernel. {KEPT}",
    "beyond-the-mask": lambda fact: f"No node mask of this kernel has a bit for node {listed(fact['nodes'])}. {KEPT}",
    "policy-cpuset": lambda fact: (
        f"The cpuset of the process allows nodes {listed(fact['mems'])}, and node {listed(fact['nodes'])} is not among "
        f"them: a policy may only name nodes that are allowed. {KEPT}"
    ),
    "default-with-nodes": lambda fact: (
        f"MPOL_DEFAULT takes no nodes: the local node comes first. Leave out node {listed(fact['nodes'])}. {KEPT}"
    ),
    "no-nodes": lambda fact: f"{MODES[fact['mode']]} needs at least one node. {KEPT}",
    "policy-offline": lambda fact: (
        f"Node {listed(fact['nodes'])} is not online; those that are: {listed(fact['online'])}. {KEPT}"
    ),
    "no-memory": lambda fact: f"MPOL_BIND to node {listed(fact['nodes'])}: there is no memory to bind to. {KEPT}",
    "bad-policy-flags": lambda fact: (
        f"The flags contain {fact['unknown']:#x}; only MPOL_F_NODE (1) and MPOL_F_ADDR (2) are known."
    ),
    "address-without-flag": lambda fact: (
        f"An address ({fact['address']:#x}) is only looked at with MPOL_F_ADDR; without the flag none may be given."
    ),
    "not-interleaving": lambda fact: (
        "MPOL_F_NODE alone asks which node is next in interleaving, but the policy of the process is "
        f"{MODES[fact['mode']]}. For the node of a page add MPOL_F_ADDR and its address."
    ),
    "no-process": lambda fact: "The process had exited before its turn came.",
    "no-area": lambda fact: f"Address {fact['address']:#x} lies in no area of the process.",
    "node-unreadable": lambda fact: (
        f"To tell the node, the page at {fact['address']:#x} is read in if it is not present: the area allows no "
        "reading, or the file ends before."
    ),
    "node-no-memory": lambda fact: (
        f"To tell the node, the page at {fact['address']:#x} is read in if it is not present, and no frame was free "
        "where policy and cpuset allow."
    ),
}


@dataclass(frozen=True, repr=False, eq=False)
class PolicyResult:
    """What a call about a memory policy answered. Compares equal to its return code, 0 or a negative errno.

    ``mode`` and ``nodes``: the policy that was asked for. ``node``: with MPOL_F_NODE, instead of the mode: where a page
    is, or where interleaving goes on. None where nothing was told.
    """

    call: str
    ret: int
    mode: int | None = None
    node: int | None = None
    nodes: tuple[int, ...] = ()
    why: Verdict = field(default=Verdict(0, "policy-told"))

    @property
    def row(self) -> str:
        """The cause of the return code, by its id."""
        return self.why.row

    def __eq__(self, other: object) -> bool:
        return self.ret == other if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self.ret)

    def explain(self) -> Sentences:
        """Why the call returned what it returned: plain sentences."""
        return Sentences(f"{self.call} returned {errno_name(self.ret)}. {POLICY_CAUSES[self.why.row](self.why.fact)}")

    def __str__(self) -> str:
        told = []
        if self.mode is not None:
            told.append(MODES[self.mode])
        if self.node is not None:
            told.append(f"node {self.node}")
        if self.nodes:
            told.append(f"nodes of the policy: {', '.join(map(str, self.nodes))}")
        return f"{self.call} = {errno_name(self.ret)}" + "".join(f"; {part}" for part in told)

    __repr__ = __str__
