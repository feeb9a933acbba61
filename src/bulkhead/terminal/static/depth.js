// What rests within reach of the middle, summed from the best price outwards, on a canvas.
const { theme } = window.bulkhead; // theme.js

export default {
  template: `<div class="bh-canvas"><canvas ref="canvas" role="img" :aria-label="label"></canvas></div>`,
  props: { label: String },
  mounted() {
    this.colours = theme.colours();
    this.leave = theme.onTurn(() => { this.colours = theme.colours(); this.draw(); });
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.$el);
  },
  unmounted() { this.leave?.(); this.watcher?.disconnect(); },
  methods: {
    paint(state) { this.state = state; this.draw(); },
    draw() {
      const { state, colours } = this, canvas = this.$refs.canvas;
      const wide = this.$el.clientWidth, high = this.$el.clientHeight;
      if (!state || !wide || !high) return;
      const ratio = window.devicePixelRatio || 1;
      if (canvas.width !== wide * ratio || canvas.height !== high * ratio) {
        canvas.width = wide * ratio; canvas.height = high * ratio;
        canvas.style.width = wide + "px"; canvas.style.height = high + "px";
      }
      const pen = canvas.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, wide, high);
      pen.font = "11px " + getComputedStyle(document.body).fontFamily;
      const foot = 18, [low, top] = state.range;
      const x = (price) => ((price - low) / (top - low)) * wide;
      const most = Math.max(...state.bids.map((one) => one[1]), ...state.asks.map((one) => one[1]), 1e-12);
      const y = (sum) => (high - foot) * (1 - 0.92 * sum / most);
      for (const [side, colour] of [["bids", colours.up], ["asks", colours.down]]) {
        const levels = state[side];
        if (!levels.length) continue;
        pen.beginPath();
        pen.moveTo(x(levels[0][0]), high - foot);
        let before = high - foot;
        for (const [price, sum] of levels) { pen.lineTo(x(price), before); before = y(sum); pen.lineTo(x(price), before); }
        const edge = side === "bids" ? 0 : wide;
        pen.lineTo(edge, before); pen.lineTo(edge, high - foot); pen.closePath();
        pen.fillStyle = colour + "33"; pen.fill();
        pen.strokeStyle = colour; pen.lineWidth = 1.5; pen.stroke();
      }
      for (const price of state.own) {
        pen.strokeStyle = colours.warning; pen.setLineDash([3, 3]);
        pen.beginPath(); pen.moveTo(x(price), 0); pen.lineTo(x(price), high - foot); pen.stroke(); pen.setLineDash([]);
      }
      pen.fillStyle = colours.muted;
      pen.textAlign = "left"; pen.fillText(state.labels[0], 4, high - 5);
      pen.textAlign = "center"; pen.fillText(state.labels[1], wide / 2, high - 5);
      pen.textAlign = "right"; pen.fillText(state.labels[2], wide - 4, high - 5);
      pen.textAlign = "left"; pen.fillText(state.most, 4, 12);
    },
  },
};
