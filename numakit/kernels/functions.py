"""The functions of the pipeline by name, so that a kernel's data can say which one serves.

``@kernel_function`` on ``try_to_unmap`` says: whoever calls ``try_to_unmap(m, ...)`` gets the function that the kernel
of ``m`` names for this role, by default the function itself. A lesson or a test that takes one check away writes its
own function, registers it with ``@serves("try_to_unmap")`` and names it in a kernel's ``functions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_BY_ROLE: dict[str, dict[str, Callable[..., Any]]] = {}


def kernel_function(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` the default in the role of its own name."""
    role = function.__name__
    candidates = _BY_ROLE.setdefault(role, {})
    candidates[role] = function

    @wraps(function)
    def serve(m: Any, *args: Any) -> R:  # no keywords: this is passed some twenty times a page
        if m.replaced and role in m.replaced:
            return candidates[m.replaced[role]](m, *args)  # type: ignore[no-any-return]
        return function(m, *args)  # type: ignore[call-arg]

    return serve  # type: ignore[return-value]


def serves(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function under its own name as one that can serve in ``role``."""
    _see_that_it_is_a_role(role)

    def register(function: Callable[P, R]) -> Callable[P, R]:
        _BY_ROLE[role][function.__name__] = function
        return function

    return register


def see_that_they_serve(functions: Mapping[str, str]) -> None:
    """Raise ValueError for a role that the pipeline does not have, or a name that no function has which serves in it.

    To be asked when the whole pipeline was imported: its functions register themselves.
    """
    for role, name in functions.items():
        _see_that_it_is_a_role(role)
        if name not in _BY_ROLE[role]:
            known = ", ".join(sorted(_BY_ROLE[role]))
            raise ValueError(f"kernel: no function {name!r} serves as {role}; those that do are {known}")


def _see_that_it_is_a_role(role: str) -> None:
    if role not in _BY_ROLE:
        raise ValueError(f"role={role!r}: no such role; there are {', '.join(sorted(_BY_ROLE))}")
