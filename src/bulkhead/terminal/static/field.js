// A labelled input, choice or tick box: plain HTML, so that browsers and screen readers know what it is.
// Each entry has a number. What the terminal tells carries the last number that it had heard (`heard`): where more was
// entered since, it was told in ignorance of that, and what the trader entered stands.
const { entriesAround, line } = window.bulkhead; // shell.js

export default {
  template: `
    <div class="bh-field" :class="{ 'bh-tick': kind === 'tick' }">
      <label :for="own">{{ label }}</label>
      <select v-if="kind === 'choice'" class="bh-input" :id="own" :disabled="disabled || isClosed" :value="local"
              :title="whole" @change="take($event.target.value)">
        <option v-for="one in options" :key="one[0]" :value="one[0]">{{ one[1] }}</option>
      </select>
      <input v-else-if="kind === 'tick'" type="checkbox" :id="own" :checked="local" :disabled="disabled || isClosed"
             @change="take($event.target.checked)">
      <input v-else class="bh-input" :class="{ 'bh-number': kind === 'number' }" :id="own" :value="local"
             :type="kind === 'password' ? 'password' : 'text'" :inputmode="kind === 'number' ? 'decimal' : undefined"
             :placeholder="placeholder" :disabled="disabled" :aria-invalid="problem ? 'true' : undefined"
             :aria-describedby="problem || hint ? own + '-note' : undefined" autocomplete="off" spellcheck="false"
             :readonly="isClosed" @input="take($event.target.value)" @keydown.enter="$event.repeat || enter()"
             @keydown.esc="$emit('escape')">
      <span v-if="problem || hint" class="bh-note" :class="problem ? 'bh-danger' : 'bh-muted'" :id="own + '-note'">
        {{ problem || hint }}</span>
    </div>`,
  props: { value: null, label: String, kind: String, options: Array, placeholder: String, hint: String, problem: String,
    disabled: Boolean, own: String, told: Number, heard: Number },
  data() { return { local: this.value, entered: this.heard || 0, isClosed: !line.isOpen }; },
  computed: { whole() { return (this.options || []).find((one) => one[0] === this.local)?.[1]; } }, // the field may cut it off
  watch: { value() { this.hear(); }, told() { this.hear(); } },
  mounted() {
    this.$el.entry = () => (this.entered && this.kind !== "password" ? [this.own, this.local, this.entered] : null);
    line.addEventListener("turn", this.look);
    this.look();
  },
  unmounted() { line.removeEventListener("turn", this.look); },
  methods: {
    clear() { this.local = ""; },
    look() { this.isClosed = !line.isOpen; },
    hear() { if ((this.heard || 0) >= this.entered) this.local = this.value; },
    take(now) { this.local = now; this.entered += 1; this.$emit("update:value", [now, this.entered]); },
    enter() { this.$emit("enter", entriesAround(this.$el)); },
  },
};
