// The call of the form as code to copy. Secrets are never part of it.

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
  if (!Object.values(call.tree).some(({ value }) => Array.isArray(value) || isObject(value))) {
    found.push({ name: "Command line", text: commandLine(call) });
  }
  return found;
}

// --- vidprod.Client ---

function client({ action, tree, endpoint, keyId }) {
  const lines = Object.values(tree).map(({ field, value }) => `    ${field.snake}=${python(value, (f) => quoted(f.file ?? f.url))},`);
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
  if (Array.isArray(value)) return `[${value.map((each) => python(each, file, wrap, path)).join(", ")}]`;
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
  const file = (each) => (each.file ? `open(${quoted(each.file)}, "rb")` : quoted(each.url));
  const lines = Object.values(tree).map(({ field, value }) => {
    const wrap = (members, path) => `models.${request}${path}(${members.map(([name, text]) => `${name}${fileSuffix(text)}=${text}`).join(", ")})`;
    const text = python(value, file, wrap, pascal(field.name));
    return `    ${field.snake}${fileSuffix(text)}=${text},`;
  });
  return [
    "# pip install alibabacloud-videoenhan20200320==3.0.22",
    "import os",
    "import time",
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

const fileSuffix = (text) => (text.startsWith("open(") ? "_object" : "");

// --- curl, signed by openssl ---

function curl({ action, parameters, files, endpoint, keyId }) {
  const own = { ...parameters };
  for (const { path } of files) own[path] = "https://example.com/video.mp4";
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
    else if (typeof value === "boolean") options.push(`--${value ? "" : "no-"}${field.snake.replaceAll("_", "-")}`);
    else options.push(`--${field.snake.replaceAll("_", "-")} ${shell(value)}`);
  }
  return `# on this computer, without a server\n${[...words, "-o result.mp4", ...options].join(" ")}`;
}
