// The control for a list of files: choose or drop as many as there are, or add one by URL; a row for each.

import { ending, h, nameOf, newId, size } from "./dom.js";

/** As the others of form.js. What there is to say of a file, its name and type, follows from it, and may be changed. */
export function fileList(field, changed) {
  const [nameField, urlField, typeField] = ["FileName", "FileUrl", "Type"].map((name) => field.item.fields.find((each) => each.name === name));
  const rows = [];
  const id = newId();
  const picker = h("input", { type: "file", multiple: true, class: "visually-hidden", id, "aria-label": `${field.name}: files of this computer` });
  const url = h("input", { type: "url", inputmode: "url", placeholder: "https://…", autocomplete: "off", class: "mono", "aria-label": `${field.name}: the URL of a file` });
  const add = h("button", { type: "button", class: "secondary", onclick: addUrl }, "Add");
  const drop = h(
    "div",
    { class: "drop" },
    h("span", { class: "choose" }, picker, h("label", { for: id, class: "button secondary" }, "Choose files"), h("span", { class: "muted" }, "or drop them here")),
    h("div", { class: "or" }, h("span", { "aria-hidden": "true" }, "or by URL"), h("span", { class: "beside" }, url, add)),
  );
  const list = h("ol", { class: "rows files" });
  const error = h("p", { class: "problem", id: `${id}-error` });

  function append(source) {
    const name = h("input", { value: source.name, autocomplete: "off" });
    const type = h("select", {}, h("option", { value: "" }, "choose"), ...typeField.choices.map((each) => h("option", {}, each)));
    type.value = source.type;
    const remove = h("button", { type: "button", class: "plain" }, "×");
    const row = { source, name, type, remove, element: null };
    row.element = h(
      "li",
      {},
      h("span", { class: "what" }, name, h("span", { class: "muted", title: source.url ?? source.name }, source.file ? size(source.file.size) : source.url)),
      type,
      remove,
    );
    remove.addEventListener("click", () => {
      rows.splice(rows.indexOf(row), 1);
      row.element.remove();
      count();
      (rows.at(-1)?.remove ?? picker).focus();
      changed();
    });
    name.addEventListener("input", changed);
    type.addEventListener("input", changed);
    rows.push(row);
    list.append(row.element);
  }

  /** Says which member of the list each row is. */
  function count() {
    rows.forEach((row, i) => {
      const place = `${field.name}.${i + 1}`;
      row.name.setAttribute("aria-label", `${place}.${nameField.name}`);
      row.type.setAttribute("aria-label", `${place}.${typeField.name}`);
      row.remove.setAttribute("aria-label", `Remove ${place}`);
    });
  }

  function take(files) {
    for (const file of files) append({ file, name: file.name, type: typeOf(file.name, file.type) });
    picker.value = "";
    count();
    changed();
  }

  function addUrl() {
    const value = url.value.trim();
    if (!value) return url.focus();
    const name = nameOf(value);
    append({ url: value, name, type: typeOf(name, "") });
    url.value = "";
    count();
    url.focus();
    changed();
  }

  function typeOf(name, mime) {
    const major = mime.split("/")[0];
    return field.item.endings[ending(name)] ?? (typeField.choices.includes(major) ? major : "");
  }

  picker.addEventListener("change", () => take(picker.files));
  url.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // of the form
    addUrl();
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });

  function say(control, message, out) {
    control.toggleAttribute("data-wrong", Boolean(message));
    control.setAttribute("aria-invalid", message ? "true" : "false");
    if (!message) return;
    if (!error.textContent) error.textContent = message;
    out.problems.push({ control, message: `${field.name}: ${message}` });
  }

  return {
    element: h(
      "fieldset",
      { class: "list" },
      h("legend", {}, field.name, field.required ? h("span", { class: "must" }, "required") : null),
      field.description ? h("p", { class: "help" }, field.description) : null,
      drop,
      list,
      error,
    ),
    read(path, out) {
      error.textContent = "";
      say(url, url.value.trim() ? "add this URL, or clear it" : "", out);
      say(picker, field.required && !rows.length && !url.value.trim() ? "choose a file, or add a URL" : "", out);
      const found = rows.map(({ source, name, type }, i) => {
        const place = `${path}.${i + 1}`;
        say(name, name.value.trim() ? "" : `file ${i + 1} needs a name`, out);
        say(type, type.value ? "" : `file ${i + 1} needs a type`, out);
        if (name.value.trim()) out.parameters[`${place}.FileName`] = name.value.trim();
        if (type.value) out.parameters[`${place}.Type`] = type.value;
        if (source.file) out.files.push({ path: `${place}.FileUrl`, file: source.file });
        else out.parameters[`${place}.FileUrl`] = source.url;
        return {
          FileName: { field: nameField, value: name.value.trim() },
          FileUrl: { field: urlField, value: source.file ? { file: source.file.name } : { url: source.url } },
          Type: { field: typeField, value: type.value },
        };
      });
      return found.length ? found : undefined;
    },
    filled: () => rows.length > 0,
  };
}
