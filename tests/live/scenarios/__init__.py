"""What processes do, and what they are answered: written once, played on a model, on the running Linux, and in guests
(`make oracle`). See :mod:`tests.live.scenarios.play`.
"""

from __future__ import annotations

from tests.live.scenarios import (  # noqa: F401  (each adds its scenarios when it is imported)
    areas,
    arrays,
    callers,
    cpusets,
    maps,
    memory,
    moves,
    policies,
    processes,
    queries,
    runs,
    suites,
    targets,
)
from tests.live.scenarios.play import OF_2006, SCENARIOS, Answers, Scenario, World

__all__ = ["OF_2006", "SCENARIOS", "Answers", "Scenario", "World"]
