// Calls to the server this page came from.

import { canonical, sign } from "./sign.js";

export const VERSION = "2020-03-20";

/** What the server answered instead of a result. */
export class ApiError extends Error {
  constructor(code, message, requestId = "") {
    super(message);
    this.code = code;
    this.requestId = requestId;
  }
}

const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Api {
  /** @param key {{id: string, secret: string}} read at each call. */
  constructor(key) {
    this.key = key;
    this.skew = 0; // milliseconds that the server's clock is ahead; a browser's may be off by more than the server allows
  }

  /** Whether the server is well: its /healthz. Looks at its clock on the way. */
  async health() {
    const before = Date.now();
    const answer = await fetch("/healthz", { cache: "no-store" });
    const date = Date.parse(answer.headers.get("date") ?? "");
    const off = date - (before + Date.now()) / 2;
    this.skew = Math.abs(off) > 60_000 ? off : 0;
    return answer.json();
  }

  /** Calls an action: {members, headers} of the answer, or an ApiError. */
  async call(action, own, version = VERSION) {
    const parameters = {
      ...own,
      Action: action,
      Version: version,
      Format: "JSON",
      AccessKeyId: this.key.id,
      SignatureMethod: "HMAC-SHA1",
      SignatureVersion: "1.0",
      SignatureNonce: hex(crypto.getRandomValues(new Uint8Array(16))),
      Timestamp: new Date(Date.now() + this.skew).toISOString().slice(0, 19) + "Z",
    };
    parameters.Signature = sign("POST", parameters, this.key.secret);
    let answer, members;
    try {
      answer = await fetch("/", {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
        body: canonical(parameters),
        cache: "no-store",
      });
    } catch {
      throw new ApiError("NoAnswer", "The server cannot be reached.");
    }
    try {
      members = await answer.json();
    } catch {
      throw new ApiError(`HTTP ${answer.status}`, "The answer is not one of a vidprod server. Is there a proxy between?");
    }
    if (!answer.ok) throw new ApiError(members.Code, members.Message, members.RequestId);
    return { members, headers: answer.headers };
  }

  /** Uploads a file; gives the URL by which actions find it. `progress` is called with 0 to 1. */
  async upload(file, progress, signal) {
    const { members: ticket } = await this.call("AuthorizeFileUpload", { Product: "videoenhan" }, "2019-12-19");
    const form = new FormData();
    form.append("OSSAccessKeyId", ticket.AccessKeyId);
    form.append("Signature", ticket.Signature);
    form.append("key", ticket.ObjectKey);
    form.append("policy", ticket.EncodedPolicy);
    form.append("success_action_status", "201");
    form.append("file", file, ticket.ObjectKey);
    await post(form, progress, signal);
    return `http://${ticket.Bucket}.${ticket.Endpoint}/${ticket.ObjectKey}`;
  }

  /** A job's answer: {status, progress, result, code, message}. */
  async poll(id) {
    const { members, headers } = await this.call("GetAsyncJobResult", { JobId: id });
    const data = members.Data;
    return {
      status: data.Status,
      progress: parseFloat(headers.get("x-vidprod-progress") ?? "") || 0,
      result: data.Result ? JSON.parse(data.Result) : null,
      code: data.ErrorCode,
      message: data.ErrorMessage,
      members,
    };
  }
}

/** A form to this server. Not by fetch, which does not tell how much has gone. */
function post(form, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/");
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 201) return resolve();
      const error = new DOMParser().parseFromString(request.responseText, "application/xml");
      const part = (name) => error.querySelector(name)?.textContent;
      reject(new ApiError(part("Code") ?? `HTTP ${request.status}`, part("Message") ?? "The upload was refused."));
    };
    request.onerror = () => reject(new ApiError("NoAnswer", "The upload was cut off."));
    request.onabort = () => reject(new ApiError("Stopped", "The upload was stopped."));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
