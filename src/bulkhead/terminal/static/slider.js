// A slider that stops at given values only; which stop it stands at is told while it is dragged, at most twenty times a
// second.
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1e6, End: 1e6 };
export default {
  template: `
    <div class="bh-slider">
      <label :for="own" class="visually-hidden">{{ label }}</label>
      <input type="range" :id="own" :min="stops[0]" :max="stops[stops.length - 1]" step="any" :value="stops[local]"
             :aria-valuetext="text" :disabled="disabled" @input="take(nearest(Number($event.target.value)))" @keydown="key">
    </div>`,
  props: { label: String, own: String, stops: { type: Array, default: () => [0] }, value: Number, text: String, disabled: Boolean },
  data() { return { local: this.value, timer: null }; },
  watch: { value(now) { if (this.timer === null) this.local = now; } },
  beforeUnmount() { clearTimeout(this.timer); },
  methods: {
    nearest(wanted) {
      let found = 0;
      for (let place = 1; place < this.stops.length; place++)
        if (Math.abs(this.stops[place] - wanted) < Math.abs(this.stops[found] - wanted)) found = place;
      return found;
    },
    key(event) {
      const step = KEYS[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.take(Math.min(this.stops.length - 1, Math.max(0, this.local + step)));
    },
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
