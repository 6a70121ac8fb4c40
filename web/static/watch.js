// Keeps the marked parts of the page current, so that it can stay open: fetches it every few seconds and puts in what differs. Nothing is fetched while nobody looks.
(() => {
  "use strict";
  const every = 5000;
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const res = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!res.ok) return;
      const next = new DOMParser().parseFromString(await res.text(), "text/html");
      window.tasador.localTimes(next);
      for (const old of document.querySelectorAll("[data-live]")) {
        const now = next.getElementById(old.id);
        if (!now) continue;
        for (const open of old.querySelectorAll("details[open]")) now.querySelector("#" + CSS.escape(open.id))?.setAttribute("open", "");
        if (old.contains(document.activeElement) || old.isEqualNode(now)) continue; // nobody loses the place where they are
        old.replaceWith(document.adoptNode(now));
      }
    } catch {
      // The server is away: what is shown stays.
    }
  };
  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
})();
