"""State with one door for every change, and the journal behind that door.

A machine is a set of integer arrays and one table of immutable values. Whoever changes them goes through
``set`` (arrays) or ``put`` (table). The door is bound to one of four writers: plain, recording, checking a
replay, or closed because the machine stands in its past.

The journal holds two integers a change: *where*, and the *other* value: the one before the change while the
change is in force, the one after it while it is undone. Going back and going forward both swap.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

Memory: TypeAlias = "memoryview[int]"

INDEX_BITS = 40  #: a journal entry's *where* is (array number << INDEX_BITS) + index; array number 0 is the table
INDEX_MASK = (1 << INDEX_BITS) - 1


class Diverged(Exception):
    """A replay wrote something else than the recorded run: the model is not deterministic."""


class InThePast(Exception):
    """Somebody tried to change a machine that stands in its past."""


class ArrayInfo(NamedTuple):
    """What is known of an array: how many elements, of which type code, filled with what, and a name for people."""

    size: int
    typecode: str
    fill: int
    label: str


NOTHING: Memory = memoryview(b"")
NO_INFO = ArrayInfo(0, "", 0, "")


class Change(NamedTuple):
    """One change of a step: ``count[7]: 1 -> 2``, or a structure of the table (``index`` is then its key)."""

    label: str
    index: Any
    before: Any
    after: Any


class State:
    """Integer arrays and a table of immutable values, changed through ``set`` and ``put`` alone."""

    set: Callable[[Memory, int, int], None]
    put: Callable[[Hashable, Any], None]

    def __init__(self) -> None:
        self.arrays: list[Memory] = [NOTHING]
        self.table: dict[Hashable, Any] = {}
        self._base: dict[int, int] = {}
        self._info: list[ArrayInfo] = [NO_INFO]
        self._keys: list[Hashable] = []
        self._key_number: dict[Hashable, int] = {}
        self._log: array[int] = array("q")
        self._values: list[Any] = []
        self.begun: dict[int, str] = {}  #: the calls that the journal has, by number, oldest first: their names
        self.calls_begun = 0
        self.journal_epoch = 0  #: goes up when the journal is forgotten: runs recorded before cannot be shown again
        self.stop_recording()

    # -- which writer stands behind the door

    def stop_recording(self) -> None:
        """Write without a journal from now on; what was recorded is forgotten."""
        self._log, self._values, self._cursor, self.begun = array("q"), [], 0, {}
        self.journal_epoch += 1
        self.recording, self._standing = False, "plain"
        self.set, self.put = self._set_plain, self._put_plain

    def start_recording(self) -> None:
        """Write with a journal, from where the machine stands; a recorded future is forgotten."""
        cursor = self.cursor
        values = [self._log[at + 1] for at in range(cursor, len(self._log), 2) if not self._log[at] >> INDEX_BITS]
        if values:
            del self._values[values[0] :]
        del self._log[cursor:]
        self._append = self._log.append
        self.recording, self._standing = True, "recording"
        self.set, self.put = self._set_recorded, self._put_recorded

    def note_call(self, name: str) -> int:
        """A call begins, which the journal, if there is one, will have from here on. Its number, for good."""
        self.calls_begun += 1
        if self.has_journal:
            self.begun[self.calls_begun] = name
        return self.calls_begun

    def forget_calls(self, first: int) -> None:
        """The journal no longer has the calls from number ``first`` on."""
        self.begun = {number: name for number, name in self.begun.items() if number < first}

    def start_checking(self) -> None:
        """From where the machine stands, each write must be the recorded one (:class:`Diverged` otherwise)."""
        self._cursor = self.cursor
        self.recording, self._standing = False, "checking"
        self.set, self.put = self._set_checked, self._put_checked

    @property
    def in_the_past(self) -> bool:
        """Whether the machine shows an earlier state than the newest recorded one, and refuses to be changed."""
        return self._standing == "closed"

    @property
    def has_journal(self) -> bool:
        """Whether there is a way back."""
        return self._standing != "plain"

    @property
    def cursor(self) -> int:
        """The place in the journal: the changes before it are in force."""
        return len(self._log) if self.recording else self._cursor

    @property
    def journal(self) -> array[int]:
        """What was recorded: two integers a change. To look at only."""
        return self._log

    @property
    def journal_bytes(self) -> int:
        """Bytes that the journal takes: two integers a change and one pointer a structure."""
        return 8 * (len(self._log) + len(self._values))

    # -- the writers

    def _set_plain(self, memory: Memory, index: int, value: int) -> None:
        memory[index] = value

    def _set_recorded(self, memory: Memory, index: int, value: int) -> None:
        append = self._append
        append(self._base[id(memory)] + index)
        append(memory[index])
        memory[index] = value

    def _set_checked(self, memory: Memory, index: int, value: int) -> None:
        at, log = self._cursor, self._log
        if at >= len(log) or log[at] != self._base[id(memory)] + index or log[at + 1] != value:
            raise Diverged(
                f"the replay wrote {value} to {self._info[self._base[id(memory)] >> INDEX_BITS].label}[{index}]"
            )
        log[at + 1], memory[index] = memory[index], value
        self._cursor += 2

    def _put_plain(self, key: Hashable, value: Any) -> None:
        if value is None:
            self.table.pop(key, None)
        else:
            self.table[key] = value

    def _put_recorded(self, key: Hashable, value: Any) -> None:
        number = self._key_number.setdefault(key, len(self._keys))
        if number == len(self._keys):
            self._keys.append(key)
        self._append(number)
        self._append(len(self._values))
        self._values.append(self.table.get(key))
        self._put_plain(key, value)

    def _put_checked(self, key: Hashable, value: Any) -> None:
        at, log = self._cursor, self._log
        recorded = at < len(log) and not log[at] >> INDEX_BITS and self._keys[log[at]] == key
        if not recorded or self._values[log[at + 1]] != value:
            raise Diverged(f"the replay put {value!r} as {key!r}")
        self._swap(at)
        self._cursor += 2

    def _closed(self, *_: Any) -> None:
        raise InThePast(
            "the machine stands in its past: run.last() returns to the end of the run, machine.present() to now; "
            "run.resume() goes on from here and forgets what the run did later"
        )

    # -- numbers and arrays

    def next(self, counter: str) -> int:
        """The next number of a kind, from 1. Counters are state, so that a replay hands out the same numbers."""
        number: int = self.table.get(counter, 0) + 1
        self.put(counter, number)
        return number

    def new_array(self, size: int, typecode: str = "q", fill: int = 0, label: str = "array") -> int:
        """The number of a new array of ``size`` integers; ``arrays[number]`` reads it, ``set`` writes it."""
        number, info = self.next("arrays"), ArrayInfo(size, typecode, fill, label)
        if number == len(self.arrays):
            self.arrays.append(NOTHING)
            self._info.append(NO_INFO)
        if self._info[number] != info:  # else it is left over from a forgotten future, and filled as it began
            self._base.pop(id(self.arrays[number]), None)
            self.arrays[number], self._info[number] = _allocate(info), info
            self._base[id(self.arrays[number])] = number << INDEX_BITS
        self.put(("array", number), size)
        return number

    def is_array(self, number: int, label: str) -> bool:
        """Whether an array of that number exists now, under that label."""
        return ("array", number) in self.table and self._info[number].label == label

    def drop_array(self, number: int) -> None:
        """Nobody needs this array any more. Its memory is given back where no journal may ask for it again."""
        self.put(("array", number), None)
        if not self.has_journal:
            self._base.pop(id(self.arrays[number]), None)
            self.arrays[number], self._info[number] = NOTHING, NO_INFO

    # -- time

    def goto(self, position: int) -> None:
        """Undo or redo until exactly the changes before ``position`` in the journal are in force.

        Anywhere but at the journal's end the machine then refuses to be changed.
        """
        self.redo(position)
        if position == len(self._log):
            self.start_recording()
        else:
            self.recording, self._standing = False, "closed"
            self.set, self.put = self._closed, self._closed

    def redo(self, position: int) -> None:
        """Swap recorded changes in or out up to ``position``; who stands behind the door stays as it is."""
        here = self.cursor
        for at in range(here - 2, position - 2, -2) if position < here else range(here, position, 2):
            self._swap(at)
        self._cursor = position

    def see_replay_ended_at(self, position: int, *, same: bool) -> None:
        """Assert that a checked replay made all the changes before ``position``, in the ``same`` turns."""
        if self.cursor != position or not same:
            raise Diverged(f"the replay came to change {self.cursor // 2}, the recorded run to {position // 2}")

    def _swap(self, at: int) -> None:
        where, log = self._log[at], self._log
        if where >> INDEX_BITS:
            memory, index = self.arrays[where >> INDEX_BITS], where & INDEX_MASK
            memory[index], log[at + 1] = log[at + 1], memory[index]
        else:
            key, slot = self._keys[where], log[at + 1]
            value, self._values[slot] = self._values[slot], self.table.get(key)
            self._put_plain(key, value)

    def present(self) -> None:
        """Return from the past to the newest state."""
        if self.in_the_past:
            self.goto(len(self._log))

    def changes(self, begin: int, end: int) -> Iterator[Change]:
        """The recorded changes between two journal places, each with its value before and after it.

        The journal keeps one value a change; the other stands in the state or in the next change of the same
        place, so the walk goes over all that was recorded since.
        """
        newest = self.cursor
        later: dict[int, Any] = {}
        found: list[Change] = []
        # In force: the log has the value before, the state (or a later change) has the value after.
        for at in range(newest - 2, begin - 2, -2):
            where, other = self._log[at], self._other(at)
            if at < end:
                found.append(self._change(where, other, later[where] if where in later else self._now(where)))
            later[where] = other
        yield from reversed(found)
        # Undone: the log has the value after, the state (or an earlier change) has the value before.
        earlier: dict[int, Any] = {}
        for at in range(newest, end, 2):
            where, other = self._log[at], self._other(at)
            if at >= begin:
                yield self._change(where, earlier[where] if where in earlier else self._now(where), other)
            earlier[where] = other

    def _other(self, at: int) -> Any:
        return self._log[at + 1] if self._log[at] >> INDEX_BITS else self._values[self._log[at + 1]]

    def _now(self, where: int) -> Any:
        if where >> INDEX_BITS:
            return self.arrays[where >> INDEX_BITS][where & INDEX_MASK]
        return self.table.get(self._keys[where])

    def _change(self, where: int, before: Any, after: Any) -> Change:
        if where >> INDEX_BITS:
            return Change(self._info[where >> INDEX_BITS].label, where & INDEX_MASK, before, after)
        return Change("table", self._keys[where], before, after)

    def fingerprint(self) -> str:
        """A hash of the whole state: equal states have equal fingerprints."""
        digest = blake2b(digest_size=16)
        for number in range(1, len(self.arrays)):
            if ("array", number) in self.table:
                digest.update(b"%d:" % number)
                digest.update(self.arrays[number])
        digest.update(repr(sorted(self.table.items(), key=repr)).encode())
        return digest.hexdigest()


def _allocate(info: ArrayInfo) -> Memory:
    """Zeroed memory comes from the system unwritten, so a machine of millions of frames is there at once."""
    item = array(info.typecode, [info.fill])
    if info.fill or not info.size:
        return memoryview(item * info.size)
    return memoryview(bytearray(info.size * item.itemsize)).cast(info.typecode)  # type: ignore[call-overload,no-any-return]
