// A table of any length: rows have one height, and only those in sight are asked for and shown.
export default {
  template: `
    <div class="bh-scroll" ref="box" tabindex="0" role="region" :aria-label="label" @scroll="look">
      <table class="bh-table">
        <thead><tr><th v-for="one in columns" :class="{ 'bh-number': one.number }" scope="col">{{ one.label }}</th></tr></thead>
        <tbody>
          <tr v-if="start" aria-hidden="true" :style="{ height: start * row + 'px' }"></tr>
          <tr v-for="one in rows" :key="one.id" :data-id="one.id">
            <td v-for="(cell, place) in one.cells" :class="[cell.style, { 'bh-number': columns[place].number }]">
              <button v-if="cell.action" type="button" class="bh-button bh-small" :disabled="busy[one.id + cell.action]"
                      @click="$event.detail < 2 && act(one.id, cell.action)" :aria-label="cell.title || cell.text">{{ cell.text }}</button>
              <template v-else>{{ cell.text }}</template>
            </td>
          </tr>
          <tr v-if="below > 0" aria-hidden="true" :style="{ height: below * row + 'px' }"></tr>
        </tbody>
      </table>
      <p v-if="!total" class="bh-muted bh-empty">{{ empty }}</p>
    </div>`,
  props: { columns: Array, label: String, empty: String, row: Number },
  data() { return { rows: [], start: 0, total: 0, busy: {} }; },
  computed: { below() { return Math.max(0, this.total - this.start - this.rows.length); } },
  mounted() {
    this.watcher = new ResizeObserver(() => this.look());
    this.watcher.observe(this.$refs.box);
  },
  unmounted() { this.watcher?.disconnect(); },
  methods: {
    look() {
      const box = this.$refs.box;
      if (!box || !box.clientHeight) return;
      const first = Math.max(0, Math.floor(box.scrollTop / this.row) - 10);
      const count = Math.ceil(box.clientHeight / this.row) + 20;
      if (first !== this.first || count !== this.count) {
        this.first = first; this.count = count;
        this.$emit("window", { first, count });
      }
    },
    act(id, action) {
      this.busy[id + action] = true;  // until it is known what became of it
      this.$emit("act", { id: String(id), action });
    },
    free(id, action) { delete this.busy[id + action]; },
    paint(state) { this.total = state.total; this.start = state.start; this.rows = state.rows; },
    top() { if (this.$refs.box) this.$refs.box.scrollTop = 0; },
  },
};
