// A form in a browser. Its html is written elsewhere; what is done with its controls is told as wishes, and answered by new html.
// A control with `data-do` asks for that when it is clicked; one with a `name` tells its value when it is changed.
// `fill` and `make` stand in drawing.js and stepper.js, which this is put behind.

const TEXTS = "textarea, input[type=text], input[type=number]";

/** What the controls show is what the html says, whatever was done with them; a field that is being typed in is left alone. */
function settle(inside) {
  for (const option of inside.querySelectorAll("option")) option.selected = option.hasAttribute("selected");
  for (const box of inside.querySelectorAll("input[type=checkbox], input[type=radio]")) box.checked = box.hasAttribute("checked");
  for (const field of inside.querySelectorAll(TEXTS)) {
    const value = field.tagName === "TEXTAREA" ? field.textContent : field.getAttribute("value") ?? "";
    if (field.value !== value && !(field.type === "text" && field === document.activeElement)) field.value = value;
  }
}

function form(root, model) {
  root.classList.add("nk");
  root.dataset.lmSuppressShortcuts = "true";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", model.get("label"));
  const inside = make("form", { class: "nk-in" }); // radio buttons of two forms on one page are no group
  inside.addEventListener("submit", event => event.preventDefault());
  root.replaceChildren(inside);
  let focused = null;
  /** Scroll the list of cards, and nothing around it, until the open one can be seen. */
  function bringIntoView(card) {
    const list = card?.closest(".nk-cards");
    if (!list) return;
    const { top, bottom } = card.getBoundingClientRect(), box = list.getBoundingClientRect();
    if (top < box.top || bottom > box.bottom) list.scrollTop += (top + bottom - box.top - box.bottom) / 2;
  }
  function draw() {
    fill(inside, model.get("html"));
    settle(inside);
    bringIntoView(inside.querySelector("[aria-current]"));
    const wanted = inside.querySelector("[data-focus]"), mark = wanted?.dataset.focus ?? null;
    if (focused !== null && mark !== focused) wanted?.focus();
    focused = mark ?? "";
    root.dataset.drawn = model.get("drawn");
  }
  async function copy() {
    const text = inside.querySelector("textarea");
    text.select();
    try { await navigator.clipboard.writeText(text.value); } catch { document.execCommand("copy"); }
  }
  inside.addEventListener("click", event => {
    const asks = event.target.closest?.("[data-do]");
    if (!asks || asks.getAttribute("aria-disabled") === "true") return;
    if (asks.dataset.do === "copy") copy();
    else model.send({ ...asks.dataset });
  });
  const tell = event => {
    const { name, type, value, checked } = event.target;
    if (name && event.type === (type === "text" ? "input" : "change")) model.send({ do: "set", name, value, checked: type === "checkbox" ? checked : true });
  };
  inside.addEventListener("input", tell);
  inside.addEventListener("change", tell);
  // On the window, before anybody else: a notebook's own shortcuts look at the focused element alone, not at what it is in.
  const onKey = event => {
    if (root.contains(event.target) && !event.altKey && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  window.addEventListener("keydown", onKey, true);
  model.on("change:drawn", draw);
  draw();
  return () => { model.off("change:drawn", draw); window.removeEventListener("keydown", onKey, true); };
}

export default { render({ model, el }) { const root = document.createElement("div"); el.append(root); return form(root, model); } };
