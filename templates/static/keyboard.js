// Keys on the glass, loaded when a finger first touches a field. Layouts are data (keyboards.json), words come with the page. A keyboard
// that is plugged in takes over: once a hand has typed on one, no keys are shown for the rest of the visit.
(() => {
  "use strict";
  const home = document.currentScript.src.replace(/[^/]*$/, "");
  const HARDWARE = "hardware";
  const HAND_MS = 60;
  const root = document.documentElement;
  let layouts = null;
  let field = null;
  let keyedAt = 0;

  const dock = () => document.getElementById("keyboard-dock");
  const close = () => { if (dock()) dock().remove(); delete root.dataset.keyboard; field = null; };
  const key = (row, text, kind, label) => {
    const button = row.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = text;
    button.tabIndex = -1;
    if (kind) { button.dataset.does = kind; button.className = `wide ${kind}`; }
    if (label) button.setAttribute("aria-label", label);
    return button;
  };
  const lay = () => {
    const words = document.getElementById("keyboard").dataset;
    const box = document.createElement("div");
    box.id = "keyboard-dock";
    box.className = "keyboard";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", words.name);
    for (const letters of layouts[root.lang] || layouts.en) {
      const row = box.appendChild(document.createElement("div"));
      for (const letter of letters) key(row, letter);
    }
    const last = box.appendChild(document.createElement("div"));
    key(last, "⇧", "shift", words.shift).setAttribute("aria-pressed", "false");
    key(last, words.space, "space");
    key(last, "⌫", "back", words.back);
    key(last, words.close, "close");
    key(last, words.enter, "enter");
    box.addEventListener("mousedown", (event) => event.preventDefault());
    document.body.append(box);
  };
  const change = (text) => {
    const from = field.selectionStart ?? field.value.length;
    const to = field.selectionEnd ?? from;
    if (text === null) field.setRangeText("", from === to ? Math.max(from - 1, 0) : from, to, "end");
    else if (field.maxLength < 0 || field.value.length - (to - from) < field.maxLength) field.setRangeText(text, from, to, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const shift = (button) => {
    const isUpper = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isUpper));
    for (const each of dock().querySelectorAll("button:not([data-does])")) each.textContent = isUpper ? each.textContent.toUpperCase() : each.textContent.toLowerCase();
  };
  const press = (button) => {
    const does = button.dataset.does;
    if (does === "close") close();
    else if (does === "shift") shift(button);
    else if (does === "enter") { const { form } = field; close(); if (form) form.requestSubmit(); }
    else change(does === "back" ? null : does === "space" ? " " : button.textContent);
  };

  const open = async (touched) => {
    if (sessionStorage.getItem(HARDWARE)) return;
    if (!layouts) {
      const style = document.createElement("link");
      style.rel = "stylesheet";
      style.href = `${home}keyboard.css`;
      document.head.append(style);
      layouts = await (await fetch(`${home}keyboards.json`)).json();
    }
    field = touched;
    field.inputMode = "none";
    if (!dock()) lay();
    root.dataset.keyboard = "open";
    field.scrollIntoView({ block: innerHeight < 1200 ? "start" : "center" });
  };

  addEventListener("click", (event) => {
    const button = event.target.closest("#keyboard-dock button");
    if (button && field?.isConnected) press(button);
    else if (dock() && !event.target.closest("#keyboard-dock") && event.target !== field) close();
  });
  addEventListener("keydown", (event) => {
    const isHand = event.timeStamp - keyedAt > HAND_MS;
    keyedAt = event.timeStamp;
    if (!event.isTrusted || !isHand || event.target !== field) return;
    sessionStorage.setItem(HARDWARE, "1");
    close();
  }, { capture: true });

  window.keyboard = { open };
})();
