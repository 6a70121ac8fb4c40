// Says beside the fields of the form what is wrong with them while somebody types. The server checks, in the language of the page; without this script it says the
// same after the form was sent.
(() => {
  "use strict";
  const form = document.getElementById("listing");
  if (!form) return;
  const pause = 350; // ms without a key before the server is asked
  const touched = new Set([...form.querySelectorAll("[aria-invalid]")].map((field) => field.name));
  let timer = 0, asked = 0, answered = 0;

  const show = (field, text) => {
    const box = field.closest(".field"), id = field.id + "-error";
    let error = document.getElementById(id);
    box.classList.toggle("wrong", Boolean(text));
    if (!text) {
      error?.remove();
      field.removeAttribute("aria-invalid");
      if (field.getAttribute("aria-describedby") === id) field.removeAttribute("aria-describedby");
      return;
    }
    if (!error) {
      error = Object.assign(document.createElement("p"), { id, className: "error" });
      box.append(error);
    }
    if (error.textContent !== text) error.textContent = text;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
  };

  const check = async () => {
    clearTimeout(timer);
    const turn = ++asked;
    try {
      const res = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!res.ok) return; // the form can be sent all the same
      const { errors } = await res.json();
      if (turn < answered) return;
      answered = turn;
      for (const field of form.elements) {
        if (touched.has(field.name) && field.closest(".field")) show(field, errors[field.name]);
      }
      form.dataset.checked = turn; // for tests
    } catch {
      // Nobody answers: the form says so when it is sent.
    }
  };

  const touch = (e) => {
    if (!e.target.name || !e.target.closest(".field")) return;
    document.getElementById(e.target.id + "-warning")?.remove(); // it was about another value
    e.target.closest(".field").classList.remove("odd");
    touched.add(e.target.name);
  };
  form.addEventListener("input", (e) => { touch(e); clearTimeout(timer); timer = setTimeout(check, pause); });
  form.addEventListener("change", (e) => { touch(e); check(); });
})();
