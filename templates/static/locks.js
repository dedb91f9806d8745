// The lock of the counter covers the page and leaves it as it is: what was typed is there when a PIN opens it again. The server asks for
// the PIN by itself as well; without scripts its page does.
(() => {
  "use strict";
  const LOCKED = [422, 423];
  const box = () => document.getElementById("lock");
  let idle = "";
  let isLocked = false;

  const cover = () => {
    if (isLocked || !box()) return;
    isLocked = true;
    document.getElementById("idle")?.close();
    idle = document.body.dataset.idle;
    document.body.dataset.idle = "0";
    box().showModal();
    box().querySelector("[name=lock_pin]").focus();
  };
  const uncover = (name) => {
    isLocked = false;
    document.body.dataset.idle = idle;
    box().querySelector("[name=lock_pin]").value = "";
    box().close();
    const who = document.getElementById("me");
    if (who && name) who.textContent = name;
  };
  const send = (form) => fetch(form.getAttribute("action"), {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Requested-With": "fetch", Accept: "text/html" },
  });

  const unlock = async (form) => {
    if (form.dataset.sent) return;
    form.dataset.sent = "1";
    const name = form.querySelector("[name=lock_clerk]:checked")?.closest("label").textContent.trim();
    const answer = await send(form).catch(() => null);
    delete form.dataset.sent;
    const next = answer && answer.headers.get("Location");
    if (answer && answer.status === 204 && next.startsWith("/counter/session")) { location.assign(next); return; }
    if (answer && answer.status === 204) { uncover(name); return; }
    if (!answer || !LOCKED.includes(answer.status)) { window.shop.trouble(document.getElementById("trouble").dataset.away); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    form.replaceWith(document.adoptNode(page.querySelector("[data-unlocking]")));
    box().querySelector("[name=lock_pin]").focus();
  };

  addEventListener("submit", (event) => {
    const form = event.target;
    if ("locking" in form.dataset && box()) { event.preventDefault(); cover(); send(form).catch(() => null); }
    if (form.closest("#lock")) { event.preventDefault(); unlock(form); }
  }, { capture: true });
  addEventListener("cancel", (event) => { if (event.target.id === "lock") event.preventDefault(); }, { capture: true });
  addEventListener("close", (event) => { if (event.target.id === "lock" && isLocked) box().showModal(); }, { capture: true });
  addEventListener("counter-locked", cover);
})();
