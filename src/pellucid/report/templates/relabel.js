"use strict";
// Labels to keep, to change or to drop: what is decided stays here until it is saved as a file.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("article")];
  const key = `pellucid-labels-${data.of}-${data.total}`;
  let unsaved = false;

  const choice = (row) => row.querySelector("input:checked").value;
  const select = (row) => row.querySelector("select");
  const decide = (row, value) => {
    const radio = row.querySelector(`input[value="${value}"]`);
    if (radio.disabled) return;
    radio.checked = true;
    radio.focus({ preventScroll: true });
    changed();
  };

  const decisions = () => rows.flatMap((row, place) => {
    const decision = choice(row), { row: number, was } = data.rows[place];
    const label = { keep: was, relabel: data.classes[select(row).value], drop: "" }[decision];
    return decision ? [{ row: number, was, decision, label }] : [];
  });

  const tell = () => {
    const counts = { keep: 0, relabel: 0, drop: 0 };
    for (const row of rows) {
      const decision = choice(row);
      row.className = decision;
      if (decision) counts[decision] += 1;
    }
    const made = counts.keep + counts.relabel + counts.drop;
    $("said").textContent = made
      ? `${made} of ${rows.length} decided: ${counts.keep} kept, ${counts.relabel} relabelled, ${counts.drop} dropped.`
      : "Nothing is decided yet.";
    for (const id of ["json", "csv", "again"]) $(id).disabled = !made;
  };

  // a browser may keep nothing, and then the page works all the same
  const remember = () => {
    try {
      localStorage.setItem(key, JSON.stringify(rows.map((row) => [choice(row), select(row).value])));
    } catch { /* nothing is kept */ }
  };
  const recall = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(key)) ?? [];
      if (kept.length !== rows.length) return;
      kept.forEach(([decision, label], place) => {
        const radio = [...rows[place].querySelectorAll("input")].find((input) => input.value === decision);
        if ([...select(rows[place]).options].some((option) => option.value === label)) select(rows[place]).value = label;
        if (radio) radio.checked = true;
      });
    } catch { /* nothing was kept */ }
  };
  const changed = () => {
    unsaved = decisions().length > 0;
    tell();
    remember();
  };

  const save = (kind, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `labels-${data.of}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    unsaved = false;
  };
  const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;

  $("json").addEventListener("click", () => {
    const held = { schema: data.schema, of: data.of, rows: data.total, decisions: decisions() };
    save("json", "application/json", JSON.stringify(held, null, 1) + "\n");
  });
  $("csv").addEventListener("click", () => {
    const lines = decisions().map((one) => [one.row, quoted(one.was), one.decision, quoted(one.label)].join(","));
    save("csv", "text/csv", ["row,was,decision,label", ...lines].join("\r\n") + "\r\n");
  });
  $("again").addEventListener("click", () => {
    if (!confirm("Forget all decisions on this page?")) return;
    for (const row of rows) row.querySelector("input").checked = true;
    changed();
  });

  for (const row of rows) {
    row.addEventListener("change", (event) => {
      if (event.target === select(row)) row.querySelector('input[value="relabel"]').checked = true;
      changed();
    });
    if (!select(row).options.length) row.querySelector('input[value="relabel"]').disabled = select(row).disabled = true;
  }
  const step = (by) => {
    const here = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(Math.max(here + by, 0), rows.length - 1)];
    next.querySelector("input:checked").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = { j: () => step(1), k: () => step(-1) };
  const values = { 0: "", 1: "keep", 2: "relabel", 3: "drop" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    const row = rows.find((one) => one.contains(document.activeElement));
    if (event.key in keys) keys[event.key]();
    else if (row && event.key in values) decide(row, values[event.key]);
    else return;
    event.preventDefault();
  });

  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  recall();
  tell();
})();
