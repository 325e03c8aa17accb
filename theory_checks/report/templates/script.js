"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const controls = document.querySelector(".controls");
  const list = document.querySelector(".list");
  const claims = all(".claim");
  const chips = all(".chip");
  const words = new Map(claims.map((claim) => [claim, claim.textContent.toLowerCase()]));
  const total = claims.length;

  const number = (claim, key) => (claim.dataset[key] === "" ? -Infinity : Number(claim.dataset[key]));
  const byPlace = (a, b) => number(a, "place") - number(b, "place");
  const orders = {
    rank: (a, b) => number(a, "rank") - number(b, "rank") || byPlace(a, b),
    place: byPlace,
  };
  const largestFirst = (key) => (a, b) => number(b, key) - number(a, key) || byPlace(a, b);

  const pressed = () => chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.verdict);

  function update() {
    const { text, group, kind, sort } = Object.fromEntries(new FormData(controls));
    const verdicts = pressed();
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const claim of claims) {
      const d = claim.dataset;
      const fits =
        (!verdicts.length || verdicts.includes(d.verdict) || (verdicts.includes("suspect") && d.suspect === "yes")) &&
        (!group || d.group === group) &&
        (!kind || d.kind === kind) &&
        wanted.every((word) => words.get(claim).includes(word));
      claim.hidden = !fits;
      shown += fits;
    }
    list.append(...claims.sort(orders[sort] ?? largestFirst(sort)));
    controls.querySelector("output").textContent = `${shown} of ${total} claims`;
    document.querySelector(".none").hidden = shown > 0;
  }

  function showAll() {
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
  }

  // A link to a claim opens it, even if a filter hides it.
  function follow() {
    const claim = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!claim || !claim.classList.contains("claim")) return;
    if (claim.hidden) controls.reset();
    claim.querySelector("details").open = true;
    claim.scrollIntoView();
  }

  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      update();
    });
  }
  for (const event of ["input", "change"]) controls.addEventListener(event, update);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => {
    showAll();
    setTimeout(update); // after the fields are empty
  });
  addEventListener("hashchange", follow);

  // Pointing at a claim in the graph highlights what it builds on, and what builds on it.
  const graph = document.querySelector(".graph svg");
  if (graph) {
    const edges = all("[data-from]", graph);
    const nodes = all("a", graph).map((a) => [a, decodeURIComponent(a.getAttribute("href")).slice("#claim-".length)]);
    const reached = (start, from, to) => {
      const ids = new Set([start]);
      for (const id of ids) for (const edge of edges) if (edge.dataset[from] === id) ids.add(edge.dataset[to]);
      return ids;
    };
    const light = (id) => {
      const below = reached(id, "to", "from");
      const above = reached(id, "from", "to");
      for (const edge of edges) {
        const { from, to } = edge.dataset;
        edge.classList.toggle("lit", (below.has(from) && below.has(to)) || (above.has(from) && above.has(to)));
      }
      for (const [a, other] of nodes) a.classList.toggle("lit", below.has(other) || above.has(other));
      graph.classList.add("pointing");
    };
    for (const [a, id] of nodes) {
      for (const event of ["pointerenter", "focus"]) a.addEventListener(event, () => light(id));
      for (const event of ["pointerleave", "blur"]) a.addEventListener(event, () => graph.classList.remove("pointing"));
    }
  }

  document.documentElement.classList.add("script");
  controls.hidden = false;
  update();
  follow();
})();
