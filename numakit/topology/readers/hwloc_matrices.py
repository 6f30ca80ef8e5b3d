"""Which of the matrices in hwloc's XML is the machine's table of distances."""

from __future__ import annotations

from numakit.topology.description import UNREACHABLE, Distances, linux_distance
from numakit.topology.idlists import decimal, format_list, shortened
from numakit.topology.readers.hwloc_elements import Elements, Matrix

OF_LINUX = "NUMALatency"
"""What hwloc calls the matrix that it read from Linux."""


def choose_matrix(elements: Elements, nodes: list[int]) -> tuple[Distances | None, list[str]]:
    """The table between the nodes, None if there is none; and a sentence for each thing that is odd.

    Matrices between other objects, and of bandwidths, were left out before. Of several latencies Linux' own is taken,
    else the first; one whose numbers are no SLIT's (nanoseconds, say) is left out with a sentence.
    """
    tables, notes = [], []
    for matrix in sorted(elements.matrices, key=lambda each: each.name != OF_LINUX):
        ids = _ids(elements, matrix, nodes)
        if ids is None:
            continue
        values = [_value(matrix, text) for text in matrix.values]
        if any(value is None for value in values):
            bad = matrix.values[values.index(None)]
            notes.append(
                f"The latencies of line {matrix.line} are left out: {shortened(bad)} is no distance of a SLIT."
            )
            continue
        rows = [values[start : start + matrix.count] for start in range(0, len(values), matrix.count)]
        tables.append(
            {
                i: {j: v for j, v in zip(ids, row, strict=True) if v is not None}
                for i, row in zip(ids, rows, strict=True)
            }
        )
    if not tables:
        return None, notes
    if len(tables) > 1:
        notes.append(f"The file has {len(tables)} tables of latencies between nodes: one is taken, the others are not.")
    return _filled(tables[0], nodes, notes), notes


def _ids(elements: Elements, matrix: Matrix, nodes: list[int]) -> list[int] | None:
    """The node of each row, None where the matrix is about other things."""
    if matrix.by == "os":
        known = {str(node.index): node.index for node in elements.nodes}
    elif matrix.by == "gp":
        known = {node.number: node.index for node in elements.nodes}
    else:
        deep = [node.index for node in elements.nodes[matrix.first :] if node.depth == matrix.depth]
        return deep[: matrix.count] if len(deep) >= matrix.count else None
    ids = [known[text] for text in matrix.ids if text in known]
    return ids if len(set(ids)) == matrix.count else None


def _value(matrix: Matrix, text: str) -> int | None:
    """The distance, None if it is no number from 0 to 255."""
    if matrix.by == "depth":
        whole, _, part = text.partition(".")
        if not (whole.isascii() and whole.isdigit() and len(text) < 20 and (not part or part.isdigit())):
            return None
        value = round(float(text) * matrix.base)
        return value if value <= UNREACHABLE else None
    try:
        return decimal(text, UNREACHABLE + 1)
    except ValueError:
        return None


def _filled(table: dict[int, dict[int, int]], nodes: list[int], notes: list[str]) -> Distances:
    """The table with Linux' 10 and 20 for nodes that it leaves out."""
    if missing := [i for i in nodes if i not in table]:
        notes.append(
            f"Node {format_list(missing)} is not in the distances: Linux' 10 (local) and 20 (remote) are used."
        )
    return {i: {j: table.get(i, {}).get(j, linux_distance(i, j)) for j in nodes} for i in nodes}
