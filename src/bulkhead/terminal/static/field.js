// A labelled input, choice or tick box: plain HTML, so that browsers and screen readers know what it is.
export default {
  template: `
    <div class="bh-field" :class="{ 'bh-tick': kind === 'tick' }">
      <label :for="own">{{ label }}</label>
      <select v-if="kind === 'choice'" class="bh-input" :id="own" :disabled="disabled" :value="local"
              @change="take($event.target.value)">
        <option v-for="one in options" :key="one[0]" :value="one[0]">{{ one[1] }}</option>
      </select>
      <input v-else-if="kind === 'tick'" type="checkbox" :id="own" :checked="local" :disabled="disabled"
             @change="take($event.target.checked)">
      <input v-else class="bh-input" :class="{ 'bh-number': kind === 'number' }" :id="own" :value="local"
             :type="kind === 'password' ? 'password' : 'text'" :inputmode="kind === 'number' ? 'decimal' : undefined"
             :placeholder="placeholder" :disabled="disabled" :aria-invalid="problem ? 'true' : undefined"
             :aria-describedby="problem || hint ? own + '-note' : undefined" autocomplete="off" spellcheck="false"
             @input="take($event.target.value)" @keydown.enter="$event.repeat || $emit('enter')" @keydown.esc="$emit('escape')">
      <span v-if="problem || hint" class="bh-note" :class="problem ? 'bh-danger' : 'bh-muted'" :id="own + '-note'">
        {{ problem || hint }}</span>
    </div>`,
  props: { value: null, label: String, kind: String, options: Array, placeholder: String, hint: String, problem: String,
    disabled: Boolean, own: String, told: Number },
  data() { return { local: this.value }; },
  watch: { value(now) { this.local = now; }, told() { this.local = this.value; } },
  methods: { clear() { this.local = ""; }, take(now) { this.local = now; this.$emit("update:value", now); } },
};
