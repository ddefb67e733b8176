"use strict";
// Sorts tables, filters those of the leaderboard, and shows another metric in them.
(() => {
  const textOf = (row, place) => row.cells[place].textContent.trim();

  // The number at the beginning of a text ("+5.8 ± 3.8*"), or NaN.
  const numberOf = (text) => parseFloat(text.replace(/^(less than |[<>])/, ""));

  // Empty and "-" stay at the end in both directions.
  function compare(one, other, sign) {
    const empty = (text) => text === "" || text === "-";
    if (empty(one) || empty(other)) return empty(one) - empty(other);
    const [a, b] = [numberOf(one), numberOf(other)];
    if (!isNaN(a) && !isNaN(b)) return sign * (a - b);
    return sign * one.localeCompare(other, "en", { numeric: true });
  }

  function sort(head, direction) {
    const table = head.closest("table"), place = head.cellIndex;
    for (const each of head.parentNode.cells) each.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(textOf(a, place), textOf(b, place), sign));
    table.tBodies[0].append(...rows);
  }

  for (const head of document.querySelectorAll("table.sortable thead th")) {
    head.querySelector("button").addEventListener("click", () => {
      sort(head, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
    });
  }

  const filters = document.getElementById("filters");
  if (!filters) return;
  const inputs = Object.fromEntries([...filters.querySelectorAll("[data-filter]")].map((i) => [i.dataset.filter, i]));
  const chosen = (name) => (inputs[name] ? inputs[name].value : "");
  const boards = [...document.querySelectorAll(".board")];
  const metrics = boards.map((board) => JSON.parse(board.querySelector("script.metrics").textContent));
  const wholeTask = ["protocol", "dataset", "k"];

  // Whether a row uses what is chosen: "" anything, "-" nothing beyond the labels, otherwise a name.
  function uses(row, wanted) {
    const used = row.dataset.uses.split(" ").filter(Boolean);
    return wanted === "" || (wanted === "-" ? !used.length : used.includes(wanted));
  }

  function filterTable(table) {
    const onTask = wholeTask.filter((name) => chosen(name) !== "");
    const fits = table.dataset.overall !== undefined
      ? !onTask.length : onTask.every((name) => table.dataset[name] === chosen(name));
    const part = chosen("strategy").trim().toLowerCase();
    let shown = 0;
    for (const row of table.querySelectorAll("tbody tr")) {
      row.hidden = !(uses(row, chosen("uses")) && row.dataset.strategy.toLowerCase().includes(part));
      shown += !row.hidden;
    }
    table.hidden = !fits || !shown;
    if (fits && onTask.length) table.open = true;
    return table.hidden ? 0 : shown;
  }

  function filter() {
    let tables = 0, rows = 0;
    boards.forEach((board, number) => {
      board.hidden = chosen("board") !== "" && chosen("board") !== String(number);
      for (const table of board.hidden ? [] : board.querySelectorAll("details.table")) {
        const shown = filterTable(table);
        tables += shown > 0;
        rows += shown;
      }
    });
    document.getElementById("found").textContent = rows
      ? `${rows} row${rows > 1 ? "s" : ""} in ${tables} table${tables > 1 ? "s" : ""}`
      : "No row fits: choose less.";
  }

  // Puts the texts of a metric into the cells that are there already.
  function showMetric(name) {
    const meanings = metrics[0].values[name].legend;
    for (const term of document.querySelectorAll("details.legend dt")) {
      const meaning = meanings[term.textContent];
      if (meaning) term.nextElementSibling.textContent = meaning;
    }
    boards.forEach((board, number) => {
      const found = metrics[number].values[name];
      board.querySelector("[data-about]").textContent = found.about;
      board.querySelectorAll("details.table").forEach((table, place) => {
        const rows = new Map([...table.querySelectorAll("tbody tr")].map((row) => [row.dataset.strategy, row]));
        for (const [strategy, cells] of found.tables[place]) {
          const row = rows.get(strategy);
          metrics[number].columns.forEach((column, i) => {
            const cell = [...row.cells].find((each) => each.dataset.column === column);
            if (cell) cell.textContent = cells[i];
            if (column === "verdict") row.dataset.verdict = cells[i];
          });
          table.querySelector("tbody").append(row);
        }
        const first = table.querySelector("thead th");
        sort(first, "ascending");
      });
    });
  }

  inputs.metric.addEventListener("input", () => showMetric(chosen("metric")));
  for (const input of Object.values(inputs)) input.addEventListener("input", filter);
  const opener = document.getElementById("open-all");
  opener.addEventListener("click", () => {
    const all = [...document.querySelectorAll("details.table:not([hidden])")], open = all.some((each) => !each.open);
    for (const each of all) each.open = open;
    opener.textContent = open ? "Close all tables" : "Open all tables";
  });
  filter();
  filters.hidden = false;
})();
