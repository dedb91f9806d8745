// For a hand that strikes twice, loaded where somebody asked for it: the same key, or the same target, struck again within half a second
// counts for nothing, and a key held down counts once (EN 301 549, 5.7 and 5.8). Nor is a page touched by what was meant for the one before.
(() => {
  "use strict";
  const WAIT_MS = 500;
  const SCANNER_MS = 60;
  const KEPT = "struck";
  const CONTROL = "a, button, summary, input, select, textarea";
  // What was struck last and when; of a touch on the page before, null.
  let [what, at] = JSON.parse(sessionStorage.getItem(KEPT) || "[null, 0]");
  let isScan = false;
  let isIgnored = false;

  const isOn = () => document.documentElement.dataset.strikes === "on";
  const isSecond = (struck, isSame) => {
    const isSoon = Date.now() - at < WAIT_MS;
    [what, at] = [struck, Date.now()];
    return isSame && isSoon;
  };
  const ignore = (event) => { event.preventDefault(); event.stopImmediatePropagation(); };
  addEventListener("keydown", (event) => {
    const isSame = event.key === what;
    // A scanner's keys follow each other faster than a hand's: two equal digits of its code are two.
    isScan = Date.now() - at < SCANNER_MS && (isScan || !isSame);
    if ((isSecond(event.key, isSame && !isScan) || event.repeat) && isOn()) ignore(event);
  }, { capture: true });
  addEventListener("pointerdown", (event) => {
    const target = event.target.closest("label")?.control || event.target.closest(CONTROL) || event.target;
    const isGone = typeof what !== "string" && !what?.isConnected;
    isIgnored = isSecond(target, isGone || target === what);
  }, { capture: true });
  // A click that a key makes has no pointer; a label's field is clicked by the same touch as the label.
  addEventListener("click", (event) => { if (event.pointerType && isIgnored && isOn()) ignore(event); }, { capture: true });
  addEventListener("pagehide", () => { sessionStorage.setItem(KEPT, JSON.stringify([typeof what === "string" ? what : null, at])); });
})();
