"""What anybody asks of every view: nothing for axe-core to find, no text cut off, none over another."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

#: What can be read only in part, and what lies over other text. A box that scrolls, or ends in dots, hides nothing.
LOOK = """() => {
    const clipped = new Set(), over = new Set(), seen = [];
    const told = e => `${e.className || e.tagName}: ${e.textContent.trim().slice(0, 40)}`;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode());) {
        const holder = text.parentElement, range = document.createRange();
        const unseen = holder.closest(".nk-sr, option, textarea, [hidden], details:not([open]) > :not(summary)");
        if (!text.data.trim() || unseen || !holder.closest(".nk") || !holder.checkVisibility()) continue;
        range.selectNodeContents(text);
        for (const at of range.getClientRects()) {
            let whole = true;
            for (let box = holder; box && !box.matches(".nk"); box = box.parentElement) {
                const { overflowX, overflowY, textOverflow } = getComputedStyle(box);
                const edge = box.getBoundingClientRect();
                if (textOverflow === "ellipsis" || /auto|scroll/.test(overflowX + overflowY)) { whole = false; break; }
                if (overflowX === "visible") continue;
                const left = edge.left - at.left, right = at.right - edge.right;
                const above = edge.top - at.top, below = at.bottom - edge.bottom;
                if (Math.max(left, right) > 1 || Math.max(above, below) > 1.5) clipped.add(told(holder));
            }
            if (whole) seen.push([holder, at]);
        }
    }
    seen.forEach(([a, p], i) => seen.slice(i + 1).forEach(([b, q]) => {
        const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
        const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (wide > 1 && high > 4) over.add(`${told(a)} | ${told(b)}`);
    }));
    return { clipped: [...clipped], over: [...over], wide: document.documentElement.scrollWidth > innerWidth };
}"""

#: What scrolls, and cannot be scrolled by keys: neither it nor anything in it takes the focus.
UNREACHED = """() => [...document.querySelectorAll(".nk *")].filter(box => {
    const { overflowX, overflowY } = getComputedStyle(box);
    const down = /auto|scroll/.test(overflowY) && box.scrollHeight > box.clientHeight + 1;
    const along = /auto|scroll/.test(overflowX) && box.scrollWidth > box.clientWidth + 1;
    return (down || along) && box.tabIndex < 0 && !box.querySelector("button, summary, [tabindex='0']");
}).map(box => box.className)"""


def violations(page: Any, where: str | None = None) -> list[str]:
    """What axe-core finds on the page, or in what a selector finds there: the rule, and what breaks it."""
    found = Axe().run(page, context=where).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]
