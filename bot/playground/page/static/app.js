// The page's script: asks for news, puts them in place, and sends what somebody does.
// All HTML comes from the server, which has escaped what people and the bot wrote.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const body = document.body;
const COMPLETIONS = JSON.parse(body.dataset.completions);

const page = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const place = {
  person: body.dataset.person,
  channel: /^#(home|[A-Z0-9]+)$/.test(location.hash) ? location.hash.slice(1) : body.dataset.channel,
  thread: "",
};
let turn = 0;
let known = 0;
let asking = null;
// Whether the next news are to be read from their end: somebody wrote, or went elsewhere.
let toEnd = true;

// --- News -------------------------------------------------------------------------------------

async function post(path, content, signal) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
    signal,
  });
  return { status: answer.status, content: await answer.json() };
}

async function listen() {
  for (;;) {
    asking = new AbortController();
    const mine = ++turn;
    try {
      const { status, content } = await post("/news", { page, turn: mine, known, ...place }, asking.signal);
      $("#lost").hidden = true;
      if (status === 404 && place.channel !== body.dataset.channel) {
        // A person who is not in that channel, or an address that was made up.
        Object.assign(place, { channel: body.dataset.channel, thread: "" });
        continue;
      }
      if (status !== 200) throw new Error(content.note);
      await released;
      if (asking.signal.aborted) continue;
      known = content.number;
      for (const [id, change] of Object.entries(content.changes)) apply($("#" + id), change);
    } catch (fault) {
      if (fault.name === "AbortError") continue;
      $("#lost").hidden = false;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

// A press that ends on another element than it began on is no click: while a button is held down,
// nothing is redrawn under the pointer.
let release = () => {};
let released = Promise.resolve();
document.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button, a, summary")) released = new Promise((resolve) => (release = resolve));
});
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => setTimeout(() => release()));

// Somebody went elsewhere: what is on its way is of no use any more.
function askAnew() {
  if (asking) asking.abort();
}

function apply(container, change) {
  const log = container.id === "log" || container.id === "thread";
  const atEnd = !log || toEnd || container.scrollHeight - container.scrollTop - container.clientHeight < 80;
  const focused = spot(document.activeElement, container);
  const there = new Map([...container.children].map((child) => [child.dataset.element, child]));
  for (const [id, html] of Object.entries(change.html)) {
    const fresh = document.createElement("div");
    fresh.dataset.element = id;
    fresh.innerHTML = html;
    for (const time of $$("time[data-at]", fresh)) showTime(time);
    const old = there.get(id);
    if (old) {
      keepFilled(old, fresh);
      old.replaceWith(fresh);
    }
    there.set(id, fresh);
  }
  change.order.forEach((id, at) => {
    const wanted = there.get(id);
    if (container.children[at] !== wanted) container.insertBefore(wanted, container.children[at] || null);
  });
  while (container.children.length > change.order.length) container.lastElementChild.remove();
  if (focused) $(focused, container)?.focus();
  if (log && atEnd) scrollToEnd(container, 8);
  if (container.id === "log") toEnd = false;
  if (container.id === "thread") showThread(change.order.length > 0);
  if (container.id === "overlay") showModal(container);
}

// Messages get their true height when they come into sight, so the end moves on for some frames.
function scrollToEnd(container, frames) {
  container.scrollTop = container.scrollHeight;
  const left = container.scrollTop;
  if (frames)
    requestAnimationFrame(() => {
      // Who scrolls up meanwhile is not pulled back; what only became lower is still at its end.
      const away = container.scrollHeight - container.scrollTop - container.clientHeight;
      if (container.scrollTop >= left || away < 2) scrollToEnd(container, frames - 1);
    });
}

function showTime(time) {
  const at = new Date(Number(time.dataset.at) * 1000);
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  time.title = at.toLocaleString();
}

// Where the focus is, so that it survives a redrawn element.
function spot(element, container) {
  if (!element || !container.contains(element) || element === container) return null;
  const named = ["data-action", "data-option", "data-lever", "data-service", "data-crowd", "data-weights", "data-speed", "data-go", "data-thread", "data-panel", "name", "id"];
  const marks = named.filter((name) => element.hasAttribute(name)).map((name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`);
  const around = element.closest("[data-element]");
  return marks.length && around ? `[data-element="${CSS.escape(around.dataset.element)}"] ${element.tagName.toLowerCase()}${marks.join("")}` : null;
}

// A form that the bot updates keeps what was filled into fields that are still there.
function keepFilled(old, fresh) {
  for (const field of $$("input[name], textarea[name], select[name]", old)) {
    const same = $$(`[name="${CSS.escape(field.name)}"]`, fresh).find((each) => each.type === field.type && (!["radio", "checkbox"].includes(field.type) || each.value === field.value));
    if (!same) continue;
    if (["radio", "checkbox"].includes(field.type)) same.checked = field.checked;
    else if (field.tagName === "SELECT" && field.multiple) for (const option of same.options) option.selected = [...field.selectedOptions].some((each) => each.value === option.value);
    else if (field.tagName !== "SELECT" || [...same.options].some((each) => each.value === field.value)) same.value = field.value;
  }
}

// --- Acts -------------------------------------------------------------------------------------

let noteTimer = 0;

function note(text) {
  clearTimeout(noteTimer);
  $("#note").textContent = text || "";
  $("#note").hidden = !text;
  if (text) noteTimer = setTimeout(() => note(""), 12000);
}

async function act(verb, content, element) {
  element?.setAttribute("aria-busy", "true");
  try {
    const { content: answer } = await post("/act/" + verb, { ...content, person: place.person });
    note(answer.note);
    return answer;
  } catch {
    note("The playground does not answer.");
    return { failed: true };
  } finally {
    element?.removeAttribute("aria-busy");
  }
}

function source(element) {
  const view = element.closest("[data-view]");
  if (view) return { view: view.dataset.view };
  const message = element.closest("[data-ts]");
  return { channel: message.dataset.channel, ts: message.dataset.ts };
}

async function press(element, option) {
  if (element.getAttribute("aria-busy") === "true") return;
  if (element.dataset.confirm && !(await confirmed(JSON.parse(element.dataset.confirm)))) return;
  await act("click", { ...source(element), block: element.dataset.block, action: element.dataset.action, option }, element);
}

function confirmed(asked) {
  const dialog = $("#confirm");
  $("#confirm-title").textContent = asked.title;
  $("#confirm-text").textContent = asked.text;
  $("#confirm-no").textContent = asked.deny || "No";
  $("#confirm-yes").textContent = asked.confirm || "Yes";
  $("#confirm-yes").className = "bk-button " + (asked.style === "danger" ? "bk-danger" : "bk-primary");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

function go(channel) {
  Object.assign(place, { channel, thread: "" });
  toEnd = true;
  history.replaceState(null, "", "#" + channel);
  if (channel === "home") act("home", {});
  showPart("chat");
  askAnew();
}

function openThread(ts) {
  place.thread = ts;
  askAnew();
}

// --- Modals -----------------------------------------------------------------------------------

let before = null;

function showModal(container) {
  const open = container.children.length > 0;
  const showing = container.dataset.open === "true";
  container.dataset.open = String(open);
  if (open && !showing) before = document.activeElement;
  // Also where the form took the place of another: what had the focus is gone with that.
  if (open && !container.contains(document.activeElement)) ($("input, textarea, select", container) || $("button", container))?.focus();
  if (!open && showing) before?.focus?.();
}

function filled(form) {
  const values = {};
  for (const block of $$("[data-input]", form)) {
    const name = block.dataset.input;
    const boxes = $$("input[type=checkbox]", block);
    const many = $("select[multiple]", block);
    if (boxes.length) values[name] = boxes.filter((box) => box.checked).map((box) => box.value);
    else if (many) values[name] = [...many.selectedOptions].map((option) => option.value);
    else {
      const field = $("input[type=radio]:checked", block) || $("input:not([type=radio]), textarea, select", block);
      if (field && field.value) values[name] = field.value;
    }
  }
  return values;
}

async function submit(form) {
  for (const complaint of $$(".bk-error", form)) complaint.hidden = true;
  const values = filled(form);
  const missing = $$("[data-input]", form).filter((block) => $("[required]", block) && !values[block.dataset.input]?.length);
  for (const block of missing.reverse()) complain(form, block.dataset.input, "Please complete this required field.");
  if (missing.length) return;
  const answer = await act("submit", { view: form.dataset.view, values }, $("button[type=submit]", form));
  for (const [block, text] of Object.entries(answer.errors || {})) complain(form, block, text);
  if (answer.note) complain(form, "", answer.note);
}

function complain(form, block, text) {
  const input = block && $(`[data-input="${CSS.escape(block)}"]`, form);
  const line = (input && $(".bk-error", input)) || $("[data-complaint]", form);
  line.textContent = text;
  line.hidden = false;
  if (input) $("input, textarea, select", input)?.focus();
}

// --- Writing ----------------------------------------------------------------------------------

const text = $("#text");
const hints = $("#hints");
let chosen = -1;

function offers() {
  const typed = text.value;
  if (!typed.startsWith("/") || typed.includes("\n")) return [];
  return COMPLETIONS.filter((each) => (each.insert.startsWith(typed) || typed.startsWith(each.insert + " ")) && each.insert !== typed.trimEnd()).slice(0, 8);
}

function suggest() {
  const found = offers();
  chosen = -1;
  hints.hidden = found.length === 0;
  hints.replaceChildren(
    ...found.map((each, at) => {
      const line = document.createElement("li");
      line.id = "hint-" + at;
      line.role = "option";
      line.dataset.insert = each.insert;
      const usage = document.createElement("b");
      usage.textContent = each.usage;
      const summary = document.createElement("span");
      summary.textContent = each.summary;
      line.append(usage, summary);
      return line;
    })
  );
}

function choose(step) {
  const lines = [...hints.children];
  if (!lines.length) return;
  chosen = (chosen + step + lines.length) % lines.length;
  lines.forEach((line, at) => line.setAttribute("aria-selected", String(at === chosen)));
  text.setAttribute("aria-activedescendant", lines[chosen].id);
  lines[chosen].scrollIntoView({ block: "nearest" });
}

function take(line) {
  if (!text.value.startsWith(line.dataset.insert)) text.value = line.dataset.insert + " ";
  text.focus();
  suggest();
}

async function send(field, thread) {
  const typed = field.value;
  if (!typed.trim()) return;
  field.value = "";
  grow(field);
  suggest();
  toEnd = !thread;
  const answer = await act("type", { channel: place.channel, text: typed, thread });
  if (answer.failed && !field.value) field.value = typed;
}

function grow(field) {
  field.style.height = "auto";
  field.style.height = Math.min(field.scrollHeight, 160) + "px";
}

// --- Parts of the page --------------------------------------------------------------------------

function showPart(part) {
  body.dataset.show = part;
  for (const button of $$("[data-show-part]")) button.toggleAttribute("aria-current", button.dataset.showPart === part);
}

function showPanel(name) {
  for (const panel of $$("[data-panel-of]")) panel.hidden = panel.dataset.panelOf !== name;
  for (const button of $$("[data-panel]")) {
    if (button.dataset.panel === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
}

function showThread(open) {
  $("#side-thread").hidden = !open;
}

function lever(element, extra) {
  const arguments_ = { ...element.dataset, ...extra };
  delete arguments_.lever;
  return act("lever", { lever: element.dataset.lever, arguments: arguments_ }, element);
}

// --- Listeners ----------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of $$("details.bk-overflow[open]")) if (!menu.contains(event.target)) menu.removeAttribute("open");
  const at = (selector) => event.target.closest(selector);
  let found;
  if ((found = at("[data-go]"))) go(found.dataset.go);
  else if ((found = at("[data-close-thread]"))) openThread("");
  else if ((found = at("[data-thread]"))) openThread(found.dataset.thread);
  else if ((found = at("[data-close]"))) act("close", source(found));
  else if ((found = at("[data-panel]"))) showPanel(found.dataset.panel);
  else if ((found = at("[data-show-part]"))) showPart(found.dataset.showPart);
  else if ((found = at("#hints li"))) take(found);
  else if ((found = at("button[data-lever]"))) lever(found);
  else if ((found = at("button[data-action], a[data-action]"))) {
    found.closest("details")?.removeAttribute("open");
    press(found, found.dataset.option);
  }
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-who]")) {
    const [was, is] = [place.person, field.value].map((name) => [...field.options].find((each) => each.value === name).dataset.channels.split(" "));
    // Who is not in the channel goes to the first; who leaves somebody's messages with the app goes to their own.
    const stays = place.channel === "home" || is.includes(place.channel);
    Object.assign(place, { person: field.value, thread: "", channel: stays ? place.channel : place.channel === was.at(-1) ? is.at(-1) : body.dataset.channel });
    toEnd = true;
    note("");
    if (place.channel === "home") act("home", {});
    askAnew();
    return;
  }
  const control = field.closest("[data-action]");
  if (!control || control.tagName === "BUTTON" || control.tagName === "A") return;
  if (control.tagName === "FIELDSET") {
    const boxes = $$("input[type=checkbox]", control);
    press(control, boxes.length ? boxes.filter((box) => box.checked).map((box) => box.value) : field.value);
  } else press(control, control.multiple ? [...control.selectedOptions].map((option) => option.value) : control.value);
});

document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  event.preventDefault();
  const form = event.target;
  if (form.id === "composer") send(text, "");
  else if (form.id === "answer") send($("#answer-text"), place.thread);
  else if (form.dataset.lever) lever(form, Object.fromEntries(new FormData(form)));
  else if (form.dataset.view) submit(form);
});

// Several options are chosen by a click each, as in Slack, and not with a key held down.
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest("select[multiple] option");
  if (!option) return;
  event.preventDefault();
  option.selected = !option.selected;
  option.parentElement.dispatchEvent(new Event("change", { bubbles: true }));
});

document.addEventListener("keydown", (event) => {
  // What is asked in a dialog is turned away by the dialog itself, and by nothing behind it.
  if ($("#confirm").open) return;
  if (event.key === "Escape") {
    const modal = $("#overlay .modal");
    if (modal) act("close", { view: modal.dataset.view });
    else if (!hints.hidden) hints.hidden = true;
    else if (place.thread) openThread("");
  }
  if (event.key === "Tab" && $("#overlay .modal")) keepInside(event, $("#overlay .modal"));
});

function keepInside(event, modal) {
  const stops = $$("button, input, textarea, select, a[href], summary", modal).filter((each) => !each.disabled && each.offsetParent);
  const edge = event.shiftKey ? stops[0] : stops.at(-1);
  if (document.activeElement === edge || !modal.contains(document.activeElement)) {
    event.preventDefault();
    (event.shiftKey ? stops.at(-1) : stops[0])?.focus();
  }
}

text.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (!hints.hidden && event.key === "ArrowDown") choose(1);
  else if (!hints.hidden && event.key === "ArrowUp") choose(-1);
  else if (!hints.hidden && event.key === "Tab" && !event.shiftKey && !text.value.startsWith((hints.children[Math.max(chosen, 0)] || {}).dataset?.insert)) take(hints.children[Math.max(chosen, 0)]);
  else if (!hints.hidden && event.key === "Enter" && chosen >= 0 && !event.shiftKey) take(hints.children[chosen]);
  else if (event.key === "Enter" && !event.shiftKey) send(text, "");
  else return;
  event.preventDefault();
});

$("#answer-text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send($("#answer-text"), place.thread);
  }
});

for (const field of [text, $("#answer-text")]) field.addEventListener("input", () => grow(field));
text.addEventListener("input", suggest);

listen();
