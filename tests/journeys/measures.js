// What a page is asked as a browser shows it; axe.js stands before this. Each answer is a list of what is wrong.
globalThis.eye = (() => {
  const TOUCHED = "a[href], button, summary, select, input:not([type=hidden]), textarea";
  const isSeen = (element) => element.checkVisibility({ visibilityProperty: true });
  const touched = () => [...document.querySelectorAll(TOUCHED)].filter((each) => isSeen(each) && !each.matches(".skip"));
  const brief = (element) => element.outerHTML.slice(0, 90);

  const tooWide = () => {
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const isIn = (each) => each !== document.body && (getComputedStyle(each).overflowX !== "visible" || isIn(each.parentElement));
    const wide = [...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > clientWidth + 1 && !isIn(each.parentElement));
    return [`wider than the glass: ${wide.slice(0, 3).map(brief).join(" ") || "the page"}`];
  };

  // `mm` is how many pixels make a millimetre; `main` is what a main action needs.
  const tooSmall = (mm, least, main) => touched().filter((each) => !each.matches(".unseen")).flatMap((each) => {
    const box = each.matches("[type=checkbox], [type=radio]") && each.closest("label") || each;
    const { width, height } = box.getBoundingClientRect();
    const wanted = each.matches(".btn, .poster") ? main : least;
    return Math.min(width, height) / mm < wanted - 0.05 ? [`too small: ${brief(each)} ${width / mm} x ${height / mm} mm`] : [];
  });

  const words = function* (from = document.body) {
    const walker = document.createTreeWalker(from, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) yield [walker.currentNode.data.trim(), walker.currentNode.parentElement, walker.currentNode];
  };

  const tooLow = (mm, least) => {
    const pen = document.createElement("canvas").getContext("2d");
    return [...words()].flatMap(([said, box]) => {
      if (!said || box.closest("[aria-hidden], .skip, .unseen, script, option") || !isSeen(box)) return [];
      const { fontWeight, fontSize, fontFamily } = getComputedStyle(box);
      pen.font = `${fontWeight} 1000px ${fontFamily}`;
      const capital = pen.measureText("H").actualBoundingBoxAscent / 1000 * parseFloat(fontSize) / mm;
      return capital < least ? [`too low to read: ${said.slice(0, 40)} ${capital} mm`] : [];
    });
  };

  const measured = ([mm, least, main, capital]) => [
    ...tooWide(), ...(mm ? tooSmall(mm, least, main) : []), ...(mm && capital ? tooLow(mm, capital) : []),
  ];

  // WCAG 1.4.10 and 1.4.12 at once: in a narrow window, with more room between letters, words, lines and paragraphs.
  const SPACED = "* { line-height: 1.5; letter-spacing: .12em; word-spacing: .16em } p { margin-block-end: 2em }";
  const cuts = (each) => {
    const { overflowX, overflowY } = getComputedStyle(each);
    const isOver = (overflow, inside, outside) => ["hidden", "clip"].includes(overflow) && inside > outside + 1;
    return isOver(overflowX, each.scrollWidth, each.clientWidth) || isOver(overflowY, each.scrollHeight, each.clientHeight);
  };
  const isCut = (box) => [...words(box)].some(([said, holder, text]) => {
    if (!said || !isSeen(holder)) return false;
    const range = document.createRange();
    range.selectNodeContents(text);
    const [own, around] = [range, box].map((each) => each.getBoundingClientRect());
    return own.right > around.right + 1 || own.left < around.left - 1 || own.bottom > around.bottom + 1;
  });
  const cutOff = () => [...document.querySelectorAll("body *")]
    .filter((each) => !each.matches(".unseen") && each.clientWidth > 1 && isSeen(each) && cuts(each) && isCut(each)).map((each) => `cut off: ${brief(each)}`);
  const spaced = () => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(SPACED.replaceAll(/(;| })/g, " !important$1"));
    document.adoptedStyleSheets = [sheet];
    const wrong = [...tooWide(), ...cutOff()];
    document.adoptedStyleSheets = [];
    return wrong;
  };

  const outOfReach = () => touched().filter((each) => each.getBoundingClientRect().top + scrollY < 0.6 * innerHeight).map(brief);

  // Another contrast, text or panel, as the page would come with it; a kiosk takes it for a sign of life.
  const wear = ([isHigh, isLarge, panel]) => {
    const { dataset } = document.documentElement;
    const put = (name, value) => { if (value) dataset[name] = value; else delete dataset[name]; };
    put("contrast", isHigh && "high");
    put("text", isLarge && "large");
    dataset.told ??= dataset.panel ?? "";
    if (dataset.told) put("panel", panel);
    dispatchEvent(new Event("wheel"));
  };

  // Where everything stands, and in which colours each kind of thing is drawn, as a number each.
  const drawn = () => {
    const sum = (parts) => parts.reduce((all, part) => [...part].reduce((code, each) => (code * 31 + each.charCodeAt(0)) | 0, all), 7);
    const every = [...document.querySelectorAll("body, body *")].filter(isSeen).map((each) => [each, getComputedStyle(each)]);
    const colours = every.map(([each, { color, backgroundColor, backgroundImage, opacity, fontWeight }]) =>
      `${each.localName} ${each.getAttribute("class")} ${color} ${backgroundColor} ${backgroundImage} ${opacity} ${fontWeight}`);
    const places = every.map(([each]) => each.getBoundingClientRect()).map(({ x, y, width, height }) => `${x},${y},${width},${height}`);
    return [sum(places), sum([...new Set(colours)].sort())];
  };

  // axe's stricter rule of contrast is asked for wherever an amount of money stands, however large it is written; what CSS draws
  // beside a box (the notches of a slip) is no ground of its words.
  const AMOUNT = /\p{Nd}[\p{Nd}\s.,’\u2066-\u2069]*\p{Sc}|\p{Sc}\s*\p{Nd}/u;
  const STRICT = "color-contrast-enhanced";
  const ratio = { normal: { expected: 7 }, large: { expected: 7 } };
  const sizes = { boldValue: 700, boldTextPt: 14, largeTextPt: 18, pseudoSizeThreshold: 0.25 };
  axe.configure({
    checks: [{ id: STRICT, options: { ignoreUnicode: true, ignoreLength: true, ignorePseudo: true, ...sizes, contrastRatio: ratio } }],
    rules: [{ id: STRICT, selector: "[data-amount]", enabled: true, tags: ["amounts"] }],
  });
  const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "amounts"];
  const COLOURS = ["color-contrast", STRICT, "link-in-text-block"];
  const violations = async ([isShape, isColour]) => {
    for (const [said, box] of words()) if (AMOUNT.test(said)) box.dataset.amount = "";
    // A bar that stays in view covers what can be scrolled from beneath it.
    for (const bar of document.querySelectorAll(".truth, .compare-bar, .thumbs")) bar.style.position = "static";
    const off = isColour ? [] : COLOURS.map((id) => [id, { enabled: false }]);
    const options = { runOnly: isShape ? TAGS : COLOURS, rules: Object.fromEntries(off), resultTypes: ["violations", "incomplete"], preload: false };
    const found = await axe.run(document, options);
    const unsure = found.incomplete.filter(({ id }) => id === STRICT);
    const place = ({ target, any }) => `${target[0]} (${any.map(({ message }) => message).join(" ")})`;
    return [...found.violations, ...unsure].map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(place).join("; ")}`);
  };

  return { tooWide, measured, spaced, outOfReach, wear, drawn, violations };
})();
