// Ask once a second; when anything changed, take the new page's papers and state as they are.
let known = document.getElementById("papers").dataset.state;

async function look() {
  try {
    const state = await (await fetch("/state.json")).json();
    const before = JSON.parse(known);
    if (JSON.stringify(state) !== JSON.stringify(before)) {
      const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
      for (const part of ["header", "main"]) {
        document.querySelector(part).replaceWith(page.querySelector(part));
      }
      known = document.getElementById("papers").dataset.state;
      if (state.latest > before.latest) document.querySelector("figure")?.classList.add("fresh");
    }
  } catch {
    // The demo is stopping or not there yet: look again.
  }
  setTimeout(look, 1000);
}

setTimeout(look, 1000);
