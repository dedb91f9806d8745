// A scanner types like a very fast keyboard: what it types outside of fields goes through the form `scans`, one scan after the other,
// and what it typed while one was under way follows. Without scripts the form's own field takes it.
(() => {
  "use strict";
  const SILENCE_MS = 1000;
  const LEAST = 4;
  const waiting = [];
  let typed = "";
  let at = 0;

  const isField = (element) => element && (element.matches("input, select, textarea") || element.isContentEditable);
  const pass = () => {
    const form = document.getElementById("scans");
    if (!form || !waiting.length || form.dataset.sent) return;
    form.elements.code.value = waiting.splice(0).join(" ");
    form.requestSubmit();
  };

  addEventListener("keydown", (event) => {
    if (isField(event.target) || event.ctrlKey || event.altKey || event.metaKey || !document.getElementById("scans") || document.querySelector("#lock[open]")) return;
    if (event.timeStamp - at > SILENCE_MS) typed = "";
    at = event.timeStamp;
    if (event.key.length === 1) typed += event.key;
    else if (event.key !== "Enter" && event.key !== "Tab") return;
    else if (typed.length >= LEAST) {
      // Its Enter must not press whatever was touched last.
      event.preventDefault();
      waiting.push(typed);
      typed = "";
      pass();
    } else typed = "";
  }, { capture: true });
  // What was typed into a field and sent is not typed again.
  addEventListener("submit", (event) => { if ("once" in event.target.dataset) setTimeout(() => event.target.reset()); });
  setInterval(pass, 100);
})();
