// Reading aloud, loaded where somebody asked for it: a page that came, a refusal, what the keyboard reaches, what is typed, what changes.
// The box makes the sound (`/speech`), a piece at a time; whatever is said anew ends what was being said.
(() => {
  "use strict";
  const PIECE = 500;
  const MOST_PIECES = 40;
  const PAUSE_MS = 500;
  const LONGEST_MS = 300000;
  const BLOCKS = "h1, h2, h3, p, li, dt, dd, th, td, summary, a, button, label, figcaption, legend, option, div, section";
  const NEWS = "[role=status], [role=alert]";
  const root = document.documentElement;
  const words = () => document.getElementById("voice").dataset;
  const isOn = () => root.dataset.speech === "on";
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("[aria-hidden=true], template, script");

  const sound = new AudioContext();
  const level = sound.createGain();
  level.connect(sound.destination);
  let turn = 0;
  let playing = null;
  let since = 0;
  let busy = false;
  let asked = new AbortController();

  const loudness = () => { level.gain.value = Number(words().volume) / 5; };
  const hush = () => { turn += 1; busy = false; asked.abort(); if (playing) playing.stop(); playing = null; };
  const fetchPiece = async (text) => {
    asked = new AbortController();
    const body = new URLSearchParams({ text });
    const answer = await fetch("/speech", { method: "POST", body, headers: { Accept: "application/json" }, signal: asked.signal });
    if (!answer.ok) throw new Error(answer.status);
    return sound.decodeAudioData(await answer.arrayBuffer());
  };
  const play = (buffer) => new Promise((done) => {
    playing = sound.createBufferSource();
    playing.buffer = buffer;
    playing.onended = done;
    playing.connect(level);
    playing.start();
  });

  const pieces = (texts) => {
    const made = [""];
    for (const text of texts.flatMap((each) => each.match(new RegExp(`.{1,${PIECE}}`, "g")) || [])) {
      const last = made.length - 1;
      const sentence = /[.!?…:؟]$/.test(text) ? `${text} ` : `${text}. `;
      if (made[last].length + text.length < PIECE) made[last] += sentence; else made.push(sentence);
    }
    return made.filter(Boolean).slice(0, MOST_PIECES);
  };
  const say = async (...texts) => {
    hush();
    if (!isOn()) return;
    const mine = turn;
    since = performance.now();
    busy = true;
    try {
      await sound.resume();
      loudness();
      for (const piece of pieces(texts.map(tidy).filter(Boolean))) {
        const buffer = await fetchPiece(piece);
        if (mine !== turn) return;
        await play(buffer);
        if (mine !== turn) return;
      }
    } catch {
      if (mine === turn) window.shop.trouble(words().silent);
    }
    if (mine === turn) busy = false;
  };

  // What a page says, in its order: each block once, pictures by their words.
  const read = (from) => {
    const said = [];
    let block = null;
    const walk = document.createTreeWalker(from, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (walk.nextNode()) {
      const node = walk.currentNode;
      const text = node.nodeType === Node.TEXT_NODE ? node.data : node.matches("img[alt]") ? node.alt : "";
      const holder = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
      if (!text.trim() || holder.closest("option") || !isShown(holder)) continue;
      const own = holder.closest(BLOCKS);
      if (own === block && said.length) said[said.length - 1] += ` ${text}`; else said.push(text);
      block = own;
    }
    return said;
  };

  // What the keyboard is at: its name, what it is, its state.
  const nameOf = (element) => {
    const labels = (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.innerText);
    const label = element.labels?.[0]?.innerText;
    return element.getAttribute("aria-label") || labels.filter(Boolean).join(" ") || label || read(element).join(" ");
  };
  const kindOf = (element) => element.matches("a") ? words().link : element.matches("select, input:not([type=checkbox], [type=radio]), textarea") ? words().field : element.matches("main") ? "" : words().button;
  const stateOf = (element) => {
    if (element.matches("select")) return element.selectedOptions[0]?.text || "";
    if (element.matches("[aria-pressed=true], [aria-current=true], [aria-current=page], :checked")) return words().chosen;
    return element.matches("input, textarea") ? element.value : "";
  };
  const atFocus = (element) => {
    const box = element.closest("dialog");
    say(box ? read(box).join(" ") : "", nameOf(element), kindOf(element), stateOf(element));
  };

  // A page is read when it is another one, and again when the voice is turned on again; of the same page what is news on it.
  let told = null;
  let wasOn = false;
  let known = [];
  const newsHere = () => [...document.querySelectorAll(NEWS)].filter(isShown).map((each) => tidy(each.innerText)).filter(Boolean);
  const page = () => {
    if (told === document.body) return;
    const title = document.querySelector("h1")?.innerText + root.lang;
    const isNew = !wasOn || title !== window.voice.title;
    told = document.body;
    wasOn = isOn();
    window.voice.title = title;
    if (!wasOn) { hush(); return; }
    const [before, here] = [known, newsHere()];
    known = here;
    const fresh = here.filter((each) => !before.includes(each));
    if (isNew) say(...read(document.getElementById("main"))); else if (fresh.length) say(...fresh); else loudness();
  };

  addEventListener("focusin", (event) => { if (event.target.id !== "main") atFocus(event.target); });
  let typed = 0;
  addEventListener("input", (event) => {
    clearTimeout(typed);
    if (event.target.type !== "password") typed = setTimeout(() => say(stateOf(event.target)), PAUSE_MS);
  });
  let news = 0;
  new MutationObserver((records) => {
    page();
    const box = records.map(({ target }) => (target.nodeType === Node.TEXT_NODE ? target.parentElement : target)?.closest?.(NEWS)).find(Boolean);
    if (!box) return;
    clearTimeout(news);
    news = setTimeout(() => { if (box.isConnected && isShown(box)) say(box.innerText); }, PAUSE_MS);
  }).observe(root, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["hidden", "data-speech"] });
  addEventListener("pagehide", hush);

  window.voice = { title: "", isSpeaking: () => busy && performance.now() - since < LONGEST_MS, hush };
  if (document.readyState === "complete") page(); else addEventListener("load", page);
})();
