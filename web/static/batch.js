// Sends a file of listings and shows how far it is; then how many rows have a price, what is wrong with the first of the others, and the answer as a file. Without
// this script the form is sent as it is, and the browser keeps the answer.
(() => {
  "use strict";
  const form = document.getElementById("upload");
  if (!form) return;
  const state = document.getElementById("upload-state"), bar = state.querySelector("progress"), says = document.getElementById("upload-says");
  const cancel = document.getElementById("upload-cancel"), done = document.getElementById("upload-done"), errors = document.getElementById("upload-errors");
  const shown = 5; // errors
  const types = { csv: "text/csv", ndjson: "application/x-ndjson", jsonl: "application/x-ndjson", json: "application/json" };
  const number = new Intl.NumberFormat(document.documentElement.lang, { useGrouping: "always" }), size = (bytes) => {
    const units = ["B", "kB", "MB", "GB"];
    let i = 0;
    for (; bytes >= 1024 && i < units.length - 1; i++) bytes /= 1024;
    return number.format(bytes >= 100 || i === 0 ? Math.round(bytes) : Math.round(bytes * 10) / 10) + " " + units[i];
  };
  const took = (s) => (s < 60 ? Math.ceil(s) + " s" : Math.floor(s / 60) + " min " + Math.round(s % 60) + " s");
  const text = (key, ...parts) => parts.reduce((all, part, i) => all.replace("#" + (i + 1), part), form.dataset[key]);
  let request = null, address = "";

  // Counts the rows of an answer. Of CSV a row is good if its last field, the error, is empty.
  const csvCounter = (found) => {
    let row = "", open = false, head = true;
    return (line) => {
      row = row ? row + "\n" + line : line;
      for (let i = line.indexOf('"'); i >= 0; i = line.indexOf('"', i + 1)) open = !open;
      if (open) return;
      if (head) head = false;
      else if (row.endsWith(",")) found.ok++;
      else if (row) found.fail(row.match(/"((?:[^"]|"")*)"$/)?.[1].replaceAll('""', '"') ?? row);
      row = "";
    };
  };
  const jsonCounter = (found) => (line) => {
    const row = line.replace(/,$/, "");
    if (row.startsWith('{"row":')) {
      if (row.includes('"error":')) found.fail(JSON.parse(row).error.detail.map((d) => d.loc.slice(1).concat(d.msg).join(": ")).join("; "));
      else found.ok++;
      return;
    }
    const at = row.indexOf('"summary":');
    if (at < 0) return;
    const summary = JSON.parse(row.slice(at + 10).replace(/\}\s*$/, ""));
    if (summary.error) found.fail(summary.error);
  };

  const count = async (blob, csv) => {
    const found = { ok: 0, failed: 0, errors: [], fail(what) { this.failed++; if (this.errors.length < shown) this.errors.push([this.ok + this.failed, what]); } };
    const take = (csv ? csvCounter : jsonCounter)(found);
    const reader = blob.stream().pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      for (const line of lines) take(line);
      says.textContent = text("counting", number.format(found.ok + found.failed));
    }
    if (rest) take(rest);
    return found;
  };

  const end = (message, bad) => {
    request = null;
    bar.hidden = cancel.hidden = true;
    form.querySelector("button").disabled = false;
    says.textContent = message;
    says.className = bad ? "error" : "";
  };

  const refused = async (blob) => {
    try {
      const { detail } = JSON.parse(await blob.text());
      return typeof detail === "string" ? detail : detail.map((d) => d.msg).join("; ");
    } catch {
      return text("broken");
    }
  };

  const finish = async (file, type, status, blob) => {
    if (status !== 200) return end(await refused(blob), true);
    const found = await count(blob, type === types.csv);
    const link = done.querySelector("a");
    if (address) URL.revokeObjectURL(address);
    address = link.href = URL.createObjectURL(blob);
    link.download = file.name.replace(/(\.[^.]*)?$/, "-priced$1");
    done.hidden = false;
    for (const [row, what] of found.errors) errors.append(Object.assign(document.createElement("li"), { textContent: text("row", number.format(row)) + " " + what }));
    end(text("ended", number.format(found.ok + found.failed), number.format(found.ok), number.format(found.failed)));
    return undefined;
  };

  form.addEventListener("submit", (e) => {
    const file = form.elements.file.files[0];
    if (!file || request) return;
    e.preventDefault();
    const type = types[file.name.split(".").pop().toLowerCase()] ?? file.type ?? types.csv, begun = performance.now();
    errors.replaceChildren();
    done.hidden = true;
    state.hidden = bar.hidden = cancel.hidden = false;
    form.querySelector("button").disabled = true;
    says.className = "";
    request = new XMLHttpRequest();
    request.open("POST", form.dataset.to + (form.elements.record.checked ? "?record=true" : ""));
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Accept", type);
    request.responseType = "blob";
    const progress = (e) => {
      if (!e.total) return;
      bar.value = e.loaded / e.total;
      const passed = (performance.now() - begun) / 1000, left = passed * (e.total / e.loaded - 1);
      says.textContent = passed < 1 ? text("begun", size(e.loaded), size(e.total)) : text("sending", size(e.loaded), size(e.total), took(left));
    };
    progress({ loaded: 0, total: file.size });
    request.upload.addEventListener("progress", progress);
    request.upload.addEventListener("load", () => { bar.removeAttribute("value"); says.textContent = text("answering", size(0)); });
    request.addEventListener("progress", (e) => { says.textContent = text("answering", size(e.loaded)); });
    request.addEventListener("load", (e) => finish(file, type, e.target.status, e.target.response).catch(() => end(text("broken"), true)));
    request.addEventListener("error", () => end(text("broken"), true));
    request.addEventListener("abort", () => end(text("stopped"), true));
    request.send(file);
  });
  cancel.addEventListener("click", () => request?.abort());
})();
