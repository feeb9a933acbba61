// Draws the plots of the page, and draws them again when the reader changes between light and dark.
(() => {
  const text = document.getElementById("plots").textContent;
  const twins = JSON.parse(document.getElementById("twins").textContent);
  const places = document.querySelectorAll(".plot");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const hexOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",");
  const draw = () => {
    let figures = text;
    if (dark.matches) for (const [light, twin] of twins)
      figures = figures.replaceAll(light, twin).replaceAll(`rgba(${hexOf(light)},`, `rgba(${hexOf(twin)},`);
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, line, card] = ["--ink", "--soft", "--line", "--card"].map((name) => style.getPropertyValue(name).trim());
    JSON.parse(figures).forEach((figure, at) => {
      const layout = figure.layout;
      layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
      layout.font = { ...layout.font, color: ink };
      layout.hoverlabel = { bgcolor: card, bordercolor: line, font: { color: ink } };
      for (const name of Object.keys(layout).filter((name) => /^[xy]axis/.test(name)))
        Object.assign(layout[name], { gridcolor: line, linecolor: line, tickcolor: line, tickfont: { color: soft } });
      Plotly.react(places[at], figure.data, layout, { responsive: true, displaylogo: false,
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] });
    });
  };
  draw();
  dark.addEventListener("change", draw);
})();
