// Candles with volume, mark and index lines, and lines at prices that matter to the account.
import { echarts } from "nicegui-echart";
const { theme } = window.bulkhead; // theme.js

// Lines are told apart by these, never by colour alone; the legend above shows those of mark and index (trade.css).
const DASHES = { mark: "solid", index: [4, 3], entry: "solid", liquidation: [9, 4], order: [8, 3, 2, 3] };
const TOLD = 14; // height of a line that is told at the edge
const SIGHT = 120; // candles in sight at first

export default {
  template: `<div class="bh-canvas" role="img" :aria-label="label"></div>`,
  props: { label: String },
  mounted() {
    this.colours = theme.colours();
    this.leave = theme.onTurn(() => this.turn());
    this.chart = echarts.init(this.$el, null, { renderer: "canvas" });
    this.$el.bhChart = this.chart;  // tests ask where a line stands
    this.watcher = new ResizeObserver(() => this.chart.resize());
    this.watcher.observe(this.$el);
    this.state = { candles: [], marks: [], indices: [], lines: [], places: 2, sizePlaces: 3 };
    this.chart.setOption(this.base());
    this.chart.on("datazoom", () => this.looked());
    if (this.waiting) this.paint(this.waiting);
  },
  beforeUnmount() { this.leave?.(); this.watcher?.disconnect(); this.chart?.dispose(); },
  methods: {
    base() {
      const c = this.colours, split = { show: true, lineStyle: { color: c.line, opacity: 0.5 } };
      const axis = { axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, axisLabel: { color: c.muted, fontSize: 11 } };
      const at = (told) => ({ label: { formatter: ({ value }) => told(value) } });
      return {
        animation: false, backgroundColor: "transparent", textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
        axisPointer: { link: [{ xAxisIndex: "all" }], label: { backgroundColor: c.line, color: c.text } },
        tooltip: { trigger: "axis", axisPointer: { type: "cross" }, backgroundColor: c.panel, borderColor: c.line,
          textStyle: { color: c.text, fontSize: 11 }, formatter: (points) => this.told(points), position: (at) => [at[0] > 300 ? 62 : at[0] + 30, 8] },
        grid: [{ left: 6, right: 74, top: 10, bottom: 88 }, { left: 6, right: 74, height: 46, bottom: 24 }],
        xAxis: [{ type: "category", gridIndex: 0, ...axis, axisLabel: { show: false }, axisPointer: { label: { show: false } } },
                { type: "category", gridIndex: 1, ...axis, axisPointer: at((value) => this.when(Number(value))), axisLabel: { ...axis.axisLabel, formatter: (at) => this.when(Number(at)), hideOverlap: true } }],
        yAxis: [{ scale: true, gridIndex: 0, position: "right", splitLine: split, ...axis, axisPointer: at((v) => this.price(v)), axisLabel: { ...axis.axisLabel, formatter: (v) => this.price(v), showMinLabel: false, showMaxLabel: false } },
                { gridIndex: 1, position: "right", splitNumber: 2, splitLine: { show: false }, ...axis, axisPointer: at((v) => this.short(v)), axisLabel: { ...axis.axisLabel, formatter: (v) => this.short(v), showMinLabel: false } }],
        dataZoom: [{ type: "inside", xAxisIndex: [0, 1], startValue: 0, endValue: SIGHT, minValueSpan: 10 }],
        series: [],
      };
    },
    price(value) { return value.toLocaleString("en-US", { minimumFractionDigits: this.state.places, maximumFractionDigits: this.state.places }); },
    tenths(value) { return value.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 }); },
    short(value) { return value >= 1e6 ? (value / 1e6).toFixed(1) + "M" : value >= 1e3 ? (value / 1e3).toFixed(1) + "k" : String(+value.toPrecision(3)); },
    when(at) {
      const date = new Date(at), two = (n) => String(n).padStart(2, "0");
      const day = two(date.getUTCDate()) + "." + two(date.getUTCMonth() + 1) + ".";
      return this.state.span >= 864e5 ? day : (this.state.span >= 36e5 ? day + " " : "") + two(date.getUTCHours()) + ":" + two(date.getUTCMinutes());
    },
    told(points) {
      const place = points[0]?.dataIndex, candle = this.state.candles[place];
      if (!candle) return "";
      const [at, open, close, low, high, volume] = candle;
      const rows = open == null ? [["Trades", "none"]] : [["Open", this.price(open)], ["High", this.price(high)], ["Low", this.price(low)],
        ["Close", this.price(close)], ["Volume", volume.toLocaleString("en-US", { maximumFractionDigits: this.state.sizePlaces })]];
      for (const [name, values] of [["Mark", this.state.marks], ["Index", this.state.indices]]) if (values[place] != null) rows.push([name, this.price(values[place])]);
      return new Date(at).toISOString().slice(0, 16).replace("T", " ") + " UTC<br>" + rows.map(([k, v]) => `${k} <b>${v}</b>`).join("<br>");
    },
    turn() {
      // In other colours, and nothing else: what is in sight stays.
      this.colours = theme.colours();
      const { axisPointer, tooltip, xAxis, yAxis } = this.base();
      this.chart.setOption({ axisPointer, tooltip, xAxis, yAxis });
      this.paint({});
    },
    lines(lines) { return this.paint({ ...this.state, lines }); },
    paint(given) {
      if (!this.chart) { this.waiting = { ...this.waiting, ...given }; return; }
      const before = this.state, state = (this.state = { ...before, ...given }), c = this.colours, count = state.candles.length;
      const option = {
        xAxis: [{ data: state.candles.map((one) => one[0]) }, { data: state.candles.map((one) => one[0]) }],
        yAxis: [{ ...this.reach(state) }, {}],
        series: [
          { id: "candles", name: "Trades", type: "candlestick", xAxisIndex: 0, yAxisIndex: 0, data: state.candles.map((one) => (one[1] == null ? ["-", "-", "-", "-"] : one.slice(1, 5))),
            itemStyle: { color: c.up, color0: "transparent", borderColor: c.up, borderColor0: c.down, borderWidth: 1 },
            markLine: { symbol: "none", animation: false, silent: true, precision: 20,  // two places, unless it is told
              data: state.lines.map((line) => ({
              yAxis: line.price, name: line.name, lineStyle: { color: c[line.colour], type: DASHES[line.kind], width: 1.2 },
              label: { formatter: () => line.text, position: "inside" + line.side + (line.below ? "Bottom" : "Top"), color: c[line.colour], fontSize: 11, backgroundColor: c.panel + "d8", padding: [1, 2] } })) } },
          { id: "mark", name: "Mark", type: "line", xAxisIndex: 0, yAxisIndex: 0, data: state.marks, symbol: "none", connectNulls: true, lineStyle: { color: c.warning, width: 1.4, type: DASHES.mark }, itemStyle: { color: c.warning } },
          { id: "index", name: "Index", type: "line", xAxisIndex: 0, yAxisIndex: 0, data: state.indices, symbol: "none", connectNulls: true, lineStyle: { color: c.muted, width: 1.4, type: DASHES.index }, itemStyle: { color: c.muted } },
          { id: "volume", name: "Volume", type: "bar", xAxisIndex: 1, yAxisIndex: 1, data: state.candles.map((one) => ({ value: one[5] || 0, itemStyle: { color: one[2] >= one[1] ? c.up : c.down, opacity: 0.55 } })) },
        ],
      };
      const told = this.beyond(state);
      option.grid = [{ top: 10 + TOLD * told.top.length, bottom: 88 + TOLD * told.bottom.length }, {}];
      option.graphic = ["top", "bottom"].map((side) => this.edge(side, told[side]));
      if (!before.candles.length || state.span !== before.span) this.sight = { wide: SIGHT };
      if (count && String(this.times(state)) !== String(this.times(before))) option.dataZoom = [this.inSight(state.candles)];
      this.chart.setOption(option);
      this.$el.dataset.candles = count;
      this.$el.dataset.lines = JSON.stringify(state.lines.map((line) => [line.name, line.price]));
      this.paints = (this.paints || 0) + 1; this.$el.dataset.paints = this.paints;
    },
    // What is in sight is kept by time, for the library keeps places: a candle that comes would stand outside, and one that
    // goes would shift all others. Whoever looks at the newest sees the next one come; everything stays everything.
    times({ candles, span }) { return [candles.length, candles[0]?.[0], candles.at(-1)?.[0], span]; },
    looked() {
      const [{ startValue: first, endValue: last }] = this.chart.getOption().dataZoom, { candles } = this.state;
      const isNewest = last >= candles.length - 1;
      this.sight = { from: candles[first]?.[0], to: candles[last]?.[0], wide: !isNewest ? 0 : first ? last - first + 1 : Infinity };
    },
    inSight(candles) {
      const last = candles.length - 1, { from, to } = this.sight, wide = to < candles[0][0] ? SIGHT : this.sight.wide;
      const at = (time) => { const found = candles.findIndex((one) => one[0] >= time); return found < 0 ? last : found; };
      return wide ? { startValue: Math.max(0, last + 1 - wide), endValue: last } : { startValue: at(from), endValue: at(to) };
    },
    beyond(state) {
      const told = { top: [], bottom: [] };
      for (const line of state.lines) if (line.held && (line.price > this.high || line.price < this.low)) {
        const last = state.marks.findLast((one) => one != null) || line.price;
        const away = 100 * (line.price / last - 1), side = line.price > this.high ? "top" : "bottom";
        told[side].push([line.colour, `${line.text} ${side === "top" ? "\u2191" : "\u2193"} ${away > 0 ? "+" : "\u2212"}${this.tenths(Math.abs(away))}%`]);
      }
      this.$el.dataset.beyond = [...told.top, ...told.bottom].map((one) => one[1]).join(" \u00b7 ");
      return told;
    },
    edge(side, told) {
      // In a strip of its own, which the candles leave free: what lies beyond an edge never covers what lies near it.
      const font = "600 11px " + getComputedStyle(document.body).fontFamily, c = this.colours;
      const rich = Object.fromEntries(told.map(([colour]) => [colour, { fill: c[colour], font, lineHeight: TOLD }]));
      return { id: side, type: "text", left: 14, [side]: side === "top" ? 6 : 80, silent: true,
        style: { text: told.map(([colour, text]) => `{${colour}|${text.replace(/[{}]/g, "")}}`).join("\n"), rich, fill: c.danger, font } };
    },
    reach(state) {
      // A line that is near is always in sight. One far away would flatten the candles: it is told at the edge it lies beyond.
      const recent = state.candles.slice(-120), prices = recent.flatMap((one) => [one[3], one[4]]).concat(state.marks.slice(-120), state.indices.slice(-120)).filter((one) => one != null);
      if (!prices.length) return {};
      let low = Math.min(...prices), high = Math.max(...prices);
      const reach = Math.max(high - low, 0.002 * high), near = Math.max(3 * reach, 0.03 * high);
      const floor = low, roof = high;
      for (const { price, held } of state.lines) {
        const room = held ? near : reach;
        if (price > floor - room && price < roof + room) { low = Math.min(low, price); high = Math.max(high, price); }
      }
      const rim = 0.06 * Math.max(high - low, 0.001 * high);
      this.low = low - rim; this.high = high + rim;
      return { min: (range) => Math.min(range.min, low) - rim, max: (range) => Math.max(range.max, high) + rim };
    },
  },
};
