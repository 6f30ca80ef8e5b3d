"""The exercise of three functions of the pipeline, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

LOCK = """
@serves("lock_old_page")
def my_lock_old_page(m, page, force):
    yield LOCK_PAGE, page
    if not force and not trylock_page(m, page):
        return -EAGAIN
    if force:
        yield from lock_page(m, page)
    yield WRITEBACK, page
    while ("writeback", page) in m.table and force:
        yield SLEEP_ON_WRITEBACK, page
    if ("writeback", page) not in m.table:
        return 0
    unlock_page(m, page)
    return -EAGAIN
"""
UNMAP = """
@serves("try_to_unmap")
def my_try_to_unmap(m, page, migration=True):
    yield TRY_TO_UNMAP, page
    mapping, rc, begun = m.mapping[page], 0, False
    yield from lock_rmap(m, mapping)
    for pte in rmap_walk(m, page):
        if not rc and maps(pte.value, page):
            if begun:
                yield TRY_TO_UNMAP, page
            begun = True
            rc = try_to_unmap_one(m, page, pte) if maps(pte.value, page) else 0
    unlock_rmap(m, mapping)
    return rc
"""
COPY = """
@serves("copy_one_pte")
def my_copy_one_pte(m, pte, to):
    kind, page = pte.value & PTE_TYPE, pte.value >> PTE_PFN
    if kind == PTE_PRESENT:
        get_page(m, page)
        m.set(m.mapcount, page, m.mapcount[page] + 1)
        value = pte.value & ~PTE_WRITABLE
    elif kind == PTE_MIGRATION_WRITE:
        value = pte.value - PTE_MIGRATION_WRITE + PTE_MIGRATION_READ
    else:
        value = pte.value
    for place in (pte, to):
        m.set(place.table, place.at, value)
"""
RIGHT = {"my_lock_old_page": LOCK, "my_try_to_unmap": UNMAP, "my_copy_one_pte": COPY}
KEEPS_THE_LOCK = LOCK.replace("    unlock_page(m, page)\n", "")
LOOKS_ONCE = """
@serves("try_to_unmap")
def my_try_to_unmap(m, page, migration=True):
    yield TRY_TO_UNMAP, page
    yield from lock_rmap(m, m.mapping[page])
    rc = 0
    for number, pte in enumerate([pte for pte in rmap_walk(m, page) if maps(pte.value, page)]):
        if number:
            yield TRY_TO_UNMAP, page
        rc = rc or try_to_unmap_one(m, page, pte)
    unlock_rmap(m, m.mapping[page])
    return rc
"""
RETURNS_AT_ONCE = """
@serves("try_to_unmap")
def my_try_to_unmap(m, page, migration=True):
    yield TRY_TO_UNMAP, page
    yield from lock_rmap(m, m.mapping[page])
    turned = 0
    for pte in rmap_walk(m, page):
        if maps(pte.value, page):
            if turned:
                yield TRY_TO_UNMAP, page
            turned += 1
            if maps(pte.value, page):
                rc = try_to_unmap_one(m, page, pte)
                if rc:
                    return rc
    unlock_rmap(m, m.mapping[page])
    return 0
"""
FORGETS_ENTRIES = COPY.replace("elif kind == PTE_MIGRATION_WRITE", "elif False")
ONLY_THE_CHILD = COPY.replace("for place in (pte, to)", "for place in (to,)")
CALLS_WITHOUT_YIELD_FROM = UNMAP.replace("yield from lock_rmap", "lock_rmap")
NEVER_SLEEPS = LOCK.replace("    if force:\n        yield from lock_page(m, page)\n", "").replace("not force and ", "")

PIPELINE = Marking(
    Exercise("pipeline", "mend-the-kernel", "my_lock_old_page"),
    {"locks": 2, "writeback": 2, "walk": 2, "refused": 1, "shares": 2, "entries": 2},
    right={"in other words": RIGHT},
    wrong={
        "keeps the page locked": (
            {**RIGHT, "my_lock_old_page": KEEPS_THE_LOCK},
            ["locks", "walk", "refused", "shares", "entries"],
        ),
        "looks once": (
            {**RIGHT, "my_try_to_unmap": LOOKS_ONCE, "my_copy_one_pte": FORGETS_ENTRIES},
            ["locks", "writeback", "refused", "shares"],
        ),
        "returns at once": (
            {"my_try_to_unmap": RETURNS_AT_ONCE, "my_copy_one_pte": ONLY_THE_CHILD},
            ["walk"],
        ),
        "never sleeps": ({"my_lock_old_page": NEVER_SLEEPS}, ["writeback"]),
        "calls without yield from": ({"my_try_to_unmap": CALLS_WITHOUT_YIELD_FROM}, ["refused"]),
    },
    told={
        "keeps the page locked": ["'the kernel stops' should be None, but with your lock_old_page it is"],
        "looks once": ["'the kernel stops' should be None, but with your try_to_unmap it is"],
        "calls without yield from": ["with your try_to_unmap the kernel does not come to an end, KeyError"],
    },
    secret=("rc, first", "&= ~PTE_WRITABLE"),
)


class TestPipeline(Marks):
    """Mend the kernel."""

    marking = PIPELINE
