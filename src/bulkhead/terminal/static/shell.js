// Ages count in the browser, so that they go on when nothing comes any more. `data-at` is when something was told, in
// milliseconds since the epoch; `data-old` after how many of them it counts as old.
(() => {
  const units = [[120e3, 1e3, "s"], [7.2e6, 60e3, "min"], [1.728e8, 3.6e6, "h"], [Infinity, 8.64e7, "d"]];
  const shown = (age) => {
    if (age < 10e3) return (Math.max(0, age) / 1e3).toFixed(1) + " s";
    const [, unit, letter] = units.find(([most]) => age < most);
    return Math.floor(age / unit) + " " + letter;
  };
  const tick = () => {
    const now = Date.now();
    for (const element of document.querySelectorAll(".bh-age[data-at]")) {
      const at = Number(element.dataset.at);
      const text = at ? (element.dataset.prefix || "") + shown(now - at) + (element.dataset.suffix || " ago") : "not yet";
      if (element.textContent !== text) element.textContent = text;
      element.classList.toggle("bh-old", at > 0 && now - at > Number(element.dataset.old || 5e3));
    }
  };
  setInterval(tick, 250);
  document.addEventListener("DOMContentLoaded", tick);
})();
