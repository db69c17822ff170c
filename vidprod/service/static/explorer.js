// The page: a list of actions, a form for the chosen one, the same call as code, and the jobs of this tab.

import { Api } from "./api.js";
import { $, copy, h } from "./dom.js";
import { makeForm } from "./form.js";
import { Jobs } from "./jobs.js";
import { snippets } from "./snippets.js";

const KEY = "vidprod.key";
const HEALTH_EVERY = 15_000;

const key = { id: "", secret: "" };
const api = new Api(key);
const jobs = new Jobs(api);
let actions = [];
let chosen = null;
let form = null;
let tab = "Python";

// --- access key ---

function showKey(state) {
  $("key-state").textContent = state ?? (key.id ? key.id : "none yet");
  $("key-id").value = key.id;
  $("key-secret").value = key.secret;
}

function useKey(id, secret) {
  Object.assign(key, { id: id.trim(), secret: secret.trim() });
  if (key.id) sessionStorage.setItem(KEY, JSON.stringify(key));
  else sessionStorage.removeItem(KEY);
  showKey();
  showCode();
}

/** Whether the server takes the key: an unknown job is refused in another way than an unknown key. */
async function checkKey() {
  try {
    await api.poll("00000000-0000-0000-0000-000000000000");
  } catch (error) {
    if (error.code !== "InvalidParameter") return error;
  }
  return null;
}

$("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  useKey($("key-id").value, $("key-secret").value);
  $("key-answer").textContent = "asking the server";
  const error = await checkKey();
  $("key-answer").textContent = error ? `${error.code}: ${error.message}` : "the server takes it";
  $("key-answer").classList.toggle("problem", Boolean(error));
  if (error) return;
  $("key").open = false;
  $("key").querySelector("summary").focus();
});

$("key-forget").addEventListener("click", () => {
  useKey("", "");
  $("key-answer").textContent = "forgotten";
  $("key-id").focus();
});

// --- actions ---

function choose(action, { focus = false } = {}) {
  chosen = action;
  for (const link of $("actions").querySelectorAll("a")) {
    const current = link.dataset.name === action.name;
    if (current) {
      link.setAttribute("aria-current", "page");
      $("actions").scrollLeft = link.offsetLeft - 16; // a row that scrolls, on narrow screens
    } else {
      link.removeAttribute("aria-current");
    }
  }
  $("action-title").textContent = action.name;
  $("action-summary").textContent = action.summary;
  $("form-answer").textContent = "";
  form = makeForm(action.fields, showCode);
  $("fields").replaceChildren(form.element);
  document.title = `${action.name} · vidprod`;
  showCode();
  if (focus) $("main").focus();
}

const fromAddress = () => actions.find((action) => `#${action.name}` === location.hash) ?? actions[0];
addEventListener("hashchange", () => fromAddress() !== chosen && choose(fromAddress(), { focus: true }));

// --- run ---

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const say = (text) => ($("form-answer").textContent = text);
  say("");
  const call = form.read();
  if (call.problems.length) {
    const others = call.problems.length - 1;
    say(call.problems[0].message + (others ? `, and ${others} more` : ""));
    call.problems[0].control.focus();
    return;
  }
  if (!key.id || !key.secret) {
    $("key").open = true;
    $("key-id").focus();
    say("An access key is needed first.");
    return;
  }
  $("run").disabled = true;
  const error = await jobs.start(chosen.name, call);
  $("run").disabled = false;
  if (!error) return;
  say(`${error.code ?? "Error"}: ${error.message}`);
  if (/^(InvalidAccessKeyId|SignatureDoesNotMatch)/.test(error.code)) $("key").open = true;
});

// --- code ---

function showCode() {
  if (!form) return;
  const { parameters, files, tree } = silently(() => form.read());
  const found = snippets({ action: chosen, parameters, files, tree, endpoint: location.origin, keyId: key.id });
  if (!found.some(({ name }) => name === tab)) tab = found[0].name;
  if (Array.from($("tabs").children, (each) => each.textContent).join() !== found.map(({ name }) => name).join()) {
    $("tabs").replaceChildren(
      ...found.map(({ name }) =>
        h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "code-panel", onclick: () => openTab(name) }, name),
      ),
    );
  }
  for (const each of $("tabs").children) {
    const current = each.textContent === tab;
    each.setAttribute("aria-selected", current ? "true" : "false");
    each.tabIndex = current ? 0 : -1;
    if (current) $("code-panel").setAttribute("aria-labelledby", each.id);
  }
  $("code").textContent = found.find(({ name }) => name === tab).text;
}

/** Reads the form without leaving marks at what is not filled in yet. */
function silently(read) {
  const found = read();
  for (const { control } of found.problems) {
    control.removeAttribute("data-wrong");
    control.removeAttribute("aria-invalid");
  }
  for (const problem of $("fields").querySelectorAll(".problem")) problem.textContent = "";
  return found;
}

function openTab(name) {
  tab = name;
  $("copy-answer").textContent = "";
  showCode();
}

$("tabs").addEventListener("keydown", (event) => {
  const all = [...$("tabs").children];
  const at = all.findIndex((each) => each.textContent === tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = all[(to + all.length) % all.length];
  openTab(next.textContent);
  next.focus();
});

$("copy").addEventListener("click", async () => {
  $("copy-answer").textContent = (await copy($("code").textContent)) ? "copied" : "not allowed here; select the text instead";
});

// --- health ---

async function showHealth() {
  let state = "bad";
  let words = "no answer";
  try {
    const health = await api.health();
    state = health.status === "ok" ? "good" : "bad";
    words = health.status === "ok" ? "ready" : `failing: queue ${health.queue}`;
    if (state === "good" && health.worker && health.worker !== "running") words = `worker ${health.worker}`;
  } catch {
    // the words above
  }
  $("health").dataset.state = state;
  if ($("health-text").textContent !== words) $("health-text").textContent = words; // said aloud at each change
}

// --- start ---

$("endpoint").textContent = location.origin;
try {
  Object.assign(key, JSON.parse(sessionStorage.getItem(KEY)) ?? {});
} catch {
  // another program's
}
showKey();
$("key").open = !key.id;
await showHealth();
setInterval(showHealth, HEALTH_EVERY);
const registry = await (await fetch("/_vidprod/actions.json")).json();
actions = registry.actions;
$("version").textContent = registry.version;
$("actions").replaceChildren(
  ...actions.map((action) =>
    h("li", {}, h("a", { href: `#${action.name}`, "data-name": action.name }, h("span", { class: "name" }, action.name), h("span", { class: "what" }, action.summary))),
  ),
);
choose(fromAddress());
jobs.restore();
