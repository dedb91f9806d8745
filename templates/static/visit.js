// A browser keeps the pages of one visitor behind "back" and "forward"; the next visitor must not see them.
// The attract screen begins a visit; an entry of the history that this visit did not make leads there. Runs before anything is painted.
(() => {
  "use strict";
  const entry = window.navigation && navigation.currentEntry;
  if (!entry) return;
  const look = (isReturn) => {
    const mine = location.pathname === "/" ? [] : JSON.parse(sessionStorage.getItem("visit") || "[]");
    if (isReturn && location.pathname !== "/" && !mine.includes(entry.key)) {
      document.documentElement.hidden = true;
      location.replace("/");
      return;
    }
    sessionStorage.setItem("visit", JSON.stringify([...new Set([...mine, entry.key])]));
  };
  look(performance.getEntriesByType("navigation")[0].type === "back_forward");
  addEventListener("pageshow", (event) => { if (event.persisted) look(true); });
})();
