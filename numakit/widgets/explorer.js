// Views that one looks around in, in a browser. It draws panels that were written elsewhere, and hands on what was pointed at or
// pressed; what a key or a click means at this moment was said with the panels:
//   data-set='{"trait": value}'  a click sets these;   data-hover='{...}'  so does a pointer that comes over it, until it leaves
//   data-keys="name"             what `wishes[name]` has for a key, while the focus is in it;   data-strip="name"  cells to choose from

const PATIENCE = 2000; // milliseconds

/** Put a view over an anywidget model into `root`. Returns a function that ends it. */
export function mount(root, model) {
  root.classList.add("nk");
  root.dataset.lmSuppressShortcuts = "true";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", model.get("label"));
  const inside = document.createElement("div");
  inside.className = "nk-in";
  inside.innerHTML = model.get("frame");
  root.replaceChildren(inside);
  const panels = [...inside.querySelectorAll("[data-panel]")];

  // What a key means is known when the kernel has drawn: what is pressed until then waits its turn, unless no answer comes.
  let asked = -Infinity;
  const waits = () => performance.now() - asked < PATIENCE;
  const later = [];
  function set(traits) {
    const fresh = Object.entries(traits).filter(([name, value]) => JSON.stringify(model.get(name)) !== JSON.stringify(value));
    if (!fresh.length) return;
    asked = performance.now();
    for (const [name, value] of fresh) model.set(name, value);
    model.save_changes();
  }
  function drawn() {
    draw();
    asked = -Infinity;
    while (later.length && !waits()) press(...later.shift());
  }

  // -- drawing
  function draw() {
    const focused = inside.contains(document.activeElement) ? document.activeElement : null;
    const roving = focused?.closest("[data-roving]");
    for (const panel of panels) fill(panel, model.get(`html_${panel.dataset.panel}`));
    for (const [name, look] of Object.entries(model.get("sliders"))) slide(inside.querySelector(`[data-keys="${name}"]`), look);
    if (roving?.isConnected) roving.querySelector('[tabindex="0"]')?.focus();
    else if (focused && !focused.isConnected) inside.querySelector("[data-keys]")?.focus({ preventScroll: true });
    root.dataset.drawn = model.get("drawn");
  }
  /** A slider's value, and the box around the cells that are chosen. */
  function slide(slider, { first, last, at, text }) {
    if (!slider) return;
    const over = slider.querySelector("[data-strip]"), cursor = over.firstElementChild, cells = +over.dataset.cells;
    cursor.hidden = first < 0;
    cursor.style.left = `${100 * first / cells}%`;
    cursor.style.width = `${100 * (last + 1 - first) / cells}%`;
    slider.setAttribute("aria-valuenow", at + 1);
    slider.setAttribute("aria-valuetext", text);
  }

  // -- pointing
  let drag = null, over = null;
  const cellAt = (strip, x) => {
    const { left, width } = strip.getBoundingClientRect(), cells = +strip.dataset.cells;
    return Math.max(0, Math.min(cells - 1, Math.floor((x - left) / width * cells)));
  };
  const choose = (strip, from, to) => set({ chosen: [+strip.dataset.strip, from, to] });
  inside.addEventListener("pointerdown", event => {
    const strip = event.target.closest("[data-strip]");
    if (!strip || event.button) return;
    const cell = cellAt(strip, event.clientX), [there, from] = model.get("chosen");
    drag = { strip, from: event.shiftKey && there === +strip.dataset.strip ? from : cell, to: cell };
    strip.setPointerCapture(event.pointerId);
    choose(strip, drag.from, cell);
    strip.closest("[data-keys]").focus({ preventScroll: true });
    event.preventDefault();
  });
  inside.addEventListener("pointermove", event => {
    if (!drag || !event.buttons) return;
    const cell = cellAt(drag.strip, event.clientX);
    if (cell !== drag.to) choose(drag.strip, drag.from, (drag.to = cell));
  });
  inside.addEventListener("pointerup", () => { drag = null; });
  inside.addEventListener("pointerover", event => {
    if (event.pointerType === "touch") return;
    const found = event.target.closest("[data-hover]")?.dataset.hover ?? null;
    if (found === over) return;
    over = found;
    set(JSON.parse(found ?? model.get("unhover")));
  });
  inside.addEventListener("pointerleave", () => { if (over !== null) { over = null; set(JSON.parse(model.get("unhover"))); } });
  inside.addEventListener("click", event => {
    const asks = event.target.closest("[data-set]");
    if (asks && asks.getAttribute("aria-disabled") !== "true") set(JSON.parse(asks.dataset.set));
  });
  inside.addEventListener("dblclick", event => {
    const strip = event.target.closest("[data-strip]");
    if (strip) press(strip.closest("[data-keys]").dataset.keys, "Enter");
  });

  // -- keys
  function press(name, key) {
    if (waits()) return later.push([name, key]);
    const wish = model.get("wishes")[name]?.[key];
    if (wish) set(wish);
  }
  const onKey = event => {
    if (!root.contains(event.target) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.stopPropagation();
    const own = (event.key === "Enter" || event.key === " ") && event.target.closest("button, summary");
    const name = event.target.closest("[data-keys]")?.dataset.keys;
    const key = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
    if (own || !model.get("known").includes(key) || !name) return;
    event.preventDefault();
    if (!(event.repeat && waits())) press(name, key);
  };
  // On the window, before anybody else: a notebook's own shortcuts look at the focused element alone, not at what it is in.
  window.addEventListener("keydown", onKey, true);
  model.on("change:drawn", drawn);
  draw();
  return () => { model.off("change:drawn", drawn); window.removeEventListener("keydown", onKey, true); };
}

export default { render({ model, el }) { const root = document.createElement("div"); el.append(root); return mount(root, model); } };
