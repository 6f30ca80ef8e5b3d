"""Values as JSON, and back: what is plain or cannot change is copied, all else is left to the two ends of the pipe.

Nothing is built here that a sender could choose freely: numbers, texts and containers of Python, and the small records
of numakit (`NamedTuple`, frozen dataclasses), whose fields are checked by nobody and decide nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from numbers import Integral
from typing import Any

from numakit.moments import Moment, moment_named

PLAIN = (bool, int, float, str, type(None))
COPIED: dict[str, type[list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
RECORDS = "numakit."  #: where the modules of records are


class CannotCross(TypeError):
    """A value that is neither plain nor anything that the other side could ask for."""


def encode(value: Any, other: Callable[[Any], Any]) -> Any:
    """The value as JSON; `other` says what stands for one that cannot be copied. Raises CannotCross."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, Moment):  # there is only one of each, and the pipeline asks for that one
        return ["moment", value.name]
    if (record := _record_name(value)) is not None:
        return ["record", record, [encode(item, other) for item in _fields(value)]]
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, Integral):  # numpy's
        return int(value)
    if isinstance(value, bytes | bytearray):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, slice | range):
        return [type(value).__name__, value.start, value.stop, value.step]
    for name, kind in COPIED.items():
        if isinstance(value, kind):
            return [name, [encode(item, other) for item in value]]
    if isinstance(value, Mapping) and type(value).__module__ in ("builtins", "collections"):
        return ["dict", [[encode(key, other), encode(item, other)] for key, item in value.items()]]
    if isinstance(value, memoryview):  # what it shows changes, so that a copy would be of no use
        return other(value)
    if isinstance(value, Collection) and type(value).__module__ in ("builtins", "collections"):  # views, deques
        return ["set" if isinstance(value, Set) else "list", [encode(item, other) for item in value]]
    return other(value)


def decode(content: Any, other: Callable[[list[Any]], Any]) -> Any:
    """The value back; `other` finds what a number stands for. Raises CannotCross for what nobody sends."""
    if type(content) in PLAIN:
        return content
    try:
        return _built(content, other)
    except CannotCross:
        raise
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise CannotCross(f"no value: {str(content)[:80]} ({error})") from error


def _built(content: Any, other: Callable[[list[Any]], Any]) -> Any:
    kind, *rest = content
    if kind in COPIED:
        return COPIED[kind]([decode(item, other) for item in rest[0]])
    if kind == "dict":
        return {decode(key, other): decode(item, other) for key, item in rest[0]}
    if kind == "bytes":
        return bytes.fromhex(rest[0])
    if kind in ("slice", "range"):
        return (slice if kind == "slice" else range)(*rest)
    if kind == "moment":
        return moment_named(rest[0])
    if kind == "record":
        values = [decode(item, other) for item in rest[1]]
        cls = _record_named(rest[0])
        return cls(**dict(zip(_field_names(cls), values, strict=True)))
    return other(content)


def dumps(message: Any) -> bytes:
    """A message as one line. Raises CannotCross for numbers that are too long to print."""
    try:
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"
    except ValueError as error:
        raise CannotCross(str(error)) from error


def _record_name(value: Any) -> str | None:
    cls = type(value)
    if not cls.__module__.startswith(RECORDS) or not _is_record(cls):
        return None
    return f"{cls.__module__}:{cls.__qualname__}"


def _record_named(name: str) -> Any:
    module, _, qualname = name.partition(":")
    if not module.startswith(RECORDS) or "." in qualname:
        raise CannotCross(f"{name} is no record of numakit")
    found = getattr(sys.modules.get(module), qualname, None)  # nothing is imported because somebody names it
    if not isinstance(found, type) or not _is_record(found):
        raise CannotCross(f"{name} is no record of numakit")
    return found


def _is_record(cls: type) -> bool:
    if is_dataclass(cls):
        return bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def _field_names(cls: Any) -> Iterable[str]:
    return [field.name for field in fields(cls) if field.init] if is_dataclass(cls) else cls._fields


def _fields(value: Any) -> list[Any]:
    return [getattr(value, name) for name in _field_names(type(value))]
