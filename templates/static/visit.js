// A browser keeps the pages of one visitor behind "back" and "forward"; the next visitor must not see them.
// The attract screen begins a visit; an entry of the history that this visit did not make leads there. Runs before anything is painted.
(() => {
  "use strict";
  const entry = window.navigation && navigation.currentEntry;
  if (!entry) return;
  const look = (isReturn) => {
    const isStart = location.pathname === "/";
    if (isStart) { sessionStorage.clear(); localStorage.clear(); }
    const ours = isStart ? [] : JSON.parse(sessionStorage.getItem("visit") || "[]");
    if (isReturn && !isStart && !ours.includes(entry.key)) {
      document.documentElement.hidden = true;
      location.replace("/");
      return;
    }
    sessionStorage.setItem("visit", JSON.stringify([...new Set([...ours, entry.key])]));
  };
  look(Boolean(navigation.activation) && navigation.activation.navigationType === "traverse");
  addEventListener("pageshow", (event) => { if (event.persisted) look(true); });
})();
