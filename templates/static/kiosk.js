// The little that pages cannot do alone: count down and wipe when nobody is there, read aloud, keys on the glass, say a failed request.
(() => {
  "use strict";
  const root = document.documentElement;
  const WARN_S = 20;
  root.classList.add("scripted");

  // Idle: the last 20 seconds are visible and can be extended; then everything of this visitor is wiped by a form post.
  let touched = Date.now();
  const stay = () => { touched = Date.now(); };
  for (const kind of ["pointerdown", "keydown", "scroll", "input"]) addEventListener(kind, stay, { passive: true, capture: true });
  setInterval(() => {
    const limit = Number(document.body.dataset.idle);
    const box = document.getElementById("idle");
    const leave = document.getElementById("leave");
    if (!limit || !box || !leave) return;
    const left = limit - Math.floor((Date.now() - touched) / 1000);
    if (left <= 0) { touched = Date.now(); leave.submit(); return; }
    const shown = left <= WARN_S;
    if (shown) document.getElementById("idle-left").textContent = String(left);
    if (shown && box.hidden) { box.hidden = false; document.getElementById("idle-stay").focus({ preventScroll: true }); }
    if (!shown) box.hidden = true;
  }, 500);

  // Read aloud, where the browser has a voice.
  const voices = "speechSynthesis" in window;
  const ready = () => { for (const button of document.querySelectorAll("[data-speak]")) button.hidden = !voices; };
  const speak = (button) => {
    if (speechSynthesis.speaking) { speechSynthesis.cancel(); return; }
    const words = document.getElementById(button.dataset.speak);
    const text = [document.querySelector("h1"), ...words.querySelectorAll("p, dt, dd")].map((each) => each.innerText.trim()).join(". ");
    const said = new SpeechSynthesisUtterance(text);
    said.lang = root.lang;
    speechSynthesis.speak(said);
  };

  // Keys on the glass: shown on large touch screens only; a real keyboard always works.
  const glass = matchMedia("(pointer: coarse) and (min-width: 800px)");
  const type = (button) => {
    const field = document.querySelector(`[data-keys="${button.closest("[id]").id}"]`);
    field.value = button.dataset.key === "back" ? field.value.slice(0, -1) : (field.value + button.dataset.key).slice(0, field.maxLength > 0 ? field.maxLength : 99);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const key = (row, value, text) => {
    const button = row.appendChild(document.createElement("button"));
    button.type = "button";
    button.dataset.key = value;
    button.textContent = text;
    return button;
  };
  const lay = (keys) => {
    if (!keys.dataset.rows || keys.childElementCount) return;
    let row;
    for (const letters of keys.dataset.rows.split(" ")) {
      row = keys.appendChild(document.createElement("div"));
      for (const letter of letters) key(row, letter, letter);
    }
    key(row, " ", keys.dataset.space).className = "wide";
    const back = key(row, "back", "⌫");
    back.className = "wide";
    back.setAttribute("aria-label", keys.dataset.back);
  };
  const open = (field) => {
    const keys = document.getElementById(field.dataset.keys);
    if (keys && glass.matches) { lay(keys); field.inputMode = "none"; keys.hidden = false; }
  };

  addEventListener("focusin", (event) => { if (event.target.dataset && event.target.dataset.keys) open(event.target); });
  addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("#idle-stay")) { stay(); document.getElementById("idle").hidden = true; }
    else if (on("[data-key]")) type(on("[data-key]"));
    else if (on("[data-speak]")) speak(on("[data-speak]"));
  });
  addEventListener("pagehide", () => { if (voices) speechSynthesis.cancel(); });

  // A second tap on a form that is already on its way changes nothing.
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-delete")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent; });

  // A fragment that did not come is said, never swallowed.
  const trouble = () => {
    const box = document.getElementById("trouble");
    box.textContent = box.dataset.text;
    box.hidden = false;
    setTimeout(() => { box.hidden = true; }, 6000);
  };
  for (const kind of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) addEventListener(kind, trouble);
  addEventListener("htmx:afterSettle", ready);
  ready();
})();
