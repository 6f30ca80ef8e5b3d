// How all fronts draw: by difference. It stands before each front's own module, for a module of a widget can import nothing.

/** Make the children of `there` equal to those of `fresh`, keeping every node that need not go: focus and position stay. */
export function morph(there, fresh) {
  const wanted = [...fresh.childNodes];
  wanted.forEach((want, place) => {
    const have = there.childNodes[place];
    if (!have) there.append(want.cloneNode(true));
    else if (!alike(have, want)) have.replaceWith(want.cloneNode(true));
    else if (have.nodeType === Node.TEXT_NODE) have.data === want.data || (have.data = want.data);
    else { dress(have, want); morph(have, want); }
  });
  while (there.childNodes.length > wanted.length) there.lastChild.remove();
}

function alike(have, want) {
  return have.nodeName === want.nodeName && have.dataset?.key === want.dataset?.key;
}

/** The same attributes in the same order, so that equal steps are equal bytes; what the reader opened stays open. */
function dress(have, want) {
  const names = element => [...element.attributes].map(({ name }) => name).filter(name => name !== "open" && name !== "aria-pressed");
  if (names(have).join() !== names(want).join()) for (const name of names(have)) have.removeAttribute(name);
  for (const { name, value } of want.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
}

/** Set the inside of an element, by difference; its last text is remembered, so that an equal one costs nothing. */
export function fill(element, html) {
  if (element.drawn === html) return;
  element.drawn = html;
  const page = document.createElement("template");
  page.innerHTML = html;
  morph(element, page.content);
}
