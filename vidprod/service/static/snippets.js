// The call of the form as code to copy. Secrets are never part of it.

import { ending, nameOf } from "./dom.js";
import { canonical } from "./sign.js";
import { VERSION } from "./api.js";

const SECRET = "ACCESS_KEY_SECRET";
const pascal = (name) => name[0].toUpperCase() + name.slice(1);

/** A Python, JSON or shell string. */
const quoted = (value) => JSON.stringify(String(value));
const shell = (value) => (/^[\w./:=@%+-]+$/.test(value) ? value : `'${String(value).replaceAll("'", `'\\''`)}'`);

const isFile = (value) => value !== null && typeof value === "object" && ("file" in value || "url" in value);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !isFile(value);

/** The examples: [{name, text}]. `call` is {action, parameters, files, tree, endpoint, keyId}. */
export function snippets(call) {
  const found = [
    { name: "Python", text: client(call) },
    { name: "Cloud SDK", text: sdk(call) },
    { name: "curl", text: curl(call) },
  ];
  if (!Object.values(call.tree).some(({ field, value }) => field.kind !== "files" && (Array.isArray(value) || isObject(value)))) {
    found.push({ name: "Command line", text: commandLine(call) });
  }
  return found;
}

// --- vidprod.Client ---

function client({ action, tree, endpoint, keyId }) {
  const file = (each) => quoted(each.file ?? each.url);
  const lines = Object.values(tree).map(({ field, value }) => {
    const short = field.kind === "files" ? value.map((each) => (follows(each, field.item.endings) ? each.FileUrl.value : each)) : value;
    return `    ${field.snake}=${python(short, file)},`;
  });
  return [
    "import os",
    "",
    "import vidprod",
    "",
    "client = vidprod.Client(",
    `    ${quoted(endpoint)},`,
    `    ${quoted(keyId || "<AccessKeyId>")},`,
    `    os.environ[${quoted(SECRET)}],`,
    ")",
    `client.${action.snake}(`,
    ...lines,
    `    output="result.mp4",`,
    ")",
  ].join("\n");
}

function python(value, file, wrap = (members) => `{${members.map(([name, text]) => `${quoted(name)}: ${text}`).join(", ")}}`, path = "") {
  if (isFile(value)) return file(value);
  if (Array.isArray(value)) {
    const members = value.map((each) => python(each, file, wrap, path));
    return members.length === 1 ? `[${members[0]}]` : `[\n${members.map((each) => `        ${each},\n`).join("")}    ]`;
  }
  if (isObject(value)) {
    const members = Object.values(value).map(({ field, value: inner }) => [field.snake, python(inner, file, wrap, path + field.name)]);
    return wrap(members, path);
  }
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "number" ? String(value) : quoted(value);
}

// --- the cloud's own SDK ---

function sdk({ action, tree, endpoint, keyId, files }) {
  const [scheme, host] = endpoint.split("://");
  const upload = files.length > 0;
  const request = `${action.name}${upload ? "Advance" : ""}Request`;
  // Where one file is uploaded, all are: such a request has no place for URLs.
  const remote = (url) => (upload ? `BytesIO(urlopen(${quoted(url)}).read())` : quoted(url));
  const file = (each) => (each.file ? `open(${quoted(each.file)}, "rb")` : remote(each.url));
  const lines = Object.values(tree).map(({ field, value }) => {
    const wrap = (members, path) => `models.${request}${path}(${members.map(([name, text]) => `${name}${fileSuffix(text)}=${text}`).join(", ")})`;
    const text = python(value, file, wrap, pascal(field.name));
    return `    ${field.snake}${fileSuffix(text)}=${text},`;
  });
  return [
    "# pip install alibabacloud-videoenhan20200320==3.0.22",
    "import os",
    "import time",
    ...(lines.some((line) => line.includes("BytesIO(")) ? ["from io import BytesIO", "from urllib.request import urlopen"] : []),
    "",
    "from alibabacloud_tea_openapi.models import Config",
    ...(upload ? ["from alibabacloud_tea_util.models import RuntimeOptions"] : []),
    "from alibabacloud_videoenhan20200320 import models",
    "from alibabacloud_videoenhan20200320.client import Client",
    "",
    "client = Client(Config(",
    `    access_key_id=${quoted(keyId || "<AccessKeyId>")},`,
    `    access_key_secret=os.environ[${quoted(SECRET)}],`,
    `    endpoint=${quoted(host)},`,
    `    protocol=${quoted(scheme)},`,
    "))",
    ...(upload ? [`client._open_platform_endpoint = ${quoted(host)}  # uploads come here, too`] : []),
    `request = models.${request}(`,
    ...lines,
    ")",
    upload
      ? `job_id = client.${action.snake}_advance(request, RuntimeOptions()).body.request_id`
      : `job_id = client.${action.snake}(request).body.request_id`,
    "while True:",
    "    job = client.get_async_job_result(models.GetAsyncJobResultRequest(job_id=job_id)).body.data",
    `    if job.status not in ("QUEUING", "PROCESSING"):`,
    "        break",
    "    time.sleep(1)",
    "print(job.status, job.result or job.error_message)",
  ].join("\n");
}

const fileSuffix = (text) => (/^(open|BytesIO)\(/.test(text) ? "_object" : "");

// --- curl, signed by openssl ---

function curl({ action, parameters, files, endpoint, keyId }) {
  const own = { ...parameters };
  for (const { path, file } of files) own[path] = `https://example.com/${encodeURIComponent(file.name)}`;
  // Names are known here and sorted here; the shell fills in what changes. These values need no encoding, but for the colons.
  const filled = {
    ...own,
    AccessKeyId: "0ID0",
    Action: action.name,
    Format: "JSON",
    SignatureMethod: "HMAC-SHA1",
    SignatureNonce: "0NONCE0",
    SignatureVersion: "1.0",
    Timestamp: "0TIME0",
    Version: VERSION,
  };
  const body = canonical(filled)
    .replace("AccessKeyId=0ID0", "AccessKeyId=$id")
    .replace("SignatureNonce=0NONCE0", "SignatureNonce=$(openssl rand -hex 16)")
    .replace("Timestamp=0TIME0", "Timestamp=$(date -u +%Y-%m-%dT%H%%3A%M%%3A%SZ)");
  return [
    `id=${shell(keyId || "<AccessKeyId>")}  # the secret is in $${SECRET}`,
    ...(files.length ? ["# a file must be at a URL that the server can fetch; the other examples upload"] : []),
    `form="${body}"`,
    `text="POST&%2F&$(printf %s "$form" | sed 's/%/%25/g; s/&/%26/g; s/=/%3D/g')"`,
    `signature=$(printf %s "$text" | openssl dgst -sha1 -hmac "$${SECRET}&" -binary | base64)`,
    `curl -sS ${shell(endpoint)}/ --data "$form" --data-urlencode "Signature=$signature"`,
  ].join("\n");
}

// --- without a server ---

function commandLine({ action, tree }) {
  const words = ["vidprod", action.kebab];
  const options = [];
  for (const { field, value } of Object.values(tree)) {
    if (isFile(value)) words.push(shell(value.file ?? value.url));
    else if (field.kind === "files") words.push(...value.map((member) => shell(argument(member, field.item.endings))));
    else if (typeof value === "boolean") options.push(`--${value ? "" : "no-"}${field.snake.replaceAll("_", "-")}`);
    else options.push(`--${field.snake.replaceAll("_", "-")} ${shell(value)}`);
  }
  return `# on this computer, without a server\n${[...words, "-o result.mp4", ...options].join(" ")}`;
}

/** Whether the name and type of a file are those that its location tells. */
function follows({ FileName, FileUrl, Type }, endings) {
  const name = FileUrl.value.file ?? nameOf(FileUrl.value.url);
  return name === FileName.value && endings[ending(name)] === Type.value;
}

/** A file as an argument: its location where that is enough, or all there is to say, as JSON. */
function argument(member, endings) {
  const place = member.FileUrl.value.file ?? member.FileUrl.value.url;
  return follows(member, endings) ? place : JSON.stringify({ FileName: member.FileName.value, FileUrl: place, Type: member.Type.value });
}
