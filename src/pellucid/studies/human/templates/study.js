"use strict";
// The questionnaire: consent, pages, end. Everything that comes from the study or the participant is put in as text.
(() => {
  const study = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const lines = [];
  let participant, seat, place = -1, shownAt, awayAt, away, unsaved = false;

  const make = (tag, text = "", kind = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = kind;
    return element;
  };
  const titled = (block, ...inner) => {
    const box = make("div");
    if (block.title) box.append(make("h2", block.title));
    box.append(...inner);
    if (block.caption) box.append(make("p", block.caption, "caption"));
    return box;
  };
  const largest = (rows) => Math.max(...rows.map(([, weight]) => Math.abs(weight)), 1e-300);

  const draw = {
    prose: (block) => {
      const box = titled(block, make("p", block.text, block.title ? "quote" : ""));
      if (block.text.length < 60 && block.title) box.lastChild.classList.add("answer");
      if (block.text.length > 300) box.className = "whole";
      return box;
    },
    facts: (block) => {
      const table = make("table"), body = table.createTBody();
      for (const [name, value] of block.rows) {
        const row = body.insertRow(), head = make("th", name);
        head.scope = "row";
        row.append(head, make("td", value));
        if (block.marked.includes(name)) {
          row.className = "marked";
          head.append(make("span", " (changed)"));
        }
      }
      return titled(block, table);
    },
    bars: (block) => {
      const scale = largest(block.rows), weights = block.rows.map(([, weight]) => weight);
      const low = Math.min(0, ...weights) / scale, span = Math.max(0, ...weights) / scale - low || 1;
      const box = make("div", "", "bars");
      box.setAttribute("role", "list");
      for (const [name, weight] of block.rows) {
        const cell = make("div", name, "name"), track = make("div", "", "track");
        const bar = make("div", "", `bar ${weight < 0 ? "minus" : "plus"}`), zero = make("div", "", "zero");
        bar.style.left = `${100 * (Math.min(0, weight) / scale - low) / span}%`;
        bar.style.width = `${100 * Math.abs(weight) / scale / span}%`;
        zero.style.left = `${100 * -low / span}%`;
        track.append(bar, zero);
        track.setAttribute("aria-hidden", "true");
        cell.setAttribute("role", "listitem");
        cell.append(make("span", weight ? `: ${weight < 0 ? "against" : "for"}, ${Math.round(100 * Math.abs(weight) / scale)} of 100` : ": nothing", "unseen"));
        box.append(cell, track);
      }
      return titled(block, box);
    },
    words: (block) => {
      const scale = largest(block.parts), text = make("p", "", "words");
      for (const [word, weight] of block.parts) {
        const part = make("span", word), share = Math.abs(weight) / scale;
        if (share >= 0.1) {
          part.className = weight < 0 ? "minus" : "plus";
          part.style.backgroundColor = weight < 0 ? `rgba(33,102,172,${0.45 * share})` : `rgba(193,39,45,${0.45 * share})`;
        }
        text.append(part);
      }
      const box = titled(block, text);
      if (text.textContent.length > 200) box.className = "whole";
      return box;
    },
    picture: (block) => {
      const figure = make("figure"), image = make("img");
      image.src = block.uri;
      image.alt = block.alt;
      figure.append(image);
      if (block.caption) figure.append(make("figcaption", block.caption));
      return figure;
    },
    panel: (block) => {
      const box = make("div", "", "panel");
      box.append(make("h2", block.title), ...block.blocks.map((inner) => draw[inner.block](inner)));
      return box;
    },
  };

  const show = (id) => {
    for (const section of document.querySelectorAll("section")) section.hidden = section.id !== id;
    window.scrollTo(0, 0);
    document.querySelector(`#${id} h1`).focus({ preventScroll: true });
  };
  const item = () => study.items[study.seats[seat].order[place]];
  const condition = () => study.conditions[study.seats[seat].conditions[study.seats[seat].order[place]]];
  const seconds = (milliseconds) => Math.min(Math.round(milliseconds) / 1000, study.longest);
  const complain = (form, text) => { form.querySelector(".problem").textContent = text; };

  const turn = () => {
    place += 1;
    const count = study.items.length;
    $("progress").hidden = false;
    $("bar").value = place / count;
    $("where").textContent = place < count ? `page ${place + 1} of ${count}` : "done";
    return place < count ? ask() : finish();
  };

  const ask = () => {
    const now = item(), section = $("page"), form = section.querySelector("form"), asks = now.options.length > 0;
    section.querySelector("h1").textContent = now.question;
    $("shown").replaceChildren(...now.shown.map((block) => draw[block.block](block)));
    $("help").replaceChildren(...(now.help[condition()] || []).map((block) => draw[block.block](block)));
    form.querySelector("fieldset").hidden = !asks;
    $("choices").replaceChildren(...now.options.map((option) => {
      const label = make("label", "", "choice"), input = make("input");
      input.type = now.several ? "checkbox" : "radio";
      input.name = "answer";
      input.value = option;
      label.append(input, make("span", option));
      return label;
    }));
    complain(form, "");
    show("page");
    shownAt = performance.now();
    away = 0;
    awayAt = document.hidden ? shownAt : null;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) awayAt = performance.now();
    else if (awayAt !== null) { away += performance.now() - awayAt; awayAt = null; }
  });

  const post = async (path, body) => {
    const headers = { "Content-Type": "application/json", "X-Study-Token": study.token };
    const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!reply.ok) throw new Error((await reply.json()).error);
    return reply.json();
  };

  // One thing at a time: a second click while an answer is on its way does nothing.
  const once = (form, work) => form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.disabled) return;
    button.disabled = true;
    try {
      await work(form);
    } catch (error) {
      complain(form, `This did not work: ${error.message}. Please try again.`);
    } finally {
      button.disabled = false;
    }
  });

  once($("start").querySelector("form"), async (form) => {
    if (!form.elements.consent.checked) return complain(form, "Please tick the box if you want to take part.");
    if (study.token) {
      ({ participant, seat } = await post("/seat", { consent: true }));
    } else {
      const drawn = crypto.getRandomValues(new Uint32Array(3));
      participant = [drawn[0], drawn[1]].map((number) => number.toString(16).padStart(8, "0")).join("");
      const given = /^#seat=(\d{1,6})$/.exec(location.hash);
      seat = given ? Number(given[1]) % study.seats.length : drawn[2] % study.seats.length;
    }
    unsaved = true;
    turn();
  });

  once($("page").querySelector("form"), async (form) => {
    const now = item(), took = performance.now() - shownAt;
    const answer = [...form.querySelectorAll("input:checked")].map((input) => input.value);
    if (now.options.length && !answer.length && !(now.several && form.dataset.sure === now.id)) {
      if (!now.several) return complain(form, "Please choose an answer.");
      form.dataset.sure = now.id;
      return complain(form, "Nothing is ticked. If you mean that, press the button again.");
    }
    const line = {
      schema: study.schema, study: study.id, participant, consent: true, seat, condition: condition(), position: place, item: now.id,
      answer, seconds: seconds(took), away: seconds(away),
    };
    if (study.token) await post("/answer", line);
    lines.push(JSON.stringify(line));
    turn();
  });

  const finish = () => {
    const text = lines.join("\n") + "\n";
    $(study.token ? "stored" : "handing-in").hidden = false;
    unsaved = !study.token;
    $("save").href = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
    $("save").download = `answers-${participant}.jsonl`;
    $("save").addEventListener("click", () => { unsaved = false; });
    $("copy").value = text;
    show("end");
  };

  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  show("start");
})();
