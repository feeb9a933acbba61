// Ages count in the browser, so that they go on when nothing comes any more. `data-at` is when something was told, in
// milliseconds since the epoch; `data-old` after how many of them it counts as old; `data-clock` whose clock that was, the
// exchange's, which may be ahead of this machine's by what the header knows.
(() => {
  const units = [[120e3, 1e3, "s"], [7.2e6, 60e3, "min"], [1.728e8, 3.6e6, "h"], [Infinity, 8.64e7, "d"]];
  const shown = (age) => {
    if (age < 10e3) return (Math.max(0, age) / 1e3).toFixed(1) + " s";
    const [, unit, letter] = units.find(([most]) => age < most);
    return Math.floor(age / unit) + " " + letter;
  };
  const tick = () => {
    const here = Date.now();
    const there = here + Number(document.querySelector(".bh-header .bh-age")?.dataset.ahead || 0);
    for (const element of document.querySelectorAll(".bh-age[data-at]")) {
      const at = Number(element.dataset.at), now = element.dataset.clock === "exchange" ? there : here;
      const text = at ? (element.dataset.prefix || "") + shown(now - at) + (element.dataset.suffix || " ago") : "not yet";
      if (element.textContent !== text) element.textContent = text;
      element.classList.toggle("bh-old", at > 0 && now - at > Number(element.dataset.old || 5e3));
    }
  };
  setInterval(tick, 250);
  document.addEventListener("DOMContentLoaded", tick);
})();

// Whether the terminal hears. Until its socket stands the library tries every event again by itself, so that a click
// could come before what was typed for it; and what happens while it is broken comes when it stands again, for whatever
// is shown by then. So a page that is not heard takes nothing. Fields ask here, everything else is inert.
window.bulkhead = (() => {
  const SILENT_MS = 4e3; // the terminal tells of the exchange each second
  const line = new (class extends EventTarget { isOpen = false; })();
  const turn = (isOpen) => {
    document.getElementById("app").inert = !isOpen;
    if (line.isOpen === isOpen) return;
    line.isOpen = isOpen;
    isLost = !isOpen;
    line.dispatchEvent(new Event("turn"));
    look();
  };
  // A page that hears nothing any more must say so itself: whatever stands on it, "live" too, is old.
  const banner = Object.assign(document.createElement("p"), { className: "bh-banner bh-lost", hidden: true });
  banner.setAttribute("role", "alert");
  banner.dataset.mark = "lost";
  let isLost = false, told = "", heardAt = performance.now();
  const look = () => {
    const light = document.querySelector(".bh-light"), age = document.querySelector(".bh-header .bh-age");
    if (age && age.dataset.at !== told) { told = age.dataset.at; heardAt = performance.now(); }
    const isSilent = light?.dataset.state === "live" && performance.now() - heardAt > SILENT_MS;
    const text = isLost ? "No connection to the terminal: everything here is old, and nothing can be entered. Trying again."
      : isSilent ? "The terminal says nothing: everything here may be old." : "";
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = !text;
    document.documentElement.classList.toggle("bh-unheard", !!text);
  };
  setInterval(look, 500);
  document.addEventListener("DOMContentLoaded", () => document.body.append(banner));
  let isShaken = false;
  Object.defineProperty(window, "did_handshake", { // the library's own word for it
    get: () => isShaken,
    set: (now) => {
      if (!now) window.socket.on("disconnect", () => turn(false));
      turn(isShaken = now);
    },
  });
  // What stands in the fields of the panel around an element, each with the number of its last entry.
  const entriesAround = (element) =>
    [...(element.closest("section") || document).querySelectorAll(".bh-field")].map((one) => one.entry?.()).filter(Boolean);
  return { line, entriesAround };
})();
