// Which colours the terminal has: kept and changed by the browser alone (theme.js).
const { theme } = window.bulkhead;

export default {
  template: `
    <select class="bh-input" aria-label="Theme" title="Theme" :value="choice" @change="choose($event.target.value)">
      <option v-for="one in choices" :key="one" :value="one">{{ one[0].toUpperCase() + one.slice(1) }}</option>
    </select>`,
  data() { return { choice: theme.choice, choices: theme.choices }; },
  mounted() { this.leave = theme.onTurn(() => { this.choice = theme.choice; }); },
  unmounted() { this.leave?.(); },
  methods: { choose(choice) { theme.choose(choice); } },
};
