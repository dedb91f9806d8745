// What the installed shop shows without a network: the last slip and the orders that were opened here, as they were, and a page that
// lists them. A page is kept where it says so itself, by a `meta` named "kept". VERSION and SHELL stand in a line above this one.
"use strict";
const SHELF = `shell-${VERSION}`;
const PAGES = "pages";
const MOST_ORDERS = 20;
const PATIENCE_MS = 6000;
const OTHERS = /^\/(console|seller|api|sync)(\/|$)/;
const MARK = /<meta name="kept" content="(slip|order)/;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELF).then((shell) => shell.addAll(SHELL)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const clear = async () => {
    for (const name of await caches.keys()) if (name !== SHELF && name !== PAGES) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(clear());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(fetch(request).catch(() => plain(url)));
  else if (request.mode === "navigate" && !OTHERS.test(url.pathname)) event.respondWith(open(event, url));
});

// A page kept under an older version of its looks is shown in today's.
const plain = async (url) => {
  const name = url.pathname.split("/").slice(3).join("/");
  const shell = await caches.open(SHELF);
  const there = (await shell.keys()).find((each) => each.url.endsWith(`/${name}`));
  return there ? shell.match(there) : Response.error();
};

const open = async (event, url) => {
  const kept = await (await caches.open(PAGES)).match(url.pathname);
  const asked = fetch(event.request);
  const slow = kept && new Promise((resolve) => { setTimeout(resolve, PATIENCE_MS); });
  try {
    const answer = await (slow ? Promise.race([asked, slow]) : asked);
    if (!answer) { event.waitUntil(asked.catch(() => {})); return kept; }
    event.waitUntil(note(url, answer.clone()));
    return answer;
  } catch {
    return kept || (await caches.match("/away")) || Response.error();
  }
};

const note = async (url, answer) => {
  const pages = await caches.open(PAGES);
  if ([404, 410].includes(answer.status)) { await pages.delete(url.pathname); return; }
  if (!answer.ok || answer.type !== "basic" || !(answer.headers.get("Content-Type") || "").startsWith("text/html")) return;
  const text = await answer.text();
  const kind = text.match(MARK);
  if (!kind) { await pages.delete(url.pathname); return; }
  const at = new Date().toISOString();
  const page = new Response(text.replace("<html ", `<html data-kept="${at}" `), {
    headers: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": answer.headers.get("Content-Security-Policy"),
      "X-Kept-As": kind[1], "X-Kept-At": at },
  });
  await pages.put(url.pathname, page);
  await tidy(pages, kind[1], kind[1] === "slip" ? 1 : MOST_ORDERS);
};

const tidy = async (pages, kind, most) => {
  const dated = [];
  for (const key of await pages.keys()) {
    const { headers } = await pages.match(key);
    if (headers.get("X-Kept-As") === kind) dated.push([headers.get("X-Kept-At"), key]);
  }
  dated.sort(([one], [other]) => (one < other ? 1 : -1));
  for (const [, key] of dated.slice(most)) await pages.delete(key);
};
