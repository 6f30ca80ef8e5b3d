"""One end of the pipe: it asks the other end, and serves what it is asked while it waits.

Both ends are alike. A thing that cannot be copied stays where it is and has a number; the other end gets a stand-in,
whose methods are requests. So calls nest as deep as they like: the judge calls `spread()`, which asks the judge for
free frames, and returns a function that the judge calls for each page.

What an end gives away is decided by its `Door`, before anything is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, Protocol

from numakit.judge.values import CannotCross, decode, dumps, encode
from numakit.topology import Topology
from numakit.topology.readers.node_link import parse_node_link

LONGEST = 8 << 20  #: bytes of one message
SPECIAL = frozenset((
    "__len__", "__getitem__", "__setitem__", "__contains__", "__iter__", "__next__", "__reversed__", "__call__",
    "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__int__", "__index__", "__float__",
    "__str__", "__repr__", "__add__", "__radd__", "__sub__", "__rsub__",
))  # fmt: skip


class Gone(BaseException):
    """The other end has ended. No `Exception`: a test that expects errors must not take this for one."""


class Description(NamedTuple):
    """What the other end is told of a thing: its class, its methods, and which special methods it has."""

    name: str
    methods: list[str]
    special: list[str]


class Door(Protocol):
    """What an end lets the other end do with its things, and what it makes of theirs.

    `asked`: the special methods of their things that are asked for; others are those of any object.
    `once`: are the items of their things asked for once? Then a thing has as many as it showed, whatever it says.
    """

    asked: frozenset[str]
    once: bool

    def describe(self, thing: Any) -> Description | None:
        """None if it does not leave this side."""

    def get(self, thing: Any, name: str) -> Any:
        """An attribute. Raises AttributeError for one that is not handed out."""

    def looks_like(self, name: str) -> type | None:
        """The class for which stand-ins pass in `isinstance`; None for their own."""

    def told(self, error: Exception) -> list[str]:
        """What the other side learns of an error: its kind, what it says, and where it was."""

    def error(self, kind: str, what: str, where: str) -> Exception:
        """The error that is raised here for one that was raised there."""


class StandIn:
    """For a thing of the other end. Its class is made when the first of its kind arrives."""

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "_end", (peer, number))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name} here")
        peer, number = self._end
        return peer.ask("get", number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set from here")


class Method:
    """A method of a stand-in: called it is a request; handed back to the other end it is that end's own method."""

    def __init__(self, owner: StandIn, name: str) -> None:
        self._owner, self._name = owner, name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        peer, number = self._owner._end
        return peer.ask("call", number, self._name, arguments, keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{self._name} has no attribute {name} here")
        peer, number = self._owner._end
        return getattr(peer.ask("get", number, self._name), name)


class Forward:
    """The place of a method in the class of a stand-in. Not a function, so that it has no line to be blamed for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, owner: StandIn | None, kind: type) -> Any:
        return self if owner is None else Method(owner, self.name)


class Peer:
    """An end of the pipe."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, door: Door) -> None:
        self.incoming, self.outgoing, self.door = incoming, outgoing, door
        self.things: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.kinds: dict[str, type[StandIn]] = {}
        self.stand_ins: dict[int, StandIn] = {}
        self.topologies: dict[int, Topology] = {}  #: theirs; a topology never changes, and crosses once

    # -- asking and serving

    def ask(self, verb: str, number: int, *rest: Any) -> Any:
        """Have the other end do something with one of its things: the value. Raises what it raised, or Gone."""
        self.send([verb, number, *(encode(item, self.away) for item in rest)])
        while True:
            verb, *content = self.receive()
            if verb == "value" and len(content) == 1:
                return decode(content[0], self.back)
            if verb == "error":
                raise self.door.error(*(str(part) for part in [*content, "", "", ""][:3]))
            self.serve(verb, content)

    def serve_for_ever(self) -> None:
        """Serve until the other end closes the pipe."""
        with suppress(Gone):
            while True:
                verb, *content = self.receive()
                self.serve(verb, content)

    def serve(self, verb: str, content: list[Any]) -> None:
        """Do what the other end asks for, and answer."""
        try:
            number, *rest = content
            arguments = [decode(item, self.back) for item in rest]
            self.send(["value", encode(self.do(verb, self.thing(number), *arguments), self.away)])
        except Exception as error:
            self.send(["error", *self.door.told(error)])

    def do(self, verb: str, thing: Any, *rest: Any) -> Any:
        """One request. Raises whatever the thing raises, and CannotCross for a request that nobody makes."""
        match verb, rest:
            case "get", (str() as name,):
                return self.door.get(thing, name)
            case "call", ("__call__", arguments, keywords):
                return thing(*arguments, **keywords)
            case "call", (str() as name, arguments, keywords):
                method = getattr(thing, name) if name in SPECIAL else self.door.get(thing, name)
                return method(*arguments, **keywords)
            case "iterate", ():  # what is there all at once crosses at once, what comes bit by bit is asked for
                return None if isinstance(thing, Iterator) else list(thing)
            case "next", ():
                try:
                    return False, next(thing)
                except StopIteration as end:
                    return True, end.value
        raise CannotCross(f"no request: {verb}")

    # -- things

    def away(self, thing: Any) -> list[Any]:
        """What stands for a thing on its way out. Raises CannotCross for what stays on this side."""
        if type(thing) is Method and thing._owner._end[0] is self:
            return ["your method", thing._owner._end[1], thing._name]
        if issubclass(type(thing), StandIn) and thing._end[0] is self:
            return ["yours", thing._end[1]]
        if id(thing) in self.numbers:
            return ["mine", self.numbers[id(thing)]]
        if isinstance(thing, Topology):
            return ["a topology", self.numbered(thing), thing.name, thing.to_json()]
        described = self.door.describe(thing)
        if described is None:
            raise CannotCross(f"a {type(thing).__name__} cannot be handed over")
        return ["mine", self.numbered(thing), list(described)]

    def numbered(self, thing: Any) -> int:
        """The number of a thing of ours that had none. It is kept, so that its id is not given to another one."""
        self.numbers[id(thing)] = len(self.things)
        self.things.append(thing)
        return self.numbers[id(thing)]

    def back(self, content: list[Any]) -> Any:
        """The thing that arrived: a stand-in for theirs, or one of ours."""
        match content:
            case ["yours", number]:
                return self.thing(number)
            case ["your method", number, str() as name]:
                return self.door.get(self.thing(number), name)
            case ["a topology", int() as number, str() as name, str() as text]:
                self.topologies[number] = Topology(parse_node_link(text, "a topology", name))
                return self.topologies[number]
            case ["mine", int() as number] if number in self.topologies:
                return self.topologies[number]
            case ["mine", int() as number] if number in self.stand_ins:
                known = self.stand_ins[number]
                return type(known)(self, number) if self.door.once else known  # it may hold other items by now
            case ["mine", int() as number, [str() as name, list() as methods, list() as special]]:
                self.stand_ins[number] = self.kind(name, methods, special)(self, number)
                return self.stand_ins[number]
        raise CannotCross(f"no value: {str(content)[:80]}")

    def kind(self, name: str, methods: list[str], special: list[str]) -> type[StandIn]:
        """The class of stand-ins for things of that description."""
        key = json.dumps([name, methods, special])
        if key not in self.kinds:
            members: dict[str, Any] = {method: Forward(method) for method in methods if not method.startswith("_")}
            members |= {method: Forward(method) for method in self.door.asked.intersection(special)}
            if self.door.once and "__getitem__" in members:
                members["__iter__"] = None  # else a count of items and a walk over them could tell different things
            members |= {name: own for name, own in (OWN_ONCE if self.door.once else OWN).items() if name in members}
            members.setdefault("__hash__", object.__hash__)
            members["__module__"] = __name__
            if (model := self.door.looks_like(name)) is not None:
                members["__class__"] = property(lambda _: model)
            self.kinds[key] = type(name.rpartition(":")[2] or "thing", (StandIn,), members)
        return self.kinds[key]

    def thing(self, number: object) -> Any:
        """One of ours by its number. Raises CannotCross for a number that was never given."""
        if not isinstance(number, int) or not 0 <= number < len(self.things):
            raise CannotCross(f"there is no thing {number}")
        return self.things[number]

    # -- the pipe

    def send(self, message: list[Any]) -> None:
        """Raises Gone if nobody reads, and CannotCross for more than can be sent."""
        line = dumps(message)
        if len(line) > LONGEST:
            raise CannotCross(f"{len(line)} bytes at once; {LONGEST} is the most that crosses the pipe")
        try:
            self.outgoing.write(line)
            self.outgoing.flush()
        except (OSError, ValueError) as error:
            raise Gone from error

    def receive(self) -> list[Any]:
        """The next message. Raises Gone for the end, and for what is no message."""
        try:
            line = self.incoming.readline(LONGEST + 1)
            message = json.loads(line)
        except (OSError, ValueError, RecursionError) as error:
            raise Gone from error
        if not isinstance(message, list) or not message or not isinstance(message[0], str):
            raise Gone("no message")
        return message


def _iterate(thing: StandIn) -> Any:
    peer, number = thing._end
    everything = peer.ask("iterate", number)
    return thing if everything is None else iter(everything)


def _next(thing: StandIn) -> Any:
    """The next item. What a generator returned at its end comes along, for `yield from`."""
    peer, number = thing._end
    ended, value = peer.ask("next", number)
    if ended:
        raise StopIteration(value)
    return value


def _items(thing: StandIn) -> Any:
    """What is in a thing, asked for once; None for an iterator."""
    if "_items" not in vars(thing):
        peer, number = thing._end
        object.__setattr__(thing, "_items", peer.ask("iterate", number))
    return vars(thing)["_items"]


def _iterate_once(thing: StandIn) -> Any:
    items = _items(thing)
    return thing if items is None else iter(items)


def _len_once(thing: StandIn) -> int:
    return len(_items(thing))


OWN = {"__iter__": _iterate, "__next__": _next}
OWN_ONCE = {"__iter__": _iterate_once, "__next__": _next, "__len__": _len_once}
