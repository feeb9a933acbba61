// What is left in each margin mode along a price, where each is liquidated, and where the slider stands.
import { echarts } from "nicegui-echart";
const { theme } = window.bulkhead; // theme.js

export default {
  template: `<div class="bh-canvas bh-whatif" role="img" :aria-label="label"></div>`,
  props: { label: String },
  mounted() {
    this.colours = theme.colours();
    this.leave = theme.onTurn(() => this.turn());
    this.chart = echarts.init(this.$el, null, { renderer: "canvas" });
    this.$el.bhChart = this.chart;  // tests ask for its points
    this.watcher = new ResizeObserver(() => this.chart.resize());
    this.watcher.observe(this.$el);
    this.chart.setOption(this.base());
    if (this.waiting) this.paint(this.waiting);
  },
  beforeUnmount() { this.leave?.(); this.watcher?.disconnect(); this.chart?.dispose(); },
  methods: {
    base() {
      const c = this.colours, split = { show: true, lineStyle: { color: c.line, opacity: 0.5 } };
      const axis = { type: "value", axisLine: { show: true, lineStyle: { color: c.line } }, axisTick: { show: false } };
      const label = { color: c.muted, fontSize: 11 };
      return {
        animation: false, backgroundColor: "transparent", textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
        grid: { left: 64, right: 16, top: 28, bottom: 20 },
        legend: { top: 2, left: 8, itemWidth: 34, itemHeight: 9, textStyle: { color: c.text, fontSize: 11 }, selectedMode: false },
        tooltip: { trigger: "axis", backgroundColor: c.panel, borderColor: c.line, textStyle: { color: c.text, fontSize: 11 },
          formatter: (points) => this.told(points) },
        xAxis: { ...axis, splitLine: { show: false }, axisLabel: { ...label, formatter: (v) => this.percent(v) } },
        yAxis: { ...axis, scale: true, splitLine: split, splitNumber: 4, axisLabel: { ...label, formatter: (v) => this.short(v) } },
        series: [],
      };
    },
    percent(value) { return (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: 1 }) + "%"; },
    short(value) {
      const size = Math.abs(value), shown = size >= 1e7 ? [value / 1e6, "M"] : [value, ""];
      return shown[0].toLocaleString("en-US", { maximumFractionDigits: size < 10 ? 2 : 1 }).replace("-", "\u2212") + shown[1];
    },
    told(points) {
      const rows = points.map((one) => `${one.marker}${one.seriesName} <b>${one.value[1].toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}</b>`);
      return `${this.percent(points[0].value[0])}<br>${rows.join("<br>")}`;
    },
    at(x) {
      if (!this.chart) { this.waiting = { ...this.waiting, at: x }; return; }
      this.cursor = x;
      this.chart.setOption({ series: [{ id: "cursor", markLine: this.line(x) }] });
    },
    line(x) {
      const c = this.colours;
      return { symbol: "none", silent: true, animation: false, precision: 20, lineStyle: { color: c.text, type: "solid", width: 1 },
        label: { show: false }, data: [{ xAxis: x }] };
    },
    turn() {
      this.colours = theme.colours();
      const { legend, tooltip, xAxis, yAxis } = this.base();
      this.chart.setOption({ legend, tooltip, xAxis, yAxis });
      if (this.shown) this.paint({ ...this.shown, at: this.cursor });
    },
    paint(given) {
      if (!this.chart) { this.waiting = given; return; }
      this.shown = given;
      this.cursor = given.at ?? this.cursor ?? 0;
      const c = this.colours;
      const series = given.series.map((one) => ({
        id: one.name, name: one.name, type: "line", showSymbol: false, symbol: one.symbol, data: one.points,
        lineStyle: { color: c[one.name], width: one.isRefused ? 1 : 2, type: one.dash, dashOffset: one.offset, opacity: one.isRefused ? 0.5 : 1 },
        itemStyle: { color: c[one.name] }, emphasis: { disabled: true },
        markPoint: { silent: true, animation: false, symbol: one.symbol, symbolSize: 11, data: one.liquidations.map(([x, y]) => ({ coord: [x, y] })),
          itemStyle: { color: c[one.name], borderColor: c.panel, borderWidth: 1 }, label: { show: false } },
      }));
      series.push({ id: "cursor", type: "line", data: [], silent: true, markLine: this.line(this.cursor) });
      const legend = { data: given.series.map((one) => one.name), formatter: (name) => given.series.find((one) => one.name === name)?.label ?? name };
      this.chart.setOption({ xAxis: { min: given.least, max: given.most, interval: given.step }, legend, series }, { replaceMerge: ["series"] });
    },
  },
};
