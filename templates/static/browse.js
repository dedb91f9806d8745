// Facets stay open while the list changes under them, a price being dragged says itself, and what is ticked stays ticked.
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

  // What is to be compared is kept from list to list, four at most, in each market and partner's shop; what this list does not show
  // stands beside the button.
  const MOST = 4;
  const store = () => `compared ${document.getElementById("results").dataset.of}`;
  const ticked = () => JSON.parse(sessionStorage.getItem(store()) || "[]");
  const boxes = () => [...document.querySelectorAll("#results .device [name=sku]")];
  const nameOf = (box) => box.closest("label").dataset.name || box.closest(".device").querySelector("h2").innerText;
  const show = () => {
    const bar = document.querySelector(".compare-bar");
    if (!bar) return;
    for (const each of bar.querySelectorAll("label")) each.remove();
    const [shown, kept] = [boxes(), ticked()];
    for (const box of shown) box.checked = kept.some(([code]) => code === box.value);
    for (const [code, name] of kept) {
      if (shown.some((box) => box.value === code)) continue;
      const label = document.createElement("label");
      label.className = "tick-box";
      label.dataset.name = name;
      label.innerHTML = "<input type=checkbox name=sku checked><bdi></bdi>";
      label.firstChild.value = code;
      label.lastChild.textContent = name;
      bar.insertBefore(label, bar.lastElementChild);
    }
  };
  addEventListener("change", ({ target }) => {
    if (target.name !== "sku") return;
    const others = ticked().filter(([code]) => code !== target.value);
    if (target.checked && others.length >= MOST) {
      target.checked = false;
      shop.trouble(document.querySelector(".compare-bar p").textContent);
      return;
    }
    sessionStorage.setItem(store(), JSON.stringify(target.checked ? [...others, [target.value, nameOf(target)]] : others));
    show();
    if (!target.isConnected) (document.querySelector(".compare-bar input") || document.getElementById("main")).focus();
  });
  addEventListener("htmx:afterSettle", show);
  new MutationObserver(show).observe(document.documentElement, { childList: true });
  addEventListener("pageshow", show);
})();
