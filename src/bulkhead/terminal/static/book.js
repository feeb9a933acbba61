// The order book as a ladder. Rows stay where they are and only what differs is written: nothing flickers, and a change of
// the book costs what it changes. How old the book is stands in the heading, in the element `age`, and is written here,
// too: told as any other element's it would let the library go through the whole page, twenty times a second.
export default {
  props: { age: String },
  template: `
    <div class="bh-book" ref="box">
      <div class="bh-book-head" aria-hidden="true"><span>Price</span><span>Size</span><span>Sum</span></div>
      <div class="bh-book-side bh-asks" ref="asks"></div>
      <div class="bh-book-middle" ref="middle"></div>
      <div class="bh-book-side bh-bids" ref="bids"></div>
      <p class="bh-empty bh-muted" ref="empty"></p>
    </div>`,
  mounted() {
    this.rows = { asks: [], bids: [] };
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(this.$refs.box);
    this.fit();
  },
  unmounted() { this.watcher?.disconnect(); },
  methods: {
    fit() {
      const count = Math.max(3, Math.min(20, Math.floor((this.$refs.box.clientHeight - 46) / 36)));
      if (count === this.count) return;
      this.count = count;
      for (const side of ["asks", "bids"]) {
        const box = this.$refs[side];
        box.replaceChildren();
        this.rows[side] = [];
        for (let place = 0; place < count; place++) {
          const row = document.createElement("button");
          row.type = "button"; row.className = "bh-book-row"; row.tabIndex = -1; row.style.visibility = "hidden";
          const bar = document.createElement("i");
          const cells = [0, 1, 2].map(() => document.createElement("span"));
          row.append(bar, ...cells);
          row.addEventListener("click", () => row.dataset.price && this.$emit("price", row.dataset.price));
          box.append(row);
          this.rows[side].push({ row, bar, cells, wide: "" });
        }
        if (side === "asks") this.rows[side].reverse();  // the best ask stands next to the middle
      }
      if (this.last) this.paint(this.last);
    },
    write(element, text) {
      if (!element.firstChild) element.textContent = text;
      else if (element.firstChild.data !== text) element.firstChild.data = text;
    },
    paint(state) {
      this.last = state;
      if (!this.rows) return;
      const most = Math.max(1e-12, ...["asks", "bids"].map((side) => {
        const shown = state[side].slice(0, this.count);
        return shown.length ? shown[shown.length - 1][4] : 0;
      }));
      for (const side of ["asks", "bids"]) {
        this.rows[side].forEach((shown, place) => {
          const { row, bar, cells } = shown, level = state[side][place], seen = level ? "visible" : "hidden";
          if (row.style.visibility !== seen) row.style.visibility = seen;
          if (!level) { delete row.dataset.price; row.classList.remove("bh-own"); return; }
          cells.forEach((cell, at) => this.write(cell, level[at]));
          row.dataset.price = level[0];
          row.classList.toggle("bh-own", level[3]);
          const wide = `scaleX(${(level[4] / most).toFixed(3)})`;
          if (shown.wide !== wide) bar.style.transform = shown.wide = wide;
        });
      }
      this.write(this.$refs.middle, state.middle);
      this.write(this.$refs.empty, state.empty);
      const age = document.getElementById(this.age);
      if (age) age.dataset.at = state.at;
      this.paints = (this.paints || 0) + 1;
      this.$refs.box.dataset.paints = this.paints;
    },
  },
};
