// The little that a kiosk's pages cannot do alone: count down and wipe when nobody is there, a voice, keys on the glass.
(() => {
  "use strict";
  const root = document.documentElement;
  const WARN_S = 20;

  // Read aloud: a key that can be found without looking turns it on, and two make it louder or softer (a keypad's star, plus and minus).
  const home = document.currentScript.src.replace(/[^/]*$/, "");
  const isField = (element) => element.matches("input, textarea, select");
  const VOICE_KEYS = { "*": "speech", "+": "louder", "-": "softer" };
  let keyedAt = 0;
  addEventListener("keydown", (event) => {
    const button = document.querySelector(`.views [value="${VOICE_KEYS[event.key]}"]`);
    // A scanner's keys follow each other faster than a hand's.
    const isHand = event.timeStamp - keyedAt > 60;
    keyedAt = event.timeStamp;
    if (!button || !isHand || event.repeat || (event.key !== "*" && isField(event.target))) return;
    event.preventDefault();
    button.form.requestSubmit(button);
  });
  const add = (name) => new Promise((done) => {
    const script = document.createElement("script");
    script.onload = done;
    script.src = home + name;
    document.head.append(script);
  });
  // What few wish for is loaded once they do: a voice, and keys that ignore a second strike.
  const loaded = new Set();
  const load = () => {
    for (const wish of ["speech", "strikes"]) {
      if (root.dataset[wish] !== "on" || loaded.has(wish)) continue;
      loaded.add(wish);
      add(`${wish}.js`);
    }
  };
  new MutationObserver(load).observe(root, { attributes: true, attributeFilter: ["data-speech", "data-strikes"] });
  load();

  // Idle: the last 20 seconds are visible and can be extended; then everything of this visitor is wiped by a form post. The wall clock
  // may open the warning (it counts sleep, and may be set), but only the other clock, which never jumps, may end it. A page that counts
  // down from the start (`data-countdown`, the slip) does so beside what it shows, and gives more time when asked.
  const ENTERED = "entered";
  let touched = { at: performance.now(), wall: Date.now() };
  let warnedAt = 0;
  let isExtended = false;
  const isWarned = () => Boolean(document.querySelector("#idle:modal"));
  const stay = () => {
    touched = { at: performance.now(), wall: Date.now() };
    if (isWarned()) document.getElementById("idle").close();
  };
  for (const kind of ["pointerdown", "scroll"]) addEventListener(kind, () => { if (!isWarned()) stay(); }, { passive: true, capture: true });
  for (const kind of ["wheel", "touchmove"]) addEventListener(kind, stay, { passive: true, capture: true });
  addEventListener("input", () => { sessionStorage.setItem(ENTERED, "1"); stay(); }, { capture: true });
  addEventListener("close", (event) => { if (event.target.id === "idle") stay(); }, { capture: true });
  // A key, a scanner's too, answers the warning and does nothing else.
  addEventListener("keydown", (event) => {
    if (isWarned()) {
      event.preventDefault();
      if (event.key === "Tab") { warnedAt = performance.now(); document.getElementById("idle-stay").focus(); return; }
    }
    stay();
  }, { capture: true });
  const limitOf = ({ idle, entered, countdown }) => Number(isExtended || (!countdown && sessionStorage.getItem(ENTERED)) ? entered || idle : idle);
  setInterval(() => {
    const limit = limitOf(document.body.dataset);
    const box = document.getElementById("idle");
    const leave = document.getElementById("leave");
    if (!limit || !box || !leave) return;
    const now = performance.now();
    if (window.voice && window.voice.isSpeaking() && !isWarned()) stay();
    if (document.body.dataset.countdown) {
      box.setAttribute("open", "");
      warnedAt = touched.at;
    } else if (!box.open) {
      if (Math.max(now - touched.at, Date.now() - touched.wall) < (limit - WARN_S) * 1000) return;
      warnedAt = now;
      box.showModal();
    }
    const left = (document.body.dataset.countdown ? limit : WARN_S) - Math.floor((now - warnedAt) / 1000);
    document.querySelector("#idle p b").textContent = String(left);
    if (left <= 0) leave.requestSubmit();
  }, 500);

  // A sign of life: a screen that hangs is noticed by its silence, at the counter and at HQ.
  setInterval(() => { fetch("/healthz").catch(() => {}); }, 60000);

  // One page on one screen: nothing opens beside it (middle button, Shift with a tap), nothing of it is dragged away, no menu and no zoom.
  const refuse = (event) => { if (event.cancelable) event.preventDefault(); };
  for (const kind of ["contextmenu", "auxclick", "dragstart", "dragover", "drop"]) addEventListener(kind, refuse, { capture: true });
  const refuseHeld = (event) => { if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) refuse(event); };
  for (const kind of ["click", "wheel"]) addEventListener(kind, refuseHeld, { capture: true, passive: false });

  // Digits for a PIN stand on their page; for any other field, keys come when a finger touches it (keyboard.js).
  const WRITTEN = "main :is(input:is([type=search], [type=text], [type=tel], :not([type])), textarea):not([data-keys])";
  const wide = matchMedia("(min-width: 800px)");
  let focused = null;
  const type = (button) => {
    const keys = button.closest("[id]").id;
    const field = focused?.isConnected && focused.dataset.keys === keys ? focused : document.querySelector(`[data-keys="${keys}"]`);
    field.value = button.dataset.key === "back" ? field.value.slice(0, -1) : (field.value + button.dataset.key).slice(0, field.maxLength > 0 ? field.maxLength : 99);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  let keyboard = null;
  const write = async (field) => {
    keyboard ||= add("keyboard.js");
    await keyboard;
    window.keyboard.open(field);
  };

  // The page before, as it was left: a screen without keys has no other way there. A refusal gives the page back whose place it took.
  const goBack = () => { if ("refused" in document.body.dataset) location.reload(); else history.back(); };
  addEventListener("htmx:afterSwap", ({ detail }) => { if (detail.target === document.body) document.body.dataset.refused = ""; });

  addEventListener("focusin", (event) => { if (event.target.dataset?.keys) focused = event.target; });
  addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("#idle-stay")) isExtended = true;
    if (on("#back") && window.navigation?.canGoBack) { event.preventDefault(); goBack(); }
    if (on("#idle:modal")) document.getElementById("idle").close();
    else if (on("[data-key]")) type(on("[data-key]"));
    else if (event.pointerType === "touch" && wide.matches && on(WRITTEN)) write(event.target);
  });
})();
