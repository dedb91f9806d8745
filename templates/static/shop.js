// The little that the shop's pages cannot do alone: keep the keyboard's place when a fragment comes, say a failed request.
(() => {
  "use strict";

  const trouble = (text) => {
    const box = document.getElementById("trouble");
    box.textContent = text || box.dataset.text;
    box.hidden = false;
    setTimeout(() => { box.hidden = true; }, 6000);
  };

  // A fragment takes the place of what had the focus: it goes on to what is new of the kind that `data-next` names, else to what now
  // stands there, else to the page's beginning.
  let left = null;
  addEventListener("htmx:beforeSwap", ({ detail }) => {
    const from = document.activeElement;
    left = null;
    if (!detail.target.contains(from)) return;
    const next = from.closest("[data-next]")?.dataset.next;
    const there = next ? [...document.querySelectorAll(next)] : [];
    const isBefore = (each) => each !== from && from.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING;
    left = { next, ids: new Set(there.map((each) => each.id)), place: there.filter(isBefore).length };
  });
  addEventListener("htmx:afterSettle", () => {
    if (!left || document.activeElement !== document.body) return;
    const { next, ids, place } = left;
    const here = next ? [...document.querySelectorAll(next)] : [];
    const fresh = here.find((each) => each.id && !ids.has(each.id));
    (fresh || here[Math.min(place, here.length - 1)] || document.getElementById("main")).focus();
    left = null;
  });

  // A fragment that did not come is said, never swallowed.
  for (const kind of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) addEventListener(kind, () => trouble());

  window.shop = { trouble };
})();
