// The first screen's devices take turns at the large place. Whoever touches a screen or a key is there: it stands still for them, and
// stays still for whoever wants no motion.
(() => {
  "use strict";
  const TURN_MS = 6000;
  const STILL_MS = 30000;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let touched = -Infinity;
  const stop = () => { touched = performance.now(); };
  for (const kind of ["pointerdown", "keydown", "focusin"]) addEventListener(kind, stop, { passive: true, capture: true });

  const turn = () => {
    const tiles = document.querySelectorAll("#mosaic > .tile");
    if (tiles.length < 2 || calm.matches || performance.now() - touched < STILL_MS) return;
    const next = () => tiles[0].parentElement.append(tiles[0]);
    tiles.forEach((tile, place) => { tile.style.viewTransitionName = `tile-${place}`; });
    // Their names go again: another page would let them fade over itself.
    const rest = () => tiles.forEach((tile) => { tile.style.viewTransitionName = ""; });
    if (document.startViewTransition) document.startViewTransition(next).finished.then(rest); else next();
  };
  setInterval(turn, TURN_MS);

  // All of the screen is one touch, while devices move as well; it goes to the beginning, whatever lies under it.
  addEventListener("click", (event) => {
    if (event.target === document.documentElement) location.assign(document.querySelector(".poster").href);
  });
})();
