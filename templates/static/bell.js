// The bell at the counter: its sound, once for each call.
(() => {
  "use strict";
  let rung = "";
  const chime = () => {
    const Sound = window.AudioContext;
    // Nobody has touched this page yet: a browser lets it make no sound.
    if (!Sound || !navigator.userActivation?.hasBeenActive) return;
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
