// What counter pages cannot do alone: take what a scanner types outside of fields, and sound the bell once for each call.
(() => {
  "use strict";
  // A scanner types faster than any hand, and ends with Enter.
  const GAP_MS = 60;
  const FEWEST = 4;
  const FIELDS = "input, select, textarea, [contenteditable]";
  let typed = "";
  let typedAt = 0;

  addEventListener("keydown", (event) => {
    const form = document.getElementById("scan");
    if (!form || event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.(FIELDS)) return;
    const isQuick = event.timeStamp - typedAt < GAP_MS;
    typedAt = event.timeStamp;
    if (event.key.length === 1) {
      typed = (isQuick ? typed : "") + event.key;
      // A space would press the button that has the focus.
      if (isQuick) event.preventDefault();
      return;
    }
    if (event.key !== "Enter") return;
    const code = typed;
    typed = "";
    if (!isQuick || code.length < FEWEST) return;
    event.preventDefault();
    form.elements.code.value = code;
    form.requestSubmit();
  }, { capture: true });

  let rung = "";
  const chime = () => {
    const Sound = window.AudioContext;
    if (!Sound) return;
    const sound = new Sound();
    for (const [start, pitch] of [[0, 880], [0.22, 660]]) {
      const [tone, level] = [sound.createOscillator(), sound.createGain()];
      tone.frequency.value = pitch;
      level.gain.setValueAtTime(0.2, sound.currentTime + start);
      level.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + start + 0.5);
      tone.connect(level).connect(sound.destination);
      tone.start(sound.currentTime + start);
      tone.stop(sound.currentTime + start + 0.5);
    }
    setTimeout(() => sound.close(), 1500);
  };
  addEventListener("htmx:afterSettle", () => {
    const ring = document.getElementById("bell")?.dataset.ring || "";
    const known = new Set(rung.split("."));
    if (ring && ring.split(".").some((call) => !known.has(call))) chime();
    rung = ring;
  });
})();
