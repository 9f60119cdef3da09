// Draws what Python has computed; no number is computed here.
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colors = new Map(Object.entries(JSON.parse(document.getElementById("dark").textContent)));
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  const texts = new WeakMap();

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
    const packed = part.querySelector(part === document.body ? "main > .packed" : ":scope > .packed");
    if (!packed) return;
    const content = await unpack(packed);
    for (const holder of within(part, "[data-figure]")) {
      const figure = content[holder.dataset.figure];
      if (figure) await Plotly.react(holder, figure.data, figure.layout, config);
    }
    for (const holder of within(part, "[data-trials]")) {
      if (!holder.firstChild) holder.append(table(content.trials));
    }
    for (const form of within(part, "[data-compare]")) compare(form, content.compared);
    scrollable();
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
      cell.scope = "col";
      cell.className = numeric(column) ? "num" : "";
      cell.textContent = column.name;
      head.append(cell);
      sorting(element, cell, place);
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

  // Makes a heading a button that sorts by its column.
  function sorting(element, cell, place) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    button.addEventListener("click", () => {
      sort(element, cell, place);
      rove(element);
    });
    cell.append(button);
  }

  // What a cell is sorted by: what the script gave it, else its `data-sort`, else its text.
  function sorts(cell) {
    if (cell.sorts !== undefined) return cell.sorts;
    const value = cell.dataset.sort;
    if (value === undefined) return cell.textContent;
    return value === "" ? null : Number(value);
  }

  // One link of a table is a stop of the tab key; arrow keys move between them.
  const links = (element) => [...element.querySelectorAll("tbody a[href]")].filter((one) => !one.closest("[hidden]"));

  function rove(element, to) {
    if (!("roving" in element.dataset)) return;
    const all = links(element);
    const stop = to || all.find((one) => one.tabIndex === 0 && one === document.activeElement) || all[0];
    for (const one of element.querySelectorAll("tbody a[href]")) one.tabIndex = one === stop ? 0 : -1;
    if (to) to.focus();
  }

  function move(event) {
    const element = event.currentTarget;
    const link = event.target.closest("tbody a[href]");
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!link || !steps || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const place = (one) => {
      const cell = one.closest("th, td");
      return [[...element.rows].indexOf(cell.parentElement), cell.cellIndex];
    };
    const [row, column] = place(link);
    const [down, right] = steps;
    const ahead = links(element)
      .map((one) => [one, ...place(one)])
      .filter(([, y, x]) => (down ? x === column && (y - row) * down > 0 : y === row && (x - column) * right > 0));
    event.preventDefault();
    if (!ahead.length) return;
    const far = ([, y, x]) => Math.abs(y - row) + Math.abs(x - column);
    rove(element, ahead.reduce((best, one) => (far(one) < far(best) ? one : best))[0]);
  }

  function filter(form) {
    const body = document.querySelector("[data-sortable] tbody");
    const find = form.querySelector("[data-find]").value.trim().toLowerCase();
    const action = form.querySelector("[data-action]").value;
    const student = form.querySelector("[data-student]").value;
    let shown = 0;
    for (const row of body.rows) {
      const fits = row.textContent.toLowerCase().includes(find)
        && (!action || row.cells[1].textContent === action)
        && (!student || row.dataset.student === student);
      row.hidden = !fits;
      shown += fits;
    }
    form.querySelector("[data-shown]").textContent = `${shown} of ${body.rows.length} pairs`;
    rove(body.parentElement);
  }

  function compare(form, { lines, pairs }) {
    const element = document.querySelector("[data-compared]");
    const show = () => {
      const chosen = [...form.querySelectorAll("select")].map(
        (select) => pairs.find((pair) => pair.key === select.value));
      element.replaceChildren();
      const head = element.createTHead().insertRow();
      head.insertCell();
      for (const pair of chosen) {
        const cell = document.createElement("th");
        cell.scope = "col";
        cell.append(opened(pair));
        head.append(cell);
      }
      const body = element.createTBody();
      lines.forEach((line, place) => {
        const row = body.insertRow();
        const cell = document.createElement("th");
        cell.scope = "row";
        cell.textContent = line;
        row.append(cell);
        for (const pair of chosen) row.insertCell().textContent = pair.cells[place];
      });
    };
    const opened = (pair) => {
      const link = document.createElement("a");
      link.href = `#pair-${pair.key}`;
      link.textContent = pair.name;
      return link;
    };
    form.onchange = show;
    show();
  }

  // What scrolls must be reached by the keyboard; what does not is no stop.
  function scrollable() {
    for (const part of document.querySelectorAll(".wide, .trials, figure, pre")) {
      const scrolls = part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1;
      if (!scrolls) part.removeAttribute("tabindex");
      else part.tabIndex = 0;
    }
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
      const [first, second] = [sorts(a.cells[place]), sorts(b.cells[place])];
      if (first === null || second === null) return (first === null) - (second === null);
      return sign * (typeof first === "number" && typeof second === "number"
        ? first - second : String(first).localeCompare(String(second)));
    };
    element.tBodies[0].append(...[...element.tBodies[0].rows].sort(order));
  }

  function open() {
    const name = decodeURIComponent(location.hash.slice(1));
    const part = name && document.getElementById(name);
    const isPair = part && part.classList.contains("pair");
    document.title = isPair ? `${part.dataset.title} (${title})` : title;
    if (isPair) draw(part);
  }

  function everything() {
    scrollable();
    draw(document.body);
    for (const part of document.querySelectorAll(".pair.alone, .pair[data-drawn]")) draw(part);
    open();
  }

  // Makes a part of the page sorted, walked through and filtered; each part once.
  function bind(root) {
    for (const element of root.querySelectorAll("[data-sortable]")) {
      [...element.tHead.rows[0].cells].forEach((cell, place) => sorting(element, cell, place));
    }
    for (const element of root.querySelectorAll("[data-roving]")) {
      rove(element);
      element.addEventListener("keydown", move);
    }
    for (const form of root.querySelectorAll("[data-filters]")) {
      form.addEventListener("input", () => filter(form));
    }
    for (const form of root.querySelectorAll("[data-filters], [data-compare]")) {
      form.addEventListener("submit", (event) => event.preventDefault());
    }
    for (const details of root.querySelectorAll("details")) details.addEventListener("toggle", scrollable);
  }

  const title = document.title;
  addEventListener("resize", scrollable);
  addEventListener("hashchange", open);
  dark.addEventListener("change", everything);
  bind(document);
  everything();
  // The service's page replaces parts while it is open.
  globalThis.autokdPage = { bind, draw, filter, open, sort };
})();
