// A table of some hundred rows at most: bars with marks, ages that count on, buttons, notes below a row.
export default {
  template: `
    <div class="bh-scroll bh-grid" tabindex="0" role="region" :aria-label="label" :data-mark="mark || undefined">
      <table class="bh-table" v-if="lines.length">
        <thead><tr><th v-for="one in columns" :class="{ 'bh-number': one.number }" scope="col" :title="one.hint || undefined">
          {{ one.label }}</th></tr></thead>
        <tbody>
          <template v-for="line in lines" :key="line.id">
            <tr :data-id="line.id" :class="line.style">
              <td v-for="(cell, place) in line.cells" :class="[cell.style, { 'bh-number': columns[place].number }]"
                  :style="place === 0 && line.depth ? { paddingLeft: 8 + 16 * line.depth + 'px' } : null"
                  :data-cell="cell.mark || undefined">
                <button v-if="cell.action" type="button" class="bh-button bh-small" @click="act(line.id, cell.action)"
                        :aria-label="cell.title || cell.text">{{ cell.text }}</button>
                <span v-else-if="cell.bar" class="bh-bar" role="img" :aria-label="cell.bar.words" :title="cell.bar.words">
                  <i :class="cell.bar.style" :style="{ width: Math.min(100, 100 * cell.bar.share) + '%' }"></i>
                  <b v-for="mark in cell.bar.marks" :style="{ left: Math.min(100, 100 * mark[0]) + '%' }"></b>
                </span>
                <span v-else-if="cell.at_ms" class="bh-age" data-clock="exchange" :data-at="cell.at_ms" :data-old="cell.old_ms || 1e15" data-prefix=""
                      :title="cell.title || undefined">{{ cell.text }}</span>
                <span v-else :title="cell.title || undefined">{{ cell.text }}</span>
              </td>
            </tr>
            <tr v-if="line.note" class="bh-note-row" :class="line.noteStyle"><td :colspan="columns.length"
                :style="line.depth ? { paddingLeft: 8 + 16 * line.depth + 'px' } : null">{{ line.note }}</td></tr>
          </template>
        </tbody>
      </table>
      <p v-else class="bh-muted bh-empty">{{ empty }}</p>
    </div>`,
  props: { columns: Array, lines: Array, label: String, empty: String, mark: String },
  methods: { act(id, action) { this.$emit("act", { id: String(id), action }); } },
};
