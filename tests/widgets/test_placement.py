"""The PlacementView and what it is drawn from: every state told apart, every control against the model."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from numakit import Machine, Process, Topology, Vma
from numakit.widgets import PlacementView, placement, strips
from numakit.widgets.snapshot import in_cells, side_by_side
from numakit.widgets.strips import ALL_CELLS, FEWEST_CELLS, MOST_CELLS, MOST_NAMED, SHOWN_AREAS


def _machine(name: str = "ring4", scale: int = 1 << 8) -> Machine:
    return Machine(Topology.preset(name), scale=scale)


def _all_states() -> tuple[Machine, Process, Vma, Vma]:
    """A heap with every state of anonymous memory but a migration entry, and a window on a file."""
    machine = _machine()
    shell = machine.spawn("shell", uid=0, node=0)
    heap = shell.mmap(pages=10)
    shell.write(heap[0:6])
    shell.read(heap[6])
    shell.move_pages(0, heap[0:2], nodes=[2, 3])
    machine.migrate_prep()
    assert machine.reclaim([shell.page(heap[5]) or 0]) == 1
    window = shell.mmap(pages=4, shared=True, file=machine.file("accounts", pages=4))
    shell.read(window[0:3])
    return machine, shell, heap, window


def _many_pages(pages: int) -> tuple[Process, Vma]:
    machine = _machine("two-sockets", scale=1 << 3)
    shell = machine.spawn("shell", uid=0, node=0)
    return shell, shell.mmap(pages=pages)


def _press(view: PlacementView, strip: int, *keys: str) -> None:
    """What the front does with keys: it sets what was said with the panels."""
    for key in keys:
        view.set_state(view.wishes[str(strip)].get(key, {}))


def _panels(view: PlacementView) -> dict[str, Any]:
    kept = ("html_", "sliders", "wishes")
    return {name: value for name, value in view.get_state().items() if name.startswith(kept)}


# -- what is read


def test_every_state_is_told_apart() -> None:
    _, shell, heap, window = _all_states()
    assert placement(heap).counts == {
        "node 0": 3, "node 2": 1, "node 3": 1, "not present": 3, "swapped out": 1, "zero page": 1,
    }  # fmt: skip
    assert placement(window).counts == {"node 0 (file)": 3, "not present": 1}
    assert len(placement(shell)) == 14
    told = f"shell, 4 pages from {window.start:#x}: 3 on node 0 (file), 1 not present"
    assert repr(placement(window)) == f"<Placement of {told}>"


def test_a_page_on_its_way_is_a_migration_entry() -> None:
    _, shell, heap, _ = _all_states()
    run = shell.machine.record(shell.move_pages, 0, [heap[2]], nodes=[1])
    run.goto(run.find("COPY"))
    assert placement(heap).counts["migration entry"] == 1
    run.last()
    assert "migration entry" not in placement(heap).counts


def test_a_private_copy_of_a_file_page_is_no_file_page() -> None:
    machine, shell, _, _ = _all_states()
    private = shell.mmap(pages=2, file=machine.file("data", pages=2))
    shell.read(private[0])
    shell.write(private[1])
    assert placement(private).counts == {"node 0": 1, "node 0 (file)": 1}


def test_it_agrees_with_the_facade_page_by_page() -> None:
    machine, shell, *_ = _all_states()
    told = placement(machine)
    for area, vma in zip(told.areas, shell.vmas, strict=True):
        names = [told.name_of(int(state)) for state in area.states]
        for name, pte in zip(names, vma.ptes, strict=True):
            zero = name == "zero page"
            assert zero or name.startswith("node") == (pte.kind == "present")
            if name.startswith("node"):
                assert name.removesuffix(" (file)") == f"node {pte.node}"


def test_a_placement_stays_when_the_machine_goes_on() -> None:
    shell, area = _many_pages(8)
    shell.write(area)
    taken = placement(shell)
    shell.move_pages(0, area, nodes=[1] * 8)
    assert (taken.counts, placement(shell).counts) == ({"node 0": 8}, {"node 1": 8})


def test_a_process_that_does_not_exist_has_no_pages() -> None:
    shell, area = _many_pages(2)
    shell.exit()
    assert placement(shell).counts == placement(area).counts == {}
    assert "0 pages" in PlacementView(shell).text()


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="what=7"):
        placement(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="what=None"):
        PlacementView()
    shell, area = _many_pages(2)
    with pytest.raises(TypeError, match="before=\\[0\\]"):
        PlacementView(shell, before=[0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the same are wanted"):
        PlacementView(shell, before=placement(_machine()))
    run = shell.machine.record(shell.write, area)
    with pytest.raises(ValueError, match="a run has both"):
        PlacementView(run, before=placement(shell))


# -- before and after


def test_areas_are_compared_by_address_however_they_were_cut() -> None:
    """A munmap in the middle: two areas are left, and between them what is gone."""
    shell, area = _many_pages(9)
    shell.write(area[0:5])
    before = placement(shell)
    shell.munmap(area[3:6])
    found = side_by_side(before, placement(shell))
    told = [(s.area.start, s.area.pages, strips.sentence(before, s, 0, s.area.pages)) for s in found]
    assert told == [
        (area[0], 3, "before: 3 on node 0; after: 3 on node 0; nothing changed"),
        (area[3], 3, "before: 2 on node 0, 1 not present; after: 3 not mapped; 3 changed"),
        (area[6], 3, "before: 3 not present; after: 3 not present; nothing changed"),
    ]


def test_each_process_is_compared_with_itself() -> None:
    """Both have an area at the same address."""
    machine = _machine()
    one, other = (machine.spawn(name, uid=0, node=node) for name, node in (("one", 0), ("other", 1)))
    areas = [process.mmap(pages=2) for process in (one, other)]
    assert areas[0].start == areas[1].start
    one.write(areas[0])
    before = placement(machine)
    other.write(areas[1])
    told = [strips.sentence(before, s, 0, 2) for s in side_by_side(before, placement(machine))]
    assert told == [
        "before: 2 on node 0; after: 2 on node 0; nothing changed",
        "before: 2 not present; after: 2 on node 1; 2 changed",
    ]


def test_what_is_new_was_not_mapped_before() -> None:
    shell, _ = _many_pages(1)
    before = placement(shell)
    new = shell.mmap(pages=2)
    view = PlacementView(shell, before=before)
    assert f"{new.start:#x}: 2 pages: before: 2 not mapped; after: 2 not present; 2 changed" in view.text()


def test_a_run_has_its_beginning_and_its_end_and_stays_where_it_stood() -> None:
    shell, area = _many_pages(6)
    shell.write(area)
    machine = shell.machine
    run = machine.record(shell.move_pages, 0, area[0:3], nodes=[1] * 3)
    later = machine.record(shell.write, area)
    for stand in (lambda: run.goto(5), machine.present, later.first):
        stand()
        print_of = (machine.fingerprint(), machine.cursor, machine.in_the_past, machine.run, run.position)
        view = PlacementView(run)
        assert (machine.fingerprint(), machine.cursor, machine.in_the_past, machine.run, run.position) == print_of
        assert view.before is not None
        assert (view.before.counts, view.after.counts) == ({"node 0": 6}, {"node 0": 3, "node 1": 3})


def test_a_run_under_way_goes_on_afterwards() -> None:
    shell, area = _many_pages(3)
    shell.write(area)
    run = shell.machine.begin(shell.move_pages, 0, area, nodes=[1] * 3)
    run.forward(20)
    PlacementView(run)
    assert run.finish().status == [1] * 3


def test_an_unrecorded_run_has_no_placement() -> None:
    shell, area = _many_pages(1)
    run = shell.machine.record(shell.write, area)
    shell.machine.stop_recording()
    with pytest.raises(RuntimeError):
        PlacementView(run)


def test_update_looks_again_and_a_taken_one_has_no_now() -> None:
    shell, area = _many_pages(4)
    view = PlacementView(shell, before=placement(shell))
    view.chosen = [0, 1, 2]
    view.look_closer()
    shell.write(area)
    assert view.after.counts == {"not present": 4}
    view.update()
    assert (view.after.counts, view.chosen, view.zoom) == ({"node 0": 4}, [], [])
    with pytest.raises(RuntimeError, match="no now"):
        PlacementView(placement(shell)).update()


# -- cells


def test_a_cell_has_the_state_of_most_of_its_pages_and_the_next() -> None:
    """Against counting, for pages that do not share out evenly."""
    states = np.random.default_rng(7).integers(0, 5, 1234).astype(np.int32)
    states[:200] = 3
    cells = in_cells(states, 100)
    assert len(cells) == 100
    assert (cells.edges[0], cells.edges[-1]) == (0, 1234)
    for i, (first, end) in enumerate(zip(cells.edges, cells.edges[1:], strict=False)):
        counted = sorted(Counter(states[first:end].tolist()).items(), key=lambda item: (-item[1], item[0]))
        assert cells.most[i] == counted[0][0]
        assert cells.second[i] == (counted[1][0] if len(counted) > 1 else -1)


def test_no_more_cells_than_pages_and_none_of_nothing() -> None:
    assert len(in_cells(np.zeros(3, np.int32), 600)) == 3
    assert len(in_cells(np.zeros(0, np.int32), 600)) == 0


def test_many_areas_share_the_cells_and_the_rest_is_told() -> None:
    shell, _ = _many_pages(1000)
    assert len(strips.windows(PlacementView(shell).strips)[0]) == MOST_CELLS
    for _ in range(SHOWN_AREAS + 2):
        shell.mmap(pages=1000)
    view = PlacementView(shell)
    shown = strips.windows(view.strips)
    assert len(shown) == SHOWN_AREAS
    assert sum(map(len, shown)) <= max(ALL_CELLS, SHOWN_AREAS * FEWEST_CELLS)
    assert "... and 3 more areas" in view.text()
    assert "... and 3 more areas" in view.html_areas


def test_a_million_pages_are_few_elements() -> None:
    shell, area = _many_pages(1_000_000)
    shell.write(area[0:100_000])
    view = PlacementView(shell)
    assert view.after.counts == {"node 0": 100_000, "not present": 900_000}
    assert view.html_areas.count("<i ") == 2
    worst = placement(shell)
    worst.areas[0].states[:] = np.random.default_rng(1).integers(1, 9, 1_000_000)
    noisy = PlacementView(worst)
    assert noisy.html_areas.count("<i ") <= MOST_CELLS
    assert len(noisy.html_areas) < 200_000


def test_many_nodes_are_named_in_the_table_and_counted_in_the_sentence() -> None:
    shell = _machine("altix", scale=1 << 12).spawn("wide", uid=0, node=0)
    area = shell.mmap(pages=64)
    shell.write(area)
    shell.move_pages(0, area, nodes=list(range(64)))
    view = PlacementView(shell)
    assert f"{64 - MOST_NAMED + 1} in {64 - MOST_NAMED + 1} other places" in view.text()
    assert view.html_sums.count("<tr>") == 1 + 64
    assert all(f"> node {node}</li>" in view.html_legend for node in range(64))


# -- controls


def test_cells_are_chosen_by_keys() -> None:
    _, shell, *_ = _all_states()
    view = PlacementView(shell)
    _press(view, 0, "ArrowRight")
    assert view.chosen == [0, 0, 0]
    _press(view, 0, "ArrowRight", "ArrowRight", "Shift+ArrowRight")
    assert (view.chosen, view.chosen_pages) == ([0, 2, 3], (0, 2, 2))
    _press(view, 0, "Shift+ArrowLeft", "Shift+ArrowLeft")
    assert (view.chosen, view.chosen_pages) == ([0, 2, 1], (0, 1, 2))
    _press(view, 0, "End", "ArrowRight")
    assert view.chosen == [0, 9, 9]
    _press(view, 0, "Shift+Home")
    assert view.chosen_pages == (0, 0, 10)
    _press(view, 1, "PageDown")
    assert view.chosen == [1, 0, 0]
    _press(view, 1, "Escape")
    assert view.chosen == []


def test_what_is_chosen_is_told_in_words() -> None:
    _, shell, heap, _ = _all_states()
    view = PlacementView(shell)
    view.chosen = [0, 4, 6]
    told = "1 on node 0, 1 swapped out, 1 zero page"
    assert view.sliders["0"] == {"first": 4, "last": 6, "at": 6, "text": f"pages 4-6: {told}"}
    assert f"<b>pages 4-6 ({heap[4]:#x}-{heap[7]:#x})</b> {told}" in view.html_chosen
    assert view.sliders["1"]["first"] == -1


def test_closer_and_closer_down_to_single_pages_and_back() -> None:
    shell, area = _many_pages(1_000_000)
    shell.write(area[555_000])
    view = PlacementView(shell)
    at = 555_000
    while view.closer is None or view.closer.end - view.closer.first > MOST_CELLS:
        number = -1 if view.closer else 0
        edges = (view.closer or strips.windows(view.strips)[0]).edges
        cell = max(i for i, edge in enumerate(edges) if edge <= at)
        view.set_state({"chosen": [number, cell, cell]})
        _press(view, number, "Enter")
    assert len(view.zoom) == 2
    assert "1 on node 0" in view.html_closer
    assert "one page a cell" in view.html_closer
    depth = len(view.zoom)
    for left in range(depth - 1, -1, -1):
        _press(view, -1 if view.zoom else 0, "Escape")
        assert len(view.zoom) == left
    assert (view.html_closer, view.chosen) == ("", [])


def test_pages_of_another_strip_are_looked_at_in_place_of_those_before() -> None:
    _, shell, *_ = _all_states()
    view = PlacementView(shell)
    view.chosen = [0, 1, 4]
    view.look_closer()
    view.chosen = [1, 0, 1]
    view.look_closer()
    assert view.zoom == [[1, 0, 2]]
    view.back_out()
    assert view.zoom == []


def test_what_is_shown_closely_already_is_not_offered_again() -> None:
    _, shell, *_ = _all_states()
    view = PlacementView(shell)
    assert view.html_chosen.count('aria-disabled="true"') == 2
    view.chosen = [0, 2, 2]
    view.look_closer()
    assert view.zoom == [[0, 2, 1]]
    view.look_closer()
    assert view.zoom == [[0, 2, 1]]
    assert view.html_chosen.count('aria-disabled="true"') == 1


def test_buttons_set_what_the_methods_set() -> None:
    _, shell, *_ = _all_states()
    view, other = PlacementView(shell), PlacementView(shell)
    view.chosen = other.chosen = [0, 1, 4]
    (wish,) = re.findall(r"data-set='([^']*)'>Look closer", view.html_chosen)
    view.set_state(json.loads(wish))
    other.look_closer()
    assert (view.zoom, view.chosen) == (other.zoom, other.chosen) == ([[0, 1, 4]], [-1, 0, 0])
    (wish,) = re.findall(r"data-set='([^']*)'>Back out", view.html_chosen)
    view.set_state(json.loads(wish))
    other.back_out()
    assert (view.zoom, view.chosen) == (other.zoom, other.chosen) == ([], [])


@pytest.mark.parametrize(
    "sent",
    [
        {"chosen": [0, -5, 99]}, {"chosen": [9, 0, 0]}, {"chosen": [-1, 0, 0]}, {"chosen": [0]}, {"zoom": [[7, 0, 1]]},
        {"zoom": [[0]]}, {"zoom": [[0, 99, 99]]}, {"chosen": [-1, 0, 3], "zoom": [[1, -4, 99], [5, 5, 5]]},
        {"zoom": [[]], "chosen": [-1, 2, 2]},
    ],
)  # fmt: skip
def test_nothing_that_the_front_sends_can_break_it(sent: dict[str, Any]) -> None:
    _, shell, *_ = _all_states()
    view = PlacementView(shell)
    view.set_state(sent)
    view.update()
    view.set_state(sent)
    pages = view.chosen_pages
    assert pages is None or 0 <= pages[1] < pages[1] + pages[2] <= view.strips[pages[0]].area.pages
    assert view.static_html()


# -- what is drawn


def test_equal_views_are_equal_bytes_however_one_comes_there() -> None:
    _, shell, *_ = _all_states()
    views = [PlacementView(shell, before=placement(shell)) for _ in range(2)]
    for view in views:
        view.chosen = [0, 1, 4]
        view.look_closer()
    for keys in (["End", "Enter", "Escape"], ["Home", "Shift+ArrowRight"], ["Escape"], ["Escape"]):
        _press(views[0], -1 if views[0].zoom else 0, *keys)
    views[0].set_state({"zoom": views[1].zoom})
    views[0].set_state({"chosen": views[1].chosen})
    assert _panels(views[0]) == _panels(views[1])
    assert views[0].static_html() == views[1].static_html()


def test_moving_sends_neither_strips_nor_sums() -> None:
    """Of a million pages only the words change: the front keeps the cells that it has."""
    _, shell, *_ = _all_states()
    view = PlacementView(shell)
    still = {name: getattr(view, name) for name in ("html_head", "html_legend", "html_areas", "html_sums")}
    changed: set[str] = set()
    view.observe(lambda change: changed.add(change["name"]))
    _press(view, 0, "ArrowRight", "ArrowRight")
    assert changed - {"_property_lock"} == {"chosen", "html_chosen", "sliders", "wishes", "drawn"}
    assert still == {name: getattr(view, name) for name in still}


class _Elements(HTMLParser):
    """The elements that are open, and every attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in ("input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_output_carries_view_picture_and_text_and_promises_nothing() -> None:
    _, shell, *_ = _all_states()
    view = PlacementView(shell, before=placement(shell))
    view.chosen = [0, 1, 4]
    view.look_closer()
    data, _ = view._repr_mimebundle_()
    assert (data["text/plain"], data["text/html"]) == (view.text(), view.static_html())
    assert "application/vnd.jupyter.widget-view+json" in data
    page = _Elements()
    page.feed(view.static_html())
    assert not page.open
    assert not {"tabindex", "role", "data-set"} & {name for name, value in page.attributes if value != "heading"}
    assert not re.search(r"<button|<script|https?:|url\(|@import", view.static_html())
    assert repr(view) == "<PlacementView: Pages of shell: 14 pages>"


def test_text_and_picture_say_the_same() -> None:
    _, shell, *_ = _all_states()
    view = PlacementView(shell, before=placement(shell))
    plain = re.sub(r"<[^>]*>", " ", view.static_html())
    for strip in view.strips:
        told = strips.sentence(view.after, strip, 0, strip.area.pages)
        assert told in view.text()
        assert told in plain


def test_names_of_processes_and_files_are_escaped() -> None:
    machine = _machine()
    evil = "<img src=x>'\""
    shell = machine.spawn(evil, node=0)
    shell.mmap(pages=1, file=machine.file(evil, pages=1))
    view = PlacementView(shell)
    assert "<img" not in view.static_html() + "".join(str(value) for value in _panels(view).values())
