"""The page that a run is exported to, opened from a file; and the functions of stepper.js by themselves."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from numakit.widgets import Stepper
from numakit.widgets.panels import script as front
from tests.browser.look import LOOK, UNREACHED, violations
from tests.browser.runs import BUSY, FILE, PINNED, SHORT, made

pytestmark = pytest.mark.timeout(300)

#: Every panel at every step, forward, back, and by jumps: the bytes of each, and what moved or was cut off.
WALK = """() => {
    const range = document.querySelector(".nk-scrubber"), seen = [], first = {}, moved = new Set(), wrong = [];
    const panels = [...document.querySelectorAll("[data-panel]")];
    const go = step => { range.value = step; range.dispatchEvent(new Event("input")); };
    const look = () => panels.map(e => e.innerHTML).join("\\n");
    const place = element => {
        const { left, top, width, height } = element.getBoundingClientRect();
        return [left, top, width, height].map(Math.round).join();
    };
    const length = +range.max;
    for (let step = 0; step <= length; step++) {
        go(step); seen.push(look());
        for (const e of panels) {
            first[e.dataset.panel] ??= place(e);
            if (first[e.dataset.panel] !== place(e)) moved.add(e.dataset.panel);
        }
    }
    for (let step = length; step >= 0; step--) { go(step); if (look() !== seen[step]) wrong.push(step); }
    for (let i = 0; i <= length; i++) {
        const step = i * 7 % (length + 1);
        go(step);
        if (look() !== seen[step]) wrong.push(step);
    }
    return { moved: [...moved], wrong, wide: document.documentElement.scrollWidth > innerWidth };
}"""


def _exported(source: str, folder: Path) -> Path:
    path = folder / "run.html"
    made(source).to_html(path)
    return path


def _at(page: Any, position: int) -> None:
    page.wait_for_function("n => +document.querySelector('.nk').dataset.position === n", arg=position)


def _opened(open_page: Any, path: Path, **look: Any) -> Any:
    page = open_page(path.as_uri(), **look)
    page.goto(path.as_uri())
    page.wait_for_selector(".nk-controls button")
    return page


def test_the_page_steps_both_ways_from_a_file(open_page: Any, tmp_path: Path) -> None:
    """With the panels that the widget has, the same keys, jumps, breaks and reasons."""
    path = _exported(SHORT, tmp_path)
    page, stepper = _opened(open_page, path), Stepper(made(SHORT))
    page.locator(".nk").focus()
    for step in [*range(1, len(stepper.run) + 1), *range(len(stepper.run) - 1, -1, -1)]:
        page.keyboard.press("ArrowRight" if step > stepper.position else "ArrowLeft")
        stepper.show(step)
        _at(page, step)
        said = page.locator(".nk-say").inner_text()
        assert said == stepper.scene.sentence
    for key, where in (("n", "pass"), ("p", "page"), ("a", "actor"), ("f", "failure"), ("Shift+ArrowRight", "over")):
        stepper.jump(where)
        page.keyboard.press(key)
        _at(page, stepper.position)
    page.locator(".nk-track [data-break=COPY]").click()
    page.keyboard.press("Home")
    page.keyboard.press("c")
    stepper.first()
    stepper.breaks = ["COPY"]
    stepper.run_on()
    _at(page, stepper.position)
    page.locator(".nk-entries [data-why=return]").click()
    assert "Nothing has been decided yet" in page.locator(".nk-why-box").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    page.locator(".nk-entries [data-why='2']").click()
    assert stepper.run.result.explain(2) in page.locator(".nk-why-box").inner_text()
    answers, box = (page.locator(name).bounding_box() for name in (".nk-entries", ".nk-why-box"))
    assert abs(box["y"] - answers["y"] - answers["height"]) < 5  # it opens where the question was asked


def test_play_goes_on_by_itself_and_stops_at_a_break(open_page: Any, tmp_path: Path) -> None:
    page = _opened(open_page, _exported(SHORT, tmp_path))
    page.locator(".nk-track [data-break=PASS]").click()
    page.locator(".nk").focus()
    page.keyboard.press("Home")
    page.get_by_label("Speed").select_option("fast")
    page.locator(".nk").focus()
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.nk-play').innerText.includes('Pause')")
    page.wait_for_function("() => document.querySelector('.nk-play').innerText.includes('Play')")
    assert page.locator(".nk-track [aria-current]").get_attribute("data-moment") == "PASS"


def test_a_long_walk_is_one_line_that_opens_and_stays_open(open_page: Any, tmp_path: Path) -> None:
    """The munmap drops 60 PTEs."""
    run = made(BUSY)
    page = _opened(open_page, _exported(BUSY, tmp_path))
    walk = next(s.number for s in run.steps if s.moment.name == "ZAP_PTE")
    page.locator(".nk").focus()
    page.locator(".nk-track [data-moment=ZAP_PTE]").click()
    _at(page, walk + 1)
    line = page.locator(".nk-log [aria-current] > details")
    assert "ZAP_PTE × " in line.locator("summary").inner_text()
    line.locator("summary").click()
    page.locator(".nk").focus()
    page.keyboard.press("ArrowRight")
    _at(page, walk + 2)
    assert line.evaluate("e => e.open")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function("n => +document.querySelector('.nk').dataset.position > n", arg=walk + 8)


@pytest.mark.parametrize("source", [BUSY, FILE], ids=["busy", "file"])
def test_no_box_moves_and_equal_steps_are_equal_bytes(source: str, open_page: Any, tmp_path: Path) -> None:
    """However one comes to a step, at any width; and nothing is wider than the window."""
    path = _exported(source, tmp_path)
    for width in (420, 900, 1400):
        walked = _opened(open_page, path, width=width).evaluate(WALK)
        assert walked == {"moved": [], "wrong": [], "wide": False}, width


@pytest.mark.parametrize("source", [BUSY, FILE, PINNED], ids=["busy", "file", "pinned"])
@pytest.mark.parametrize("width", [320, 640, 700])
def test_text_can_be_read_at_200_and_at_400_percent(source: str, width: int, open_page: Any, tmp_path: Path) -> None:
    """A window of 1280 or 1400 pixels has half as many at 200 percent, 320 at 400 percent."""
    page = _opened(open_page, _exported(source, tmp_path), width=width, height=600, device_scale_factor=2)
    length = int(page.locator(".nk").get_attribute("data-length"))
    for step in range(0, length + 1, 13):
        page.locator(".nk-scrubber").evaluate(
            "(e, step) => { e.value = step; e.dispatchEvent(new Event('input')); }", step
        )
        assert page.evaluate(LOOK) == {"clipped": [], "over": [], "wide": False}, step
        assert page.evaluate(UNREACHED) == [], step


def test_nothing_moves_by_itself_for_who_wants_less_motion(open_page: Any, tmp_path: Path) -> None:
    """For everybody else what has changed fades in; a step is animated neither more nor longer."""
    path = _exported(SHORT, tmp_path)
    for wish in ("reduce", "no-preference"):
        page = _opened(open_page, path, reduced_motion=wish)
        page.evaluate("() => document.addEventListener('animationstart', e => { window.moved = e.animationName; })")
        page.locator(".nk-track [data-moment=COPY]").click()
        if wish == "no-preference":
            page.wait_for_function("() => window.moved === 'nk-fade'")
        styles = "[...document.querySelectorAll('.nk, .nk *')].map(e => getComputedStyle(e))"
        moves = "s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0 || s.scrollBehavior === 'smooth'"
        assert page.evaluate(f"() => {styles}.some(s => {moves})") == (wish == "no-preference")


def test_axe_finds_nothing(open_page: Any, tmp_path: Path) -> None:
    """Light and dark, wide and narrow, and with everything open that opens."""
    path = _exported(BUSY, tmp_path)
    for scheme, width in product(("light", "dark"), (1200, 420)):
        page = _opened(open_page, path, width=width, scheme=scheme)
        page.locator(".nk").focus()
        for keys in ([], ["End"], ["?"], ["Escape", "w"]):
            for key in keys:
                page.keyboard.press(key)
            assert violations(page) == [], (scheme, width, keys)
        page.keyboard.press("Escape")
        page.locator(".nk-jump").click()
        assert violations(page) == [], (scheme, width, "jump")


# -- the script by itself


@pytest.fixture
def script(open_page: Any) -> Any:
    """A page that has the functions of stepper.js at hand."""
    page = open_page("about:")
    page.goto("about:blank")
    source = front("stepper.js") + "\nObject.assign(window, { morph, fill, keyName, KEYS, recorded, mount });"
    page.add_script_tag(content=source, type="module")
    page.wait_for_function("() => window.recorded")
    return page


def test_drawing_keeps_the_nodes_that_need_not_go(script: Any) -> None:
    kept = script.evaluate("""() => {
        const box = document.createElement("div");
        fill(box, "<p class='a'>one</p><ul><li>1</li><li>2</li></ul>");
        const [p, ul] = box.children, first = ul.firstChild;
        fill(box, "<p>two</p><ul><li>1</li><li id='x'>3</li><li>4</li></ul>");
        return [p === box.children[0], first === box.querySelector("li"), box.innerHTML];
    }""")
    assert kept == [True, True, '<p>two</p><ul><li>1</li><li id="x">3</li><li>4</li></ul>']


def test_what_was_opened_stays_open_and_another_walk_is_closed(script: Any) -> None:
    states = script.evaluate("""() => {
        const box = document.createElement("div"), states = [];
        for (const [key, text] of [["a", "1"], ["a", "2"], ["b", "3"]]) {
            fill(box, `<details data-key="${key}"><summary>${text}</summary></details>`);
            states.push(box.firstChild.open);
            box.firstChild.open = true;
        }
        return states;
    }""")
    assert states == [False, True, False]


def test_keys_that_belong_to_a_field_or_a_button_are_left_to_it(script: Any) -> None:
    names = script.evaluate("""() => {
        const press = (tag, key, more = {}) => keyName({ target: { tagName: tag, type: "text" }, key, ...more });
        return [
            press("DIV", "ArrowRight"), press("DIV", "P"), press("DIV", "ArrowLeft", { shiftKey: true }),
            press("DIV", "q"), press("INPUT", "p"), press("SELECT", "ArrowDown"), press("BUTTON", " "),
            press("DIV", "c", { ctrlKey: true }), press("INPUT", "Escape"),
        ];
    }""")
    assert names == ["ArrowRight", "p", "Shift+ArrowLeft", None, None, None, None, None, "Escape"]


def test_a_recorded_source_puts_its_steps_together(script: Any) -> None:
    heard = script.evaluate("""() => {
        const step = (now, moment, page) => ({ panels: { now }, jumps: {}, moment, page });
        const source = recorded({ position: 0, frame: "", pieces: ["a", "b", "c"], why: {},
            steps: [step([0]), step([0, 1], "COPY", 7), step([2], "FREED", 8)] });
        const told = [];
        source.listen({ drawn: () => told.push(source.now().panels.now), why: w => told.push(w.html) });
        source.goto(1); source.goto(99); source.goto(-5);
        source.ask({ do: "moment", name: "FREED" }); source.goto(0);
        source.setBreaks(["page 7"]); source.ask({ do: "continue" }); source.ask({ do: "why", entry: 3 });
        return told;
    }""")
    assert heard == ["ab", "c", "a", "c", "a", "ab", "<p>Nothing is known of this entry.</p>"]


def test_what_would_be_forgotten_is_said_before_and_sent_with_the_wish(script: Any) -> None:
    """The kernel compares: who agreed to lose one call has not agreed to lose two."""
    shown = script.evaluate("""() => {
        const at = { position: 1, wanted: 1, length: 2, finished: true, joined: 1, jumps: {}, moment: null };
        const asked = [], shown = { page: null, breaks: [], code: "", note: "", panels: {} };
        const offers = { who: [[1, "shell"]], what: [["write", "write", true]], where: ["0x10000000"] };
        const source = {
            whatIf: true, ask: wish => asked.push(wish), goto: step => asked.push(step), setBreaks() {},
            listen(ears) { source.ears = ears; return () => {}; },
            now: () => ({ ...at, ...shown, offers }),
        };
        shown.frame = `<div class="nk-controls"></div><div class="nk-time"></div>` + ["entries", "log", "track",
            "ptes", "now"].map(name => `<div data-panel="${name}"></div>`).join("");
        const root = document.createElement("div"), seen = [];
        document.body.append(root);
        at.later = "";
        mount(root, source);
        const find = name => root.querySelector(name), look = () => {
            seen.push([find(".nk-lost").textContent, find(".nk-act").textContent, find(".nk-take-back").textContent]);
            find(".nk-act").click(); find(".nk-take-back").click(); find(".nk-back").click();
        };
        look();
        at.later = "write of shell";
        source.ears.drawn();
        look();
        return { seen, asked };
    }""")
    assert shown["seen"] == [
        ["", "Do it here", "Take it back (z)"],
        [
            "Since this run the machine was used: write of shell. That would be forgotten.",
            "Forget that, and do it here", "Forget that, and take it back",
        ],
    ]  # fmt: skip
    act = {"do": "act", "who": 1, "what": "write", "where": "0x10000000"}
    take_back = {"do": "take back"}
    told = {"forget": "write of shell"}
    assert shown["asked"][:3] == [act | {"forget": ""}, take_back | {"forget": ""}, take_back]
    assert shown["asked"][3:] == [act | told, take_back | told, 0]  # a step back takes nobody out then
