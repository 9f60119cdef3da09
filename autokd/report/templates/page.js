// Draws what Python has computed; no number is computed here.
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colors = new Map(Object.entries(JSON.parse(document.getElementById("dark").textContent)));
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  const texts = new Map();

  async function unpack(packed) {
    if (!texts.has(packed)) {
      const bytes = Uint8Array.from(atob(packed.textContent.trim()), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      texts.set(packed, await new Response(stream).text());
    }
    const replaced = (key, value) =>
      (dark.matches && typeof value === "string" && colors.get(value)) || value;
    return JSON.parse(texts.get(packed), replaced);
  }

  async function draw(part) {
    const packed = part.querySelector(":scope > .packed");
    if (!packed) return;
    const content = await unpack(packed);
    for (const holder of within(part, "[data-figure]")) {
      const figure = content[holder.dataset.figure];
      if (figure) await Plotly.react(holder, figure.data, figure.layout, config);
    }
    for (const holder of within(part, "[data-trials]")) {
      if (!holder.firstChild) holder.append(table(content.trials));
    }
    part.dataset.drawn = "yes";
  }

  // Elements of a pair are drawn together with the pair.
  function within(part, selector) {
    const owner = part === document.body ? null : part;
    return [...part.querySelectorAll(selector)].filter((element) => element.closest(".pair") === owner);
  }

  function table({ columns, rows }) {
    const element = document.createElement("table");
    const head = element.createTHead().insertRow();
    columns.forEach((column, place) => {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      cell.scope = "col";
      cell.className = numeric(column) ? "num" : "";
      button.textContent = column.name;
      button.addEventListener("click", () => sort(element, cell, place));
      cell.append(button);
      head.append(cell);
    });
    const body = element.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach((value, place) => {
        const cell = line.insertCell();
        cell.textContent = shown(value, columns[place]);
        cell.className = typeof value === "number" ? "num" : place === row.length - 1 ? "text" : "";
        cell.sorts = value;
      });
    }
    return element;
  }

  const numeric = (column) => "decimals" in column;

  function shown(value, column) {
    if (value === null) return "–";
    if (typeof value !== "number") return value;
    if ("digits" in column) return String(Number(value.toPrecision(column.digits)));
    if (!numeric(column)) return String(value);
    return (column.signed && value >= 0 ? "+" : "") + value.toFixed(column.decimals);
  }

  function sort(element, head, place) {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of element.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    const order = (a, b) => {
      const [first, second] = [a.cells[place].sorts, b.cells[place].sorts];
      if (first === null || second === null) return (first === null) - (second === null);
      return sign * (typeof first === "number" && typeof second === "number"
        ? first - second : String(first).localeCompare(String(second)));
    };
    element.tBodies[0].append(...[...element.tBodies[0].rows].sort(order));
  }

  function open() {
    const name = decodeURIComponent(location.hash.slice(1));
    const part = name && document.getElementById(name);
    if (part && part.classList.contains("pair")) draw(part);
  }

  function everything() {
    draw(document.body);
    for (const part of document.querySelectorAll(".pair.alone, .pair[data-drawn]")) draw(part);
    open();
  }

  addEventListener("hashchange", open);
  dark.addEventListener("change", everything);
  everything();
})();
