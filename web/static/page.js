// What all pages share: times in the reader's zone, and the keys that the dialog #keys lists. Pages work without it, with times in UTC.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");

  // Times. The server writes UTC; its text stays as the tooltip.
  const shared = { hourCycle: "h23" };
  const full = new Intl.DateTimeFormat(root.lang, { ...shared, year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const clock = new Intl.DateTimeFormat(root.lang, { ...shared, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
  const localTimes = (part) => {
    for (const el of part.querySelectorAll("time[datetime]")) {
      const at = new Date(el.dateTime);
      if (!Number.isNaN(at.getTime())) el.textContent = (el.dataset.form === "clock" ? clock : full).format(at);
    }
  };
  window.tasador = { localTimes };
  localTimes(document);
  const zone = document.getElementById("zone");
  if (zone) zone.textContent = zone.dataset.text.replace("#", full.resolvedOptions().timeZone);

  // Keys. The dialog gives the focus back to where it was.
  const dialog = document.getElementById("keys");
  const list = () => { if (!dialog.open) dialog.showModal(); };
  if (location.hash === "#keys") {
    history.replaceState(history.state, "", location.pathname + location.search);
    list();
  }
  document.addEventListener("click", (e) => {
    const link = e.target.closest('a[href="#keys"], a[data-close]');
    if (!link) return;
    e.preventDefault();
    if (link.hasAttribute("data-close")) dialog.close(); else list();
  });

  const typing = (el) => el.closest?.('textarea, select, input:not([type="checkbox"], [type="radio"]), [contenteditable]');
  const patience = 1500; // ms between g and the next key
  let going = 0;
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.altKey || e.metaKey || e.isComposing || e.repeat || typing(e.target)) return;
    const after = going && e.timeStamp - going < patience;
    if (e.key !== "Shift") going = e.key === "g" ? e.timeStamp : 0;
    if (after) {
      const link = [...dialog.querySelectorAll("a[data-go]")].find((a) => a.dataset.go === e.key);
      if (link) { e.preventDefault(); link.click(); return; }
    }
    if (e.key === "?") {
      e.preventDefault();
      list();
    } else if (e.key === "/" && !dialog.open) {
      const filter = document.querySelector('[role="search"] input:not([type="hidden"], [type="checkbox"])');
      if (filter) { e.preventDefault(); filter.focus(); filter.select(); }
    }
  });
})();
