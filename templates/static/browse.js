// Facets stay open while the list changes under them, and a price being dragged says itself.
(() => {
  "use strict";
  let open = [];
  addEventListener("htmx:beforeSwap", () => { open = [...document.querySelectorAll(".facet[open]")].map((each) => each.id); });
  addEventListener("htmx:oobAfterSwap", () => { for (const id of open) document.getElementById(id)?.setAttribute("open", ""); });
  addEventListener("input", ({ target }) => {
    const told = target.type === "range" && document.querySelector(`output[for="${target.id}"]`);
    if (!told) return;
    // The same words around other figures: the currency stands where the page wrote it.
    told.dataset.words ||= told.textContent;
    told.textContent = told.dataset.words.replace(/\d[\d\s.,'’]*(?<!\s)/u, Number(target.value).toLocaleString(document.documentElement.lang));
    target.setAttribute("aria-valuetext", told.textContent);
  });
})();
