// A form for the parameters of an action, made from the registry's description of it.
//
// Every control has `element` and `read(path, out)`, which adds to `out.parameters` (as they go over the wire), `out.files` and
// `out.problems`, and gives the value for code examples; undefined where none is given.

import { h, newId, size } from "./dom.js";
import { fileList } from "./files.js";

/** @returns {{element: Element, read: () => {parameters, files, problems, tree}}} */
export function makeForm(fields, changed) {
  const group = fieldsOf(fields, changed);
  return {
    element: group.element,
    read() {
      const out = { parameters: {}, files: [], problems: [] };
      const tree = group.read("", out);
      return { ...out, tree };
    },
  };
}

function fieldsOf(fields, changed) {
  const controls = fields.map((field) => [field, make(field, changed)]);
  return {
    element: h("div", { class: "fields" }, ...controls.map(([, control]) => control.element)),
    read(path, out) {
      const tree = {};
      for (const [field, control] of controls) {
        const value = control.read(path ? `${path}.${field.name}` : field.name, out);
        if (value !== undefined) tree[field.name] = { field, value };
      }
      return tree;
    },
    filled: () => controls.some(([, control]) => control.filled()),
  };
}

const make = (field, changed) =>
  ({ file, files: fileList, list, object, boolean, choice, integer: number, number, text })[field.kind](field, changed);

// --- what all have ---

/** "32 to 2160", "above 0", "" */
export function limits(field) {
  const low = field.min ?? (field.above === undefined ? undefined : `above ${field.above}`);
  const high = field.max ?? (field.below === undefined ? undefined : `below ${field.below}`);
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  if (low !== undefined) return field.min === undefined ? `${low}` : `at least ${low}`;
  return high === undefined ? "" : field.max === undefined ? `${high}` : `at most ${high}`;
}

function frame(field, id, ...inner) {
  const error = h("p", { class: "problem", id: `${id}-error` });
  const notes = [limits(field), field.default === undefined ? "" : `default ${field.default}`].filter(Boolean).join(", ");
  const element = h(
    "div",
    { class: `field ${field.kind}` },
    h(
      "div",
      { class: "label" },
      h("label", { for: id }, field.name),
      field.required ? h("span", { class: "must" }, "required") : null,
      h("span", { class: "type", id: `${id}-type` }, [field.kind, notes].filter(Boolean).join(" · ")),
    ),
    ...inner,
    field.description ? h("p", { class: "help", id: `${id}-help` }, helpOf(field)) : null,
    error,
  );
  return {
    element,
    described: `${field.description ? `${id}-help ` : ""}${id}-type ${id}-error`,
    /** Shows what is wrong, or nothing, at the control. */
    say(control, message, out) {
      error.textContent = message;
      control.toggleAttribute("data-wrong", Boolean(message));
      control.setAttribute("aria-invalid", message ? "true" : "false");
      if (message) out.problems.push({ control, message: `${field.name}: ${message}` });
    },
  };
}

// The registry speaks to all: "the video: a path, or an http(s) URL". Here a file is chosen or a URL typed.
const helpOf = (field) => (field.kind === "file" ? field.description.split(":")[0] : field.description);

/** One input with a value that is text; `check` says what is wrong with it. */
function simple(field, input, check, typed, changed) {
  const id = newId();
  const parts = frame(field, id, input);
  input.id = id;
  input.setAttribute("aria-describedby", parts.described);
  if (field.required) input.setAttribute("aria-required", "true");
  input.addEventListener("input", changed);
  return {
    element: parts.element,
    read(path, out) {
      const value = input.value.trim();
      const message = !value && !input.validity.badInput ? (field.required ? "is required" : "") : check(value, input);
      parts.say(input, message, out);
      if (!value) return undefined;
      out.parameters[path] = value;
      return typed(value);
    },
    filled: () => Boolean(input.value.trim()),
  };
}

// --- one of each kind ---

const text = (field, changed) =>
  simple(field, h("input", { placeholder: field.default ?? "", autocomplete: "off" }), () => "", String, changed);

function number(field, changed) {
  const whole = field.kind === "integer";
  const input = h("input", {
    type: "number",
    inputmode: whole ? "numeric" : "decimal",
    step: whole ? "1" : "any",
    min: field.min ?? field.above,
    max: field.max ?? field.below,
    placeholder: field.default ?? "",
  });
  const check = (value, { validity }) => {
    const n = Number(value);
    if (validity.badInput || Number.isNaN(n)) return "must be a number";
    if (whole && !Number.isInteger(n)) return "must be a whole number";
    const outside = n < field.min || n <= field.above || n > field.max || n >= field.below;
    return outside ? `must be ${limits(field)}` : "";
  };
  return simple(field, input, check, Number, changed);
}

function choice(field, changed) {
  const first = field.required ? "choose" : field.default === undefined ? "not given" : `${field.default} (default)`;
  const others = field.choices.filter((each) => field.required || each !== field.default);
  const input = h("select", {}, h("option", { value: "" }, first), ...others.map((each) => h("option", {}, String(each))));
  return simple(field, input, () => "", String, changed);
}

function boolean(field, changed) {
  const id = newId();
  const input = h("input", { type: "checkbox", id });
  const parts = frame(field, id, h("div", { class: "check" }, input, h("span", { "aria-hidden": "true" }, "yes")));
  input.checked = field.default === true;
  input.setAttribute("aria-describedby", parts.described);
  input.addEventListener("input", changed);
  return {
    element: parts.element,
    read(path, out) {
      if (input.checked === field.default || (!field.required && field.default === undefined && !input.checked)) return undefined;
      out.parameters[path] = String(input.checked);
      return input.checked;
    },
    filled: () => input.checked !== (field.default === true),
  };
}

function file(field, changed) {
  const id = newId();
  let chosen = null;
  const url = h("input", { id, type: "url", inputmode: "url", placeholder: "https://…", autocomplete: "off", class: "mono" });
  const picker = h("input", { type: "file", class: "visually-hidden", id: `${id}-file`, tabindex: "0", "aria-label": `${field.name}: a file of this computer` });
  const name = h("span", { class: "name" });
  const drop = h(
    "div",
    { class: "drop" },
    h("span", { class: "choose" }, picker, h("label", { for: picker.id, class: "button secondary" }, "Choose a file"), h("span", { class: "muted" }, "or drop it here")),
    h("span", { class: "chosen", hidden: true }, name, h("button", { type: "button", class: "plain", onclick: () => take(null) }, "Remove")),
    h("div", { class: "or" }, h("span", { "aria-hidden": "true" }, "or by URL"), url),
  );
  const parts = frame(field, id, drop);
  url.setAttribute("aria-describedby", parts.described);

  function take(next) {
    const had = chosen;
    chosen = next;
    drop.querySelector(".choose").hidden = drop.querySelector(".or").hidden = Boolean(chosen);
    drop.querySelector(".chosen").hidden = !chosen;
    name.textContent = chosen ? `${chosen.name} (${size(chosen.size)})` : "";
    picker.value = "";
    if (chosen) drop.querySelector(".chosen button").focus();
    else if (had) picker.focus();
    changed();
  }
  picker.addEventListener("change", () => picker.files[0] && take(picker.files[0]));
  url.addEventListener("input", changed);
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  return {
    element: parts.element,
    read(path, out) {
      const value = url.value.trim();
      parts.say(url, !chosen && !value && field.required ? "choose a file, or give a URL" : "", out);
      if (chosen) {
        out.files.push({ path, file: chosen });
        return { file: chosen.name };
      }
      if (!value) return undefined;
      out.parameters[path] = value;
      return { url: value };
    },
    filled: () => Boolean(chosen || url.value.trim()),
  };
}

function object(field, changed) {
  const group = fieldsOf(field.fields, changed);
  const element = h("fieldset", {}, h("legend", {}, field.name), group.element);
  // An object that is not required is left out as long as nothing in it is filled in, its own required members too.
  return {
    element,
    read: (path, out) => (field.required || group.filled() ? group.read(path, out) : undefined),
    filled: group.filled,
  };
}

function list(field, changed) {
  const items = [];
  const rows = h("ol", { class: "rows" });
  const add = h("button", { type: "button", class: "secondary", onclick: () => append(true) }, `Add to ${field.name}`);
  const error = h("p", { class: "problem" });

  function append(focus) {
    const name = `${field.name}.${items.length + 1}`;
    const control = make({ required: true, description: "", ...field.item, name }, changed);
    const row = h("li", {}, control.element);
    const remove = h("button", { type: "button", class: "plain", "aria-label": `Remove ${name}` }, "Remove");
    remove.addEventListener("click", () => {
      items.splice(items.indexOf(control), 1);
      row.remove();
      items.forEach((each, i) => {
        const title = each.element.querySelector("legend, label");
        title.textContent = `${field.name}.${i + 1}`;
      });
      add.disabled = false;
      add.focus();
      changed();
    });
    row.append(remove);
    items.push(control);
    rows.append(row);
    add.disabled = items.length >= (field.most ?? Infinity);
    if (focus) row.querySelector("input, select, button")?.focus();
    changed();
  }
  const element = h(
    "fieldset",
    { class: "list" },
    h("legend", {}, field.name, field.required ? h("span", { class: "must" }, "required") : null),
    field.description ? h("p", { class: "help" }, field.description) : null,
    rows,
    add,
    error,
  );
  if (field.required) append(false);
  return {
    element,
    read(path, out) {
      error.textContent = field.required && !items.length ? "at least one is required" : "";
      if (error.textContent) out.problems.push({ control: add, message: `${field.name}: ${error.textContent}` });
      const found = items.map((item, i) => item.read(`${path}.${i + 1}`, out));
      return found.length ? found : undefined;
    },
    filled: () => items.length > 0,
  };
}
