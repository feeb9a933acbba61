// A slider over the places of a list, told while it is dragged, at most twenty times a second.
export default {
  template: `
    <div class="bh-slider">
      <label :for="own" class="visually-hidden">{{ label }}</label>
      <input type="range" :id="own" min="0" :max="most" step="1" :value="local" :aria-valuetext="text" list=""
             :disabled="disabled" @input="take(Number($event.target.value))">
    </div>`,
  props: { label: String, own: String, most: Number, value: Number, text: String, disabled: Boolean },
  data() { return { local: this.value, timer: null }; },
  watch: { value(now) { if (this.timer === null) this.local = now; } },
  beforeUnmount() { clearTimeout(this.timer); },
  methods: {
    take(now) {
      this.local = now;
      if (this.timer === null) this.tell();
    },
    tell() {
      const told = this.local;
      this.$emit("place", told);
      this.timer = setTimeout(() => { this.timer = null; if (this.local !== told) this.tell(); }, 50);
    },
  },
};
