"""What is odd about a machine: sentences that name nodes. Such machines exist, so they load."""

from collections.abc import Iterator

from numakit.topology.description import LOCAL_DISTANCE, UNREACHABLE, Description, Distances
from numakit.topology.idlists import format_list


def warnings_of(description: Description) -> tuple[str, ...]:
    """One sentence for each oddity, none for a machine without any."""
    online = [i for i, node in description.nodes.items() if node.online]
    return (
        *description.notes,
        *_distance_warnings(online, description.distances),
        *_memory_warnings(description, online),
        *_cpu_warnings(description),
    )


def _distance_warnings(online: list[int], distances: Distances | None) -> Iterator[str]:
    if distances is None:
        if len(online) > 1:
            yield "No distances were found: Linux' 10 (local) and 20 (remote) are used for all nodes."
        return
    pairs = [(i, j) for i in online for j in online if i < j]
    if pairs and all(distances[i][j] == distances[j][i] == LOCAL_DISTANCE for i, j in pairs):
        yield f"All distances between nodes {format_list(online)} are 10: a firmware bug."
        pairs = []
    wrong = [i for i in online if distances[i][i] != LOCAL_DISTANCE]
    if wrong:
        value = distances[wrong[0]][wrong[0]]
        yield f"The distance to itself is not 10 for {_named(wrong)} (node {wrong[0]}: {value})."
    low = [(i, j) for i in online for j in online if distances[i][j] < LOCAL_DISTANCE]
    if low:
        yield f"Distances below 10 (SLIT: not allowed): {_example(low, distances)}."
    far = [(i, j) for i in online for j in online if distances[i][j] == UNREACHABLE]
    if far:
        yield f"Unreachable (distance 255): {_example(far, distances)}."
    uneven = [(i, j) for i, j in pairs if distances[i][j] != distances[j][i]]
    if uneven:
        i, j = uneven[0]
        more = f", and {len(uneven) - 1} more pairs" if len(uneven) > 1 else ""
        yield (
            f"Distances are asymmetric: from node {i} to node {j} it is {distances[i][j]},"
            f" back it is {distances[j][i]}{more}."
        )


def _memory_warnings(description: Description, online: list[int]) -> Iterator[str]:
    if not any(description.nodes[i].memory for i in online):
        yield f"No online node has memory ({_named(online)})."
        return
    with_memory = [i for i in online if description.nodes[i].memory]
    if len(with_memory) == 1:
        yield f"Only node {with_memory[0]} has memory: no page can be moved to another node."


def _cpu_warnings(description: Description) -> Iterator[str]:
    unknown = [i for i, node in description.nodes.items() if node.online and not node.cpus_known]
    if unknown:
        yield f"The CPUs of {_named(unknown)} are unknown: the source does not tell."
    owners: dict[int, list[int]] = {}
    for i, node in description.nodes.items():
        for cpu in node.cpus:
            owners.setdefault(cpu, []).append(i)
    shared = {cpu: nodes for cpu, nodes in owners.items() if len(nodes) > 1}
    if shared:
        cpus = format_list(shared)
        nodes = sorted({i for owners_of_one in shared.values() for i in owners_of_one})
        yield f"CPUs {cpus} are in more than one node ({_named(nodes)}); in Linux a CPU belongs to one."


def _named(nodes: list[int]) -> str:
    return f"{'node' if len(nodes) == 1 else 'nodes'} {format_list(nodes)}"


def _example(pairs: list[tuple[int, int]], distances: Distances) -> str:
    i, j = pairs[0]
    more = f", and {len(pairs) - 1} more" if len(pairs) > 1 else ""
    return f"from node {i} to node {j} it is {distances[i][j]}{more}"
