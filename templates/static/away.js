// The shop on a device of one's own: it can be installed, and what was kept of it says that it is no news. `worker.js` keeps it.
(() => {
  "use strict";
  if (!("serviceWorker" in navigator)) return;
  const { lang, dataset: { kept } } = document.documentElement;
  const show = (id) => { const part = document.getElementById(id); if (part) part.hidden = false; return part; };
  const worded = (at) => new Date(at).toLocaleString(lang, { dateStyle: "long", timeStyle: "short" });

  navigator.serviceWorker.register("/worker.js").catch(() => {});

  if (kept) {
    show("kept").querySelector("time").append(worded(kept));
    for (const form of document.forms) for (const field of form.elements) field.disabled = true;
  }

  const list = async () => {
    const place = document.getElementById("kept-pages");
    if (!place) return;
    const pages = await caches.open("pages");
    for (const key of await pages.keys()) {
      const answer = await pages.match(key);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const link = document.createElement("a");
      link.href = new URL(key.url).pathname;
      link.textContent = page.querySelector('meta[name="kept"]').content.replace(/^\w+ /, "");
      const at = document.createElement("span");
      at.className = "soft";
      at.textContent = worded(answer.headers.get("X-Kept-At"));
      const line = document.createElement("li");
      line.className = "card line";
      line.append(link, at);
      place.append(line);
    }
    if (!place.childElementCount) { show("kept-none"); return; }
    show("forget").addEventListener("click", async () => { await caches.delete("pages"); location.reload(); });
  };
  list().catch(() => show("kept-none"));

  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    const button = show("install");
    if (button) button.onclick = () => event.prompt();
  });
})();
