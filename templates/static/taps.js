// Forms are sent while their page stays: Chromium asks again for a page that did not come, but never sends a form again, and a kiosk
// has no reload. Where the process is away, the page is kept, says so, and comes back by itself. Without scripts forms are plain forms.
(() => {
  "use strict";
  const AGAIN_MS = 2000;
  const PATIENCE_MS = 15000;
  const pause = () => new Promise((done) => { setTimeout(done, AGAIN_MS); });

  // What is neither a page nor word of one was not said by the kiosk's pages: a server too busy, or on its way down, is as good as away.
  const answers = async (address, options) => {
    try {
      const answer = await fetch(address, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
      const html = await answer.text();
      const isPage = html && (answer.headers.get("Content-Type") || "").startsWith("text/html");
      return isPage || answer.status === 204 ? { status: answer.status, next: answer.headers.get("Location"), html } : null;
    } catch { return null; }
  };
  const until = async (address, options) => {
    for (;;) {
      const answer = await answers(address, options);
      if (answer) return answer;
      await pause();
    }
  };

  const comeBack = async (form) => {
    const trouble = document.getElementById("trouble");
    trouble.textContent = trouble.dataset.away;
    trouble.hidden = false;
    await pause();
    await until(location.href, {});
    if (form.isConnected) location.reload();
  };

  // A write that leads back to the page it came from changes the page in its place: the keyboard stays where it was.
  const go = async (address, form, said) => {
    const there = new URL(address, location);
    const isHere = "stay" in form.dataset || (there.pathname === location.pathname && there.search === location.search);
    const place = there.hash.slice(1) || form.closest("li[id], section[id]")?.id;
    const page = isHere ? await answers(location.href) : null;
    if (!isHere) { location.assign(there); return; }
    if (!form.isConnected) return;
    if (!page) { await comeBack(form); return; }
    if (page.status !== 200) { location.reload(); return; }
    pages.keep(page.html);
    const spot = document.getElementById(place) || document.querySelector(`[data-stay] [value="${said}"]`) || document.getElementById("main");
    (spot.closest("details:not([open])")?.firstElementChild || spot).focus({ preventScroll: true });
  };

  // A refusal takes the page's place; its address stays that of the page, which can be read again.
  const refuse = (html) => {
    const page = pages.show(html);
    document.body.dataset.refused = "";
    scrollTo(0, 0);
    document.getElementById("main").focus();
    if (page.querySelector("[http-equiv=refresh]")) setTimeout(() => location.reload(), 2 * AGAIN_MS);
  };

  // Whoever leaves is out of sight at once, whether or not anybody hears of it yet.
  const leave = async (form, posted) => {
    const away = document.getElementById("away");
    document.body.replaceChildren(away.content.cloneNode(true));
    await until(form.getAttribute("action"), posted);
    location.assign("/");
  };

  const send = async (form, posted) => {
    const answer = await answers(form.getAttribute("action"), posted);
    if (!form.isConnected) return;
    if (answer && answer.status === 204) { await go(answer.next, form, posted.said); return; }
    if (answer) { refuse(answer.html); return; }
    await comeBack(form);
  };

  addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    event.preventDefault();
    // A second tap on a form that is already on its way changes nothing.
    if (form.dataset.sent) return;
    form.dataset.sent = "1";
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const posted = { said: event.submitter?.value, method: "POST", body, headers: { "X-Requested-With": "fetch", Accept: "text/html" } };
    ("leaving" in form.dataset ? leave : send)(form, posted);
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent; });
})();
