// The Stepper in a browser. It draws panels that were written elsewhere and asks for steps; no rule about pages is in here.
// A source gives both: `live` asks the kernel, `recorded` has the panels of every step with it, for a page without one.

// -- keys

export const KEYS = [
  ["ArrowRight", "→", "one step forward"], ["ArrowLeft", "←", "one step back"], ["Home", "Home", "first step"], ["End", "End", "last step"],
  [" ", "Space", "play, pause"], ["Shift+ArrowRight", "Shift →", "over a walk of equal steps"], ["Shift+ArrowLeft", "Shift ←", "back over a walk"],
  ["p", "p", "next page"], ["n", "n", "next pass"], ["f", "f", "next failure"], ["a", "a", "next turn of somebody else"],
  ["c", "c", "continue to the next break"], ["b", "b", "break at the moment shown, or no longer"], ["w", "w", "why the call returned what it returned"],
  ["i", "i", "what if somebody acted here"], ["z", "z", "take the last what-if back"], ["?", "?", "these keys"], ["Escape", "Esc", "close"],
];

/** The name of a key press in KEYS; null for one that belongs to the page or to a field. */
export function keyName(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  const tag = event.target.tagName, key = event.key;
  if (key === "Escape") return key;
  if (tag === "SELECT" || tag === "TEXTAREA" || (tag === "INPUT" && event.target.type === "text")) return null;
  if ((key === " " || key === "Enter") && (tag === "BUTTON" || tag === "SUMMARY")) return null;
  const name = event.shiftKey && key.startsWith("Arrow") ? "Shift+" + key : key.length === 1 && key !== "?" ? key.toLowerCase() : key;
  return KEYS.some(([known]) => known === name) ? name : null;
}

// -- the view

const ICONS = { first: "M2 2h2v12H2zM14 2v12L5 8z", back: "M12 2v12L3 8z", forward: "M4 2v12l9-6z", last: "M12 2h2v12h-2zM2 2v12l9-6z" };
const SPEEDS = [["slow", 3500], ["medium", 1600], ["fast", 500]];
const HINT = "Read the sentence first, then look for yellow: that is what the step changed.";
const JUMPS = [["page", "next page"], ["pass", "next pass"], ["failure", "next failure"], ["actor", "next turn of somebody else"]];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function button(text, label, act, attributes = {}) {
  const made = make("button", { type: "button", ...(label ? { "aria-label": label, title: label } : {}), ...attributes }, text);
  made.addEventListener("click", () => made.getAttribute("aria-disabled") === "true" || act());
  return made;
}

function icon(name) {
  const page = document.createElement("template");
  page.innerHTML = `<svg class="nk-icon" viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
  return page.content;
}

/** Put a Stepper over `source` into `root`. Returns a function that ends it. */
export function mount(root, source) {
  const first = source.now();
  root.classList.add("nk");
  root.tabIndex = 0;
  root.dataset.lmSuppressShortcuts = "true";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Stepper");
  const inside = make("div", { class: "nk-in" });
  inside.innerHTML = first.frame;
  root.replaceChildren(inside);
  const panel = Object.fromEntries([...inside.querySelectorAll("[data-panel]")].map(e => [e.dataset.panel, e]));
  const V = {};
  let playing = null, opener = null;

  // -- moving
  const now = () => source.now();
  const goto = step => { if (step !== null && step !== undefined) source.goto(step); };
  const acts = {
    ArrowRight: () => { const { wanted, length, finished } = now(); wanted === length && !finished ? source.ask({ do: "forward" }) : goto(wanted + 1); },
    ArrowLeft: () => { const { wanted, joined, later } = now(); wanted === joined && !later ? source.ask({ do: "take back" }) : goto(wanted - 1); },
    Home: () => goto(0), End: () => goto(now().length),
    "Shift+ArrowRight": () => goto(now().jumps.over), "Shift+ArrowLeft": () => goto(now().jumps.before),
    p: () => goto(now().jumps.page), n: () => goto(now().jumps.pass), f: () => goto(now().jumps.failure), a: () => goto(now().jumps.actor),
    c: () => source.ask({ do: "continue" }),
    b: () => now().moment && toggleBreak(now().moment),
    w: () => openWhy("return", root), " ": () => (playing ? pause() : play()),
    i: () => { if (V.whatif) { V.whatif.open = !V.whatif.open; (V.whatif.open ? V.who : root).focus(); } },
    z: () => now().joined >= 0 && source.ask({ do: "take back" }),
    "?": () => pop(V.help, V.helpButton), Escape: () => close(),
  };
  const act = name => { if (name !== " ") pause(); acts[name](); };
  const breaks = new Set(first.breaks);
  function toggleBreak(name) {
    breaks.has(name) ? breaks.delete(name) : breaks.add(name);
    source.setBreaks([...breaks]);
    draw();
  }

  // -- play: a walk of equal steps is one step while its line is folded
  function play() {
    if (now().wanted >= now().length) goto(0);
    playing = setInterval(tick, +V.speed.value);
    draw();
  }
  function tick() {
    const at = now();
    if (at.wanted !== at.position) return; // what was asked for has not come yet
    if (at.position >= at.length) return pause();
    const folded = panel.log.querySelector(`details[data-key="walk ${at.position}"]`) ?? panel.log.querySelector("[aria-current] > details");
    goto(folded && !folded.open ? at.jumps.over : at.position + 1);
  }
  function pause() { if (playing) { clearInterval(playing); playing = null; draw(); } }
  const atBreak = at => breaks.has(at.moment) || (at.page !== null && breaks.has(`page ${at.page}`));

  // -- what opens over the picture
  const pops = () => [V.jumpMenu, V.help, V.why].filter(Boolean);
  function close(refocus = true) {
    const open = pops().filter(p => !p.hidden);
    open.forEach(p => { p.hidden = true; });
    [V.jumpButton, V.helpButton].forEach(b => b.setAttribute("aria-expanded", "false"));
    if (open.length && refocus) (opener?.isConnected ? opener : root).focus();
  }
  function pop(what, from) {
    const opens = what.hidden;
    close(false);
    if (!opens) return from.focus();
    what.hidden = false;
    opener = from;
    if (from.hasAttribute("aria-expanded")) from.setAttribute("aria-expanded", "true");
    (what.querySelector("button:not([aria-disabled=true])") ?? what).focus();
  }
  function openWhy(entry, from) {
    opener = from;
    source.ask({ do: "why", entry });
  }
  function showWhy(why) {
    V.whyText.innerHTML = why.html;
    V.why.hidden = false;
    V.why.querySelector("button").focus();
  }

  // -- controls
  const row = make("div", { class: "nk-row", role: "group", "aria-label": "Step through the run" });
  for (const [name, label, key] of [["first", "First step (Home)", "Home"], ["back", "One step back (←)", "ArrowLeft"]])
    row.append(V[name] = button(icon(name), label, () => act(key), { class: `nk-${name}` }));
  row.append(V.play = button("", "", () => act(" "), { class: "nk-play" }));
  for (const [name, label, key] of [["forward", "One step forward (→)", "ArrowRight"], ["last", "Last step (End)", "End"]])
    row.append(V[name] = button(icon(name), label, () => act(key), { class: `nk-${name}` }));
  V.speed = make("select", { "aria-label": "Speed", class: "nk-speed" }, ...SPEEDS.map(([name, ms]) => make("option", { value: ms }, name)));
  V.speed.addEventListener("change", () => { if (playing) { pause(); play(); } });
  V.at = make("span", { class: "nk-at" });
  V.jumpMenu = make("div", { class: "nk-pop nk-jumps", id: `nk-jumps-${mount.count = (mount.count ?? 0) + 1}`, role: "group", "aria-label": "Jump to" });
  V.jumpMenu.hidden = true;
  V.jumpButton = button("Jump to ▾", "", () => pop(V.jumpMenu, V.jumpButton), { class: "nk-jump", "aria-expanded": "false", "aria-controls": V.jumpMenu.id });
  V.targets = JUMPS.map(([name, label]) => {
    const item = button(label, "", () => { close(); pause(); goto(now().jumps[name]); }, { "data-jump": name });
    V.jumpMenu.append(item);
    return [name, label, item];
  });
  V.break = make("input", { type: "text", "aria-label": "Break at a page: its number", placeholder: "page number", size: 9 });
  V.breakButton = button("Break at page", "", () => {
    if (/^\d{1,9}$/.test(V.break.value.trim())) toggleBreak(`page ${+V.break.value}`);
  }, { class: "nk-break-page" });
  V.entry = make("input", { type: "text", "aria-label": "Entry of the call: its number", placeholder: "entry", size: 5 });
  V.entryButton = button("Where it was decided", "", () => {
    if (/^\d{1,9}$/.test(V.entry.value.trim())) { close(); source.ask({ do: "decided", entry: +V.entry.value }); }
  }, { class: "nk-decided-at" });
  V.breaksNow = make("p");
  V.jumpMenu.append(
    make("div", { class: "nk-row" }, V.entry, V.entryButton), make("div", { class: "nk-row" }, V.break, V.breakButton),
    button("continue to the next break (c)", "", () => { close(); act("c"); }, { class: "nk-continue" }), V.breaksNow);
  V.help = make("div", { class: "nk-pop nk-help", role: "group", "aria-label": "Keys", tabindex: -1 });
  V.help.hidden = true;
  V.help.append(make("dl", {}, ...KEYS.flatMap(([, shown, does]) => [make("dt", {}, make("kbd", {}, shown)), make("dd", {}, does)])), button("Close", "", () => close()));
  V.helpButton = button("Keys ?", "", () => pop(V.help, V.helpButton), { class: "nk-keys-button", "aria-expanded": "false" });
  const keys = make("span", { class: "nk-keys" });
  keys.innerHTML = "<kbd>←</kbd> <kbd>→</kbd> step <kbd>Space</kbd> play <kbd>?</kbd> all keys";
  row.append(V.speed, V.at, V.jumpButton, V.helpButton, keys, V.jumpMenu, V.help);
  V.why = make("div", { class: "nk-pop nk-why-box", role: "group", "aria-label": "Why", tabindex: -1 });
  V.why.hidden = true;
  V.whyText = make("div");
  V.why.append(V.whyText, make("div", { class: "nk-row" }, button("Close", "", () => close())));
  V.note = make("p", { class: "nk-note", role: "status" });
  V.live = make("p", { class: "nk-sr", role: "status" });
  const controls = inside.querySelector(".nk-controls");
  controls.append(row);
  if (source.whatIf) controls.append(whatIf());
  controls.append(V.note, V.live);
  panel.entries.after(V.why); // below the answers, over what stands there

  // -- what if
  function whatIf() {
    V.who = make("select", { "aria-label": "Who acts" });
    V.what = make("select", { "aria-label": "What they do" });
    V.where = make("select", { "aria-label": "Where" });
    V.do = button("Do it here", "", () => source.ask({ do: "act", who: +V.who.value, what: V.what.value, where: V.where.value, forget: now().later }), { class: "nk-act" });
    V.undo = button("Take it back (z)", "", () => { pause(); source.ask({ do: "take back", forget: now().later }); }, { class: "nk-take-back" });
    V.lost = make("p", { class: "nk-lost" });
    V.code = make("textarea", { class: "nk-code", "aria-label": "Python that does the same", readonly: "" });
    V.copy = button("Copy", "Copy the Python", copy, { class: "nk-copy" });
    V.what.addEventListener("change", offer);
    V.whatif = make("details", { class: "nk-whatif" }, make("summary", {}, "What if somebody acted here? (i)"),
      make("div", { class: "nk-row" }, V.who, V.what, V.where, V.do, V.undo), V.lost, make("div", { class: "nk-row" }, V.code, V.copy));
    return V.whatif;
  }
  async function copy() {
    V.code.select();
    try { await navigator.clipboard.writeText(V.code.value); } catch { document.execCommand("copy"); }
    V.copy.focus();
  }
  function options(select, pairs) {
    const text = JSON.stringify(pairs);
    if (select.drawn === text) return;
    select.drawn = text;
    const chosen = select.value;
    select.replaceChildren(...pairs.map(([value, label]) => make("option", { value }, label)));
    if (pairs.some(([value]) => String(value) === chosen)) select.value = chosen;
  }
  function offer() {
    const { offers, joined, code, later } = now();
    V.lost.textContent = later ? `Since this run the machine was used: ${later}. That would be forgotten.` : "";
    V.do.textContent = later ? "Forget that, and do it here" : "Do it here";
    V.undo.textContent = later ? "Forget that, and take it back" : "Take it back (z)";
    options(V.who, offers.who);
    options(V.what, offers.what.map(([key, name]) => [key, name]));
    options(V.where, offers.where.map(address => [address, `at ${address}`]));
    V.where.disabled = !(offers.what.find(([key]) => key === V.what.value)?.[2] ?? true);
    able(V.do, offers.who.length > 0);
    able(V.undo, joined >= 0);
    V.code.value = code;
    able(V.copy, code !== "");
  }

  // -- the scrubber lies over the lanes
  let hit = inside.querySelector(".nk-hit");
  if (!hit) { hit = make("div", { class: "nk-hit" }); inside.querySelector(".nk-time").append(hit); }
  V.line = make("div", { class: "nk-playhead" });
  V.range = make("input", { type: "range", min: 0, step: 1, "aria-label": "Step of the run", class: "nk-scrubber" });
  V.range.addEventListener("input", () => { pause(); goto(+V.range.value); });
  hit.replaceChildren(V.line, V.range);
  const pick = event => {
    const { left, width } = hit.getBoundingClientRect(), { length } = now();
    goto(Math.max(0, Math.min(length, Math.floor((event.clientX - left) / width * length) + 1)));
  };
  hit.addEventListener("pointerdown", event => { hit.setPointerCapture(event.pointerId); pause(); pick(event); V.range.focus({ preventScroll: true }); event.preventDefault(); });
  hit.addEventListener("pointermove", event => { if (event.buttons) pick(event); });

  // -- drawing
  /** Scroll a panel, and nothing around it, to what the step is about. */
  function bringIntoView(box, what) {
    const found = box.querySelector(what);
    if (found) box.scrollTop += found.getBoundingClientRect().top - box.getBoundingClientRect().top - 4;
  }
  function able(control, on) { control.setAttribute("aria-disabled", String(!on)); }
  function draw() {
    const at = now();
    for (const [name, element] of Object.entries(panel)) fill(element, at.panels[name] ?? "");
    bringIntoView(panel.ptes, ".nk-changed");
    bringIntoView(panel.log, "[aria-current] li[aria-current]");
    V.at.textContent = `Step ${at.position} of ${at.length}`;
    able(V.first, at.position > 0); able(V.back, at.position > 0 || at.joined === 0);
    able(V.forward, at.position < at.length || !at.finished); able(V.last, at.position < at.length);
    V.play.textContent = playing ? "❚❚ Pause" : "▶ Play";
    for (const [name, label, item] of V.targets) {
      const step = at.jumps[name];
      able(item, step !== null);
      item.textContent = step === null ? `${label}: none` : `${label} (step ${step})`;
    }
    V.breaksNow.textContent = breaks.size ? `Breaks: ${[...breaks].sort().join(", ")}` : "No breaks. A dot before a moment sets one.";
    for (const dot of panel.track.querySelectorAll("[data-break]")) dot.setAttribute("aria-pressed", String(breaks.has(dot.dataset.break)));
    V.range.max = at.length;
    V.range.value = at.position;
    const said = panel.now.querySelector(".nk-say")?.textContent ?? "";
    V.range.setAttribute("aria-valuetext", `Step ${at.position} of ${at.length}. ${said}`);
    V.live.textContent = playing ? "" : `Step ${at.position}. ${said}`;
    V.line.style.left = `${at.length ? 100 * Math.max(0, at.position - 0.5) / at.length : 0}%`;
    V.note.textContent = at.told ? at.note : `${HINT} ${at.note}`;
    root.dataset.position = at.position;
    root.dataset.length = at.length;
    if (V.whatif) offer();
    if (playing && (atBreak(at) || at.position >= at.length)) pause();
  }

  // -- events
  inside.addEventListener("click", event => {
    const asks = event.target.closest?.("[data-goto], [data-moment], [data-break], [data-why]");
    if (!V.jumpMenu.contains(event.target) && event.target !== V.jumpButton && !V.help.contains(event.target) && event.target !== V.helpButton && !V.why.contains(event.target)) close(false);
    if (!asks) return;
    const { goto: step, moment, break: stop, why } = asks.dataset;
    if (stop) return toggleBreak(stop);
    pause();
    if (step) { if (V.why.contains(asks)) close(); goto(+step); }
    else if (moment) source.ask({ do: "moment", name: moment });
    else if (why) openWhy(why, asks);
  });
  const onKey = event => {
    if (!root.contains(event.target) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.stopPropagation();
    const name = keyName(event);
    if (!name) return;
    act(name);
    event.preventDefault();
  };
  // On the window, before anybody else: a notebook's own shortcuts look at the focused element alone, not at what it is in.
  window.addEventListener("keydown", onKey, true);
  const forget = source.listen({ drawn: draw, why: showWhy });
  draw();
  return () => { pause(); forget(); window.removeEventListener("keydown", onKey, true); };
}

// -- where the steps come from

const PANELS = ["head", "lanes", "track", "now", "entries", "old", "ptes", "new", "changes", "tasks", "locks", "lists", "nodes", "log"];

/** The kernel behind an anywidget model. */
export function live(model) {
  return {
    whatIf: true,
    now: () => ({
      ...model.get("at"), wanted: model.get("position"), frame: model.get("frame"), breaks: model.get("breaks"),
      offers: model.get("offers"), code: model.get("code"), note: model.get("note"),
      panels: Object.fromEntries(PANELS.map(name => [name, model.get(`html_${name}`)])),
    }),
    goto(step) {
      model.set("position", Math.max(0, Math.min(model.get("at").length, step)));
      model.save_changes();
    },
    ask(wish) { model.send(wish); },
    setBreaks(breaks) { model.set("breaks", breaks); model.save_changes(); },
    listen({ drawn, why }) {
      const onWhy = () => why(model.get("why"));
      model.on("change:at", drawn);
      model.on("change:why", onWhy);
      return () => { model.off("change:at", drawn); model.off("change:why", onWhy); };
    },
  };
}

/** A page that has everything with it: see export.py for its parts. */
export function recorded(page) {
  let position = page.position, breaks = [], hear = {};
  const panels = step => Object.fromEntries(Object.entries(page.steps[step].panels).map(([name, pieces]) => [name, pieces.map(i => page.pieces[i]).join("")]));
  const length = page.steps.length - 1;
  const after = test => { for (let step = position + 1; step <= length; step++) if (test(page.steps[step])) return step; return null; };
  const source = {
    whatIf: false,
    now: () => ({
      position, wanted: position, length, finished: true, joined: -1, jumps: page.steps[position].jumps, moment: page.steps[position].moment,
      page: page.steps[position].page, frame: page.frame, breaks, note: "", panels: panels(position),
    }),
    goto(step) { position = Math.max(0, Math.min(length, step)); hear.drawn?.(); },
    ask(wish) {
      const at = name => step => step.moment === name;
      if (wish.do === "why") {
        const why = page.why[wish.entry] ?? { step: null, before: "<p>Nothing is known of this entry.</p>", after: "" };
        hear.why?.({ html: why.step !== null && position >= why.step ? why.after : why.before });
      }
      else if (wish.do === "moment") source.goto(after(at(wish.name)) ?? Math.max(0, page.steps.findIndex(at(wish.name))));
      else if (wish.do === "continue") source.goto(after(step => breaks.includes(step.moment) || breaks.includes(`page ${step.page}`)) ?? position);
      else if (wish.do === "decided") source.goto(page.why[wish.entry]?.step ?? position);
    },
    setBreaks(now) { breaks = now; },
    listen(ears) { hear = ears; return () => { hear = {}; }; },
  };
  return source;
}

export default { render({ model, el }) { const root = document.createElement("div"); el.append(root); return mount(root, live(model)); } };
