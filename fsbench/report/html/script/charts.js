"use strict";
// Draws the charts. A chart has groups of rows (such as tasks), of which one is drawn, and signals that the
// reader chooses (such as the strategy to highlight). All texts are put in as text, never as HTML.
(() => {
  // The interpreter of expressions (ast) needs no eval, which the policy of the page forbids.
  const EMBEDDED = { actions: false, ast: true, renderer: "svg", logLevel: 1, tooltip: { theme: "custom" } };

  // Columns as lists of values, or as [distinct texts, places] in the form of rows.
  function rowsOf(group) {
    const columns = Object.entries(group.columns).map(([name, column]) =>
      [name, Array.isArray(column) ? column : column.codes.map((code) => column.texts[code])]);
    const length = columns.length ? columns[0][1].length : 0;
    return Array.from({ length }, (_, i) => Object.fromEntries(columns.map(([name, values]) => [name, values[i]])));
  }

  function picker(label, options, value, changed) {
    const outer = document.createElement("label"), select = document.createElement("select");
    outer.append(label, select);
    for (const text of options) select.append(new Option(text, text));
    select.value = value;
    select.addEventListener("input", () => changed(select.value));
    return [outer, select];
  }

  const shown = (value, digits) =>
    value === null || value === undefined ? "-" : digits === null ? String(value) : value.toFixed(digits);

  function fillTable(table, columns, rows) {
    const head = table.createTHead(), body = table.createTBody(), first = head.insertRow();
    for (const { title } of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = title;
      first.append(cell);
    }
    for (const row of rows) {
      const line = body.insertRow();
      for (const { field, digits } of columns) line.insertCell().textContent = shown(row[field], digits);
    }
  }

  // What screen readers and keyboards need beyond Vega: no marks without content, and scrolling by keys.
  function open(plot) {
    for (const mark of plot.querySelectorAll("g[role=graphics-symbol]:empty")) mark.setAttribute("aria-hidden", "true");
    if (plot.scrollWidth > plot.clientWidth) plot.tabIndex = 0;
    else plot.removeAttribute("tabindex");
  }

  async function draw(figure) {
    const chart = JSON.parse(figure.querySelector("script.chart-data").textContent);
    const plot = figure.querySelector(".plot"), absent = figure.querySelector(".absent");
    const pickers = figure.querySelector(".pickers"), numbers = figure.querySelector(".numbers");
    let rows = rowsOf(chart.groups[0]), selects = {};

    const chosenOf = ({ field, fallback }) => {
      const known = [...new Set(rows.map((row) => row[field]))];
      return { known, first: known.includes(fallback) ? fallback : known[0] };
    };
    const spec = structuredClone(chart.spec);
    spec.data = { name: "rows", values: rows };
    const height = () => (plot.clientWidth < chart.narrower ? 38 : 24) * new Set(rows.map((row) => row[chart.lines])).size;
    if (chart.lines) spec.height = height();
    const ticks = () => [...new Set(rows.map((row) => row[chart.ticks]))].sort((a, b) => a - b);
    if (chart.ticks) spec.params = [{ name: "ticks", value: ticks() }];
    for (const signal of chart.signals) {
      spec.params = [...(spec.params || []), { name: signal.name, value: chosenOf(signal).first }];
    }
    const { view } = await vegaEmbed(plot, spec, EMBEDDED);

    const fill = () => {
      numbers.querySelector("table").replaceChildren();
      const kept = rows.filter((row) => chart.signals.every(({ name, field, only }) => !only || row[field] === view.signal(name)));
      if (numbers.open) fillTable(numbers.querySelector("table"), chart.columns, kept);
    };
    const offer = () => {
      for (const signal of chart.signals) {
        const { known, first } = chosenOf(signal), select = selects[signal.name];
        const value = known.includes(select.value) ? select.value : first;
        select.replaceChildren(...known.map((text) => new Option(text, text)));
        select.value = value;
        view.signal(signal.name, value);
      }
    };
    if (chart.groups.length > 1 || chart.groups[0].name !== "all") {
      const [label] = picker(chart.group, chart.groups.map((group) => group.name), chart.groups[0].name, async (name) => {
        rows = rowsOf(chart.groups.find((group) => group.name === name));
        view.data("rows", rows);
        if (chart.lines) view.height(height());
        if (chart.ticks) view.signal("ticks", ticks());
        offer();
        await view.runAsync();
        open(plot);
        fill();
      });
      pickers.append(label);
    }
    for (const signal of chart.signals) {
      const { known, first } = chosenOf(signal);
      const [label, select] = picker(signal.label, known, first, async (value) => {
        await view.signal(signal.name, value).runAsync();
        open(plot);
        fill();
      });
      selects[signal.name] = select;
      pickers.append(label);
    }
    numbers.addEventListener("toggle", fill);
    pickers.hidden = !pickers.childElementCount;
    numbers.hidden = false;
    absent.hidden = true;
    open(plot);
    new ResizeObserver(() => {
      if (chart.lines && view.height() !== height()) view.height(height()).run();
      open(plot);
    }).observe(plot);
    figure.dataset.state = "drawn";
  }

  async function drawAll() {
    for (const figure of document.querySelectorAll("figure.chart")) {
      try {
        await draw(figure);
      } catch (error) {
        figure.dataset.state = "failed";
        const absent = figure.querySelector(".absent");
        absent.textContent = `This chart could not be drawn: ${error.message}`;
        absent.hidden = false;
        console.error(error);
      }
    }
    document.documentElement.dataset.charts = "done";
  }
  drawAll();
})();
