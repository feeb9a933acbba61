// Dark, light, or as the machine is: an attribute of the document, set before anything is painted. So a page comes in the
// colours it keeps, and another choice changes them where they stand: nothing is loaded anew, nothing typed is lost.
window.bulkhead.theme = (() => {
  const KEPT = "bulkhead-theme", CHOICES = ["auto", "dark", "light"], YEAR_S = 31_536_000;
  const NAMES = ["panel", "line", "text", "muted", "up", "down", "warning", "danger", "isolated", "cross", "strategy", "scenario"];
  const kept = () => document.cookie.split("; ").find((one) => one.startsWith(KEPT + "="))?.slice(KEPT.length + 1);
  const machine = matchMedia("(prefers-color-scheme: dark)");
  const theme = new (class extends EventTarget {
    choice = CHOICES.includes(kept()) ? kept() : "dark";
    choices = CHOICES;
    // What style sheets have as variables, for canvases, which see none.
    colours() {
      const style = getComputedStyle(document.documentElement);
      return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    }
    choose(choice) {
      document.cookie = `${KEPT}=${choice}; path=/; max-age=${YEAR_S}; SameSite=Strict`;
      tabs.postMessage(choice);
      show(choice);
    }
    // Be told when the colours are others; call what is returned to be told no more.
    onTurn(turned) {
      this.addEventListener("turn", turned);
      return () => this.removeEventListener("turn", turned);
    }
  })();
  const show = (choice) => {
    theme.choice = choice;
    const isDark = choice === "auto" ? machine.matches : choice === "dark";
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    theme.dispatchEvent(new Event("turn"));
  };
  const tabs = new BroadcastChannel(KEPT); // the choice is every tab's
  tabs.onmessage = ({ data }) => CHOICES.includes(data) && show(data);
  machine.addEventListener("change", () => show(theme.choice));
  show(theme.choice);
  return theme;
})();
