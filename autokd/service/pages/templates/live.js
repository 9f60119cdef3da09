// Keeps the page of a study up to date: what has changed is fetched as HTML and put where it was.
// Numbers and figures come from the server; nothing is computed here.
(() => {
  "use strict";
  const settings = document.getElementById("live");
  if (!settings) return;
  const live = JSON.parse(settings.textContent);
  const main = document.getElementById("main");
  const SOON = 1000;
  const LATE = 10000;
  const pairs = `${live.page}/pairs/`;
  const sources = new WeakMap();
  const panels = new Map();
  let version = live.version;
  let wanted = version;

  // Scripts change what stands here, so what the server sent is kept to compare with.
  for (const part of main.children) sources.set(part, part.outerHTML);

  class Over extends Error {}
  class Refused extends Error {}

  async function fetched(address) {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) throw new Over("signed out");
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  // Names of the parts, which stay the same while what is in them changes.
  function named(parts) {
    const seen = new Map();
    return [...parts].map((part) => {
      const heading = part.querySelector(":scope > h2[id]");
      const kind = (heading && heading.id) || part.id || `${part.tagName} ${part.className}`;
      seen.set(kind, (seen.get(kind) || 0) + 1);
      return [`${kind} ${seen.get(kind)}`, part];
    });
  }

  function forget(part) {
    for (const figure of part.querySelectorAll(".js-plotly-plot")) Plotly.purge(figure);
  }

  // What a reader has chosen and where the reader is go from a part to the one in its place.
  function carry(from, to) {
    const both = (selector, act) => {
      const [before, after] = [from, to].map((part) => [...part.querySelectorAll(selector)]);
      if (before.length === after.length) before.forEach((element, place) => act(element, after[place]));
    };
    both("details", (before, after) => { after.open = before.open; });
    both("input, select", (before, after) => { after.value = before.value; });
    both("[data-sortable]", (before, after) => {
      const heads = [...before.tHead.rows[0].cells];
      const place = heads.findIndex((cell) => cell.hasAttribute("aria-sort"));
      if (place < 0) return;
      const head = after.tHead.rows[0].cells[place];
      const times = heads[place].getAttribute("aria-sort") === "ascending" ? 1 : 2;
      for (let time = 0; time < times; time += 1) autokdPage.sort(after, head, place);
    });
    const scrolled = [];
    both(".wide, .tall, .trials", (before, after) => scrolled.push([after, before.scrollTop, before.scrollLeft]));
    const focused = from.contains(document.activeElement) ? document.activeElement : null;
    let next = null;
    if (focused && focused.matches("a[href]")) {
      next = to.querySelector(`a[href="${CSS.escape(focused.getAttribute("href"))}"]`);
    } else if (focused) {
      both("button, input, select, summary", (before, after) => {
        if (before === focused) next = after;
      });
    }
    return () => {
      for (const form of to.querySelectorAll("[data-filters]")) autokdPage.filter(form);
      for (const [element, top, left] of scrolled) element.scrollTo(left, top);
      if (next) next.focus({ preventScroll: true });
    };
  }

  function swap(fresh) {
    const old = new Map(named(main.children));
    const changes = named(fresh.children).map(([name, part]) => {
      const source = part.outerHTML;
      const before = old.get(name);
      if (before && ("kept" in before.dataset || before.className === "shown" || sources.get(before) === source)) {
        return [before, before];
      }
      const after = document.importNode(part, true);
      sources.set(after, source);
      return [before, after];
    });
    const same = changes.length === main.children.length
      && changes.every(([before], place) => before === main.children[place]);
    const settle = [];
    for (const [before, after] of changes) {
      if (before === after) continue;
      autokdPage.bind(after);
      if (before) {
        settle.push(carry(before, after));
        forget(before);
        if (same) before.replaceWith(after);
      }
    }
    if (!same) main.replaceChildren(...changes.map(([, after]) => after));
    for (const act of settle) act();
    if (changes.some(([before, after]) => before !== after)) autokdPage.draw(document.body);
  }

  // Panels of pairs are fetched when they are opened: all of them would be megabytes.
  async function panel(key) {
    const query = live.query ? `${live.query}&panel=1` : "?panel=1";
    const page = await fetched(`${pairs}${key}${query}`);
    const fresh = page.querySelector(".pair");
    const source = fresh.outerHTML;
    const id = `pair-${key}`;
    const before = document.getElementById(id);
    if (before && panels.get(key) === source) return;
    panels.set(key, source);
    if (!before) {
      const part = document.importNode(fresh, true);
      main.querySelector(".shown").append(part);
      autokdPage.bind(part);
      // Only going there makes it the target of the address.
      if (location.hash === `#${id}`) location.replace(location.href);
    } else {
      const after = document.importNode(fresh, true);
      const settle = carry(before, after);
      forget(before);
      before.replaceChildren(...after.childNodes);
      before.dataset.title = fresh.dataset.title;
      delete before.dataset.drawn;
      autokdPage.bind(before);
      settle();
    }
    autokdPage.open();
  }

  function opened() {
    const match = /^#pair-(\d+-\d+)$/.exec(location.hash);
    return match && match[1];
  }

  async function openPanel() {
    const key = opened();
    if (key && !document.getElementById(`pair-${key}`)) await guarded(() => panel(key));
  }

  async function guarded(act) {
    try {
      await act();
    } catch (error) {
      notice(error instanceof Over
        ? "You are signed out: load the page again to sign in."
        : "The service does not answer; what is shown may be old.");
    }
  }

  function notice(text) {
    const place = document.querySelector("[data-notice]");
    if (place.textContent !== text) place.textContent = text;
  }

  let running = false;
  let wait = SOON;

  async function update() {
    if (running) return;
    running = true;
    while (version !== wanted) {
      const before = version;
      await guarded(async () => {
        const page = await fetched(`${live.page}${live.query}`);
        version = JSON.parse(page.getElementById("live").textContent).version;
        swap(page.getElementById("main"));
        const key = opened();
        if (key) await panel(key);
        notice("");
      });
      // The server does not make a page anew for each trial; the last one comes in a while.
      wait = version === before ? Math.min(2 * wait, LATE) : SOON;
      await new Promise((done) => setTimeout(done, wait));
    }
    running = false;
  }

  async function work() {
    const page = await fetched(`${live.page}/work${live.query}`);
    const place = document.querySelector("[data-work]");
    const fresh = document.importNode(page.body, true);
    if (sources.get(place) === fresh.innerHTML) return;
    sources.set(place, fresh.innerHTML);
    const settle = carry(place, fresh);
    place.replaceChildren(...fresh.childNodes);
    settle();
  }

  function listen() {
    const source = new EventSource(`${live.page}/events${live.query}`);
    let seen = "";
    source.addEventListener("changed", (event) => {
      const versions = JSON.parse(event.data);
      notice("");
      if (versions.work !== seen) guarded(work);
      seen = versions.work;
      wanted = versions.results;
      update();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) notice("You are signed out: load the page again to sign in.");
    });
  }

  // Answers of the service to what was asked for; a problem says what is wrong and the way out.
  async function post(address, body) {
    const options = { method: "POST", headers: { Accept: "application/json" } };
    if (body !== undefined) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    const answer = await fetch(address, options);
    if (answer.status === 401) throw new Over("signed out");
    const content = await answer.json();
    if (answer.ok) return content;
    const { detail, way_out: wayOut } = content;
    throw new Refused(wayOut && !detail.includes(wayOut) ? `${detail}; ${wayOut}` : detail);
  }

  async function ask(address, body, words) {
    const place = document.querySelector("[data-answer]");
    place.textContent = "";
    await guarded(async () => {
      try {
        const job = await post(address, body);
        place.className = "";
        place.textContent = words(job);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        place.className = "problem";
        place.textContent = error.message;
      }
      await work();
    });
  }

  // What the form asks for, as a request of a job; what is left empty is the study's own.
  function batch(form) {
    const fields = new FormData(form);
    const text = (name) => (fields.get(name) || "").trim();
    const pairs = text("pairs");
    const request = { what: "tune", study: live.study };
    // Names of participants may hold spaces; then there is a line or a semicolon between pairs.
    const between = /[;\n]/.test(pairs) ? /[;\n]+/ : /\s+/;
    request.pairs = pairs === "all" ? pairs : pairs.split(between).map((pair) => pair.trim()).filter(Boolean);
    if (text("trials")) request.trials = Number(text("trials"));
    if (text("minutes")) request.budget = { seconds: 60 * Number(text("minutes")) };
    if (text("space")) request.space = text("space");
    if (text("position")) request.position = text("position");
    return request;
  }

  addEventListener("submit", async (event) => {
    if (!event.target.matches("[data-start]")) return;
    event.preventDefault();
    const button = event.target.querySelector("button");
    button.disabled = true;
    await ask("/v1/jobs", batch(event.target), (job) => `Job ${job.id} is ${job.state}.`);
    button.disabled = false;
  });
  addEventListener("click", async (event) => {
    const button = event.target.closest("[data-cancel], [data-retry]");
    if (!button) return;
    button.disabled = true;
    const id = button.dataset.cancel;
    if (id) {
      await ask(`/v1/jobs/${id}/cancel`, undefined, (job) => (
        job.state === "cancelled" ? `Job ${id} is cancelled.` : `Job ${id} ends with the next report of its runs.`));
    } else {
      await ask("/v1/jobs", JSON.parse(button.dataset.retry), (job) => `Job ${job.id} is ${job.state}.`);
    }
    button.disabled = false;
  });
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || !link.pathname.startsWith(pairs)) return;
    event.preventDefault();
    location.hash = `#pair-${link.pathname.slice(pairs.length)}`;
  });
  addEventListener("hashchange", openPanel);
  addEventListener("DOMContentLoaded", () => {
    openPanel();
    listen();
  });
})();
