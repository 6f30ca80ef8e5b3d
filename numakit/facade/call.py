"""Methods that are calls of the modelled system: made at once, or recorded, or let happen beside another call.

``shell.write(address)`` makes the call. ``machine.record(shell.write, address)`` makes it as a run that can be walked
through, ``run.when("COPY").do(shell.write, address)`` lets it happen in the middle of another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from numakit.abi import PAGE_SIZE
from numakit.syscalls.user_memory import UserArray
from numakit.timeline.task import Steps, Task, When

if TYPE_CHECKING:
    from numakit.facade.machine import Machine


class OnMachine(Protocol):
    """What has calls: it belongs to a machine."""

    @property
    def machine(self) -> Machine:
        """The machine on which the calls are made."""

    @property
    def notation(self) -> str:
        """What it is called in the notation of schedules."""


S = TypeVar("S", bound=OnMachine)
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Prepared(Generic[R_co]):
    """A call whose arguments were checked, and that has not begun: the generator behind it, who makes it and where.

    ``present`` turns what the generator returns into what the caller sees. ``user_code``: a function of the reader's
    takes part, so that the call can always be undone. ``in_bulk``: the same call with ``pages`` pages at once, where
    there is such a way.
    """

    name: str
    start: Callable[[Any], Steps[Any]]
    present: Callable[[Any], R_co]
    cpu: int
    pid: int = 0
    user_code: bool = False
    in_bulk: Callable[[Any], Steps[Any]] | None = None
    pages: int = 0

    def task(self, when: When | None = None, until: When | None = None) -> Task:
        """The call as a task of a run."""
        return Task(self.name, self.start, self.cpu, self.pid, when, until)


class BoundCall(Generic[P, R]):
    """A call of a process or machine, to be made (``call(...)``) or prepared (``call.prepare(...)``)."""

    def __init__(self, owner: OnMachine, prepare: Callable[P, Prepared[R]]) -> None:
        self._owner, self.prepare = owner, prepare
        update_wrapper(self, prepare, updated=())
        self.__signature__ = without_prepared(signature(prepare))

    @property
    def machine(self) -> Machine:
        """The machine on which the call is made."""
        return self._owner.machine

    def notation(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The call as it stands in the notation of schedules: ``process(2).write([0x10000000])``."""
        return call_text(self._owner.notation, self.prepare.__name__, args, kwargs)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.machine.perform(self.prepare(*args, **kwargs))


def see_that_it_is_a_call(call: object, machine: Machine) -> None:
    """Raise TypeError for what is no call of a process or machine (what a call returned, for example), ValueError for a
    call of another machine.
    """
    if not isinstance(call, BoundCall):
        raise TypeError(
            f"call: a {type(call).__name__} is no call; if it is what a call returned, the call was made already. "
            "Leave out the brackets: machine.record(shell.write, address)"
        )
    if call.machine is not machine:
        raise ValueError(f"call: {call.prepare.__name__} is a call on another machine, {call.machine!r}")


class Call(Generic[S, P, R]):
    """A method that checks its arguments and returns a :class:`Prepared`; seen from outside it is the call itself."""

    def __init__(self, prepare: Callable[Concatenate[S, P], Prepared[R]]) -> None:
        self._prepare = prepare
        update_wrapper(self, prepare, updated=())
        self.__signature__ = without_prepared(signature(prepare))

    def __call__(self, owner: S, *args: P.args, **kwargs: P.kwargs) -> R:
        """``Process.write(shell, address)`` is ``shell.write(address)``."""
        call: BoundCall[P, R] = self.__get__(owner, type(owner))
        return call(*args, **kwargs)

    @overload
    def __get__(self, owner: None, kind: type[S]) -> Call[S, P, R]: ...

    @overload
    def __get__(self, owner: S, kind: type[S]) -> BoundCall[P, R]: ...

    def __get__(self, owner: S | None, kind: type[S]) -> Call[S, P, R] | BoundCall[P, R]:
        if owner is None:
            return self
        return BoundCall(owner, self._prepare.__get__(owner, kind))


def without_prepared(shown: Signature) -> Signature:
    """The signature of a call as people see it: what comes back is the result, not the prepared call."""
    returned = str(shown.return_annotation).removeprefix("Prepared[").removesuffix("]")
    return shown.replace(return_annotation=returned)


def argument_text(value: Any) -> str:
    """An argument in the notation: addresses in hexadecimal digits, an area as the list of its addresses."""
    if isinstance(value, UserArray):
        return f"UserArray({value.address:#x}, {value.length}, {value.size})"
    if isinstance(value, int) and not isinstance(value, bool) and value >= PAGE_SIZE:
        return hex(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(argument_text(item) for item in value) + "]"
    return repr(value)


def call_text(owner: str, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """A call in the notation."""
    shown = [argument_text(value) for value in args]
    shown += [f"{key}={argument_text(value)}" for key, value in kwargs.items()]
    return f"{owner}.{name}({', '.join(shown)})"
