// A page that takes the place of another without being gone to, and what somebody has typed meanwhile: another language keeps it. A
// selection that began meanwhile goes along to pages of the shop that are gone back to.
(() => {
  "use strict";
  const FIELDS = "main :is(input, select, textarea)[name]:not([type=hidden])";
  const isMark = (field) => ["radio", "checkbox"].includes(field.type);

  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const [old, root] = [document.documentElement, page.documentElement];
    for (const { name } of [...old.attributes]) if (!root.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of root.attributes) old.setAttribute(name, value);
    document.title = page.title;
    document.body.replaceWith(document.adoptNode(page.body));
    if (window.htmx) htmx.process(document.body);
    return page;
  };

  const keep = (html) => {
    const typed = [...document.querySelectorAll(FIELDS)];
    show(html);
    for (const field of document.querySelectorAll(FIELDS)) {
      const before = typed.find((each) => each.name === field.name && (!isMark(field) || each.value === field.value));
      if (!before) continue;
      if (isMark(field)) field.checked = before.checked; else field.value = before.value;
    }
  };

  // The menu of languages folds when something else is touched or come to, and by Escape.
  const fold = (event) => {
    const [menu, isKey] = [document.querySelector(".lang[open]:not(.laid-out)"), event.type === "keydown"];
    if (!menu || (isKey ? event.key !== "Escape" : menu.contains(event.target))) return;
    menu.open = false;
    if (isKey) menu.firstElementChild.focus();
  };
  for (const kind of ["click", "focusin", "keydown"]) addEventListener(kind, fold);

  // Links to other languages, where a page has them; forms that change the language are sent by taps.js.
  addEventListener("click", async (event) => {
    const link = event.target.closest(".langs a[href]");
    if (!link || ![...document.querySelectorAll(FIELDS)].some((field) => field.value && !isMark(field))) return;
    event.preventDefault();
    const answer = await fetch(link.href).catch(() => null);
    if (!answer || !answer.ok) { location.assign(link.href); return; }
    keep(await answer.text());
    history.replaceState(null, "", answer.url);
  });

  const SHOP = /^\/(home|browse|sku|compare|finder|plans|how-it-works|grades)?(\/|$)/;
  const follow = (isReturn) => {
    const here = new URL(location);
    const own = here.pathname.match(/^\/selections\/(?!new$)([^/]+)$/)?.[1] || here.searchParams.get("s");
    const kept = sessionStorage.getItem("selection");
    if (own) sessionStorage.setItem("selection", own);
    else if (/^\/(orders|k)\//.test(here.pathname)) sessionStorage.removeItem("selection");
    else if (isReturn && kept && SHOP.test(here.pathname)) {
      document.documentElement.hidden = true;
      here.searchParams.set("s", kept);
      location.replace(here);
    }
  };
  follow(performance.getEntriesByType("navigation")[0]?.type === "back_forward");
  addEventListener("pageshow", ({ persisted }) => { if (persisted) follow(true); });

  window.pages = { show, keep };
})();
