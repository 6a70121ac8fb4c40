// Keeps the marked parts of a page current: listens to the server's events, fetches the page anew when something changed, and puts in
// what differs. Without events it looks every few seconds. Pages work without it.
(() => {
  "use strict";
  const mark = document.querySelector("[data-events]");
  if (!mark) return;
  const pollEvery = 3000, againAfter = 15000;
  let source = null, timer = 0, busy = false, again = false, closed = 0;

  const say = (ok) => {
    const text = ok ? mark.dataset.good : mark.dataset.bad;
    if (mark.textContent !== text) mark.textContent = text;
    mark.classList.toggle("off", !ok);
  };

  const put = (next, selector) => {
    for (const old of document.querySelectorAll(selector)) {
      const now = next.getElementById(old.id);
      if (!now || old.isEqualNode(now)) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(document.adoptNode(now));
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
  };

  const refresh = async (withLog) => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const res = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!res.ok) throw new Error(res.statusText);
      const next = new DOMParser().parseFromString(await res.text(), "text/html");
      window.tasador.localTimes(next);
      const log = document.querySelector("[data-log]"), newLog = next.querySelector("[data-log]");
      // A task that has begun another try has another log to follow.
      const other = log && newLog && log.dataset.try !== newLog.dataset.try;
      put(next, "[data-live]");
      if (other || withLog) put(next, "[data-log], #log");
      if (newLog?.childElementCount) document.getElementById("no-lines")?.remove();
      const found = next.querySelector("[data-events]");
      if (found) mark.dataset.seen = found.dataset.seen;
      if (other) { mark.dataset.events = found.dataset.events; if (source) listen(); }
      say(true);
    } catch {
      say(false);
    } finally {
      busy = false;
      if (again) { again = false; refresh(false); }
    }
  };

  const addLine = (line) => {
    const log = document.querySelector("[data-log]");
    if (!log || line.key <= Number(log.dataset.after)) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    const item = document.createElement("li");
    item.className = line.level;
    for (const [tag, text] of [["time", line.at], ["b", line.level], ["span", line.message], ["i", line.attributes]]) {
      item.append(Object.assign(document.createElement(tag), { textContent: text }));
    }
    Object.assign(item.firstChild, { dateTime: line.time, title: line.at }).dataset.form = "clock";
    window.tasador.localTimes(item);
    log.append(item);
    log.dataset.after = line.key;
    document.getElementById("no-lines")?.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  };

  const poll = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      await refresh(true);
      if (Date.now() - closed > againAfter) listen(); else poll();
    }, pollEvery);
  };

  const stop = () => { source?.close(); source = null; clearTimeout(timer); };

  function listen() {
    stop();
    const after = document.querySelector("[data-log]")?.dataset.after;
    source = new EventSource(mark.dataset.events + (after ? "&after=" + after : ""));
    source.addEventListener("open", () => say(true));
    source.addEventListener("change", (e) => { if (e.data !== mark.dataset.seen) refresh(false); });
    source.addEventListener("log", (e) => addLine(JSON.parse(e.data)));
    source.addEventListener("error", () => {
      // Taken up here rather than by the browser, so that the stream goes on after the last line.
      stop();
      closed = Date.now();
      poll();
    });
  }

  // What runs shows how long it has; the server's clock and this one may differ a little.
  setInterval(() => {
    for (const part of document.querySelectorAll("[data-since]")) {
      const s = Math.max(0, Math.floor((Date.now() - Number(part.dataset.since)) / 1000));
      const text = s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
      if (part.textContent !== text) part.textContent = text;
    }
  }, 1000);

  for (const box of document.querySelectorAll(".newest, .strip")) box.scrollLeft = box.scrollWidth;
  const log = document.querySelector("[data-log]");
  if (log) log.scrollTop = log.scrollHeight;
  // A page that nobody sees holds no connection: browsers allow few to one server.
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else listen(); });
  if (!document.hidden) listen();
})();
