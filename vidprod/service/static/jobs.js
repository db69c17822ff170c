// The jobs of this tab: a card each, followed until it has ended.

import { ApiError } from "./api.js";
import { $, copy, h } from "./dom.js";

const KEPT = "vidprod.jobs";
const WORDS = {
  UPLOADING: "Uploading",
  SUBMITTING: "Submitting",
  QUEUING: "Waiting",
  PROCESSING: "Working",
  PROCESS_SUCCESS: "Done",
  PROCESS_FAILED: "Failed",
  TIMEOUT_FAILED: "Timed out",
  LIMIT_RETRY_FAILED: "Gave up",
  REFUSED: "Refused",
  UNKNOWN: "Unknown",
};
const RUNNING = new Set(["UPLOADING", "SUBMITTING", "QUEUING", "PROCESSING"]);
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 2000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Jobs {
  constructor(api) {
    this.api = api;
  }

  /** Shows the jobs of this tab again after it was loaded anew. */
  restore() {
    for (const job of this.#kept()) {
      const card = new Card(job.action, new Date(job.at), () => this.#drop(job.id));
      card.known(job.id);
      $("no-jobs").hidden = true;
      $("jobs").prepend(card.element);
      this.#follow(card, job.id);
    }
  }

  /** Uploads, submits and follows. Gives the error that kept the job from being accepted, or null. */
  async start(action, { parameters, files }) {
    const card = new Card(action, new Date(), () => this.#drop(card.id));
    this.#show(card);
    const own = { ...parameters };
    try {
      if (files.length === 1) card.before(files[0].file);
      for (const [done, { path, file }] of files.entries()) {
        card.say("UPLOADING");
        own[path] = await this.api.upload(file, (share) => card.progress((done + share) / files.length), card.stopped.signal);
      }
      card.say("SUBMITTING");
      const { members } = await this.api.call(action, own);
      card.known(members.RequestId);
      sessionStorage.setItem(KEPT, JSON.stringify([...this.#kept(), { id: card.id, action, at: card.at }]));
    } catch (error) {
      if (!(error instanceof ApiError)) console.error(error);
      card.end("REFUSED", { code: error.code ?? "Error", message: error.message });
      return error;
    }
    this.#follow(card, card.id);
    return null;
  }

  async #follow(card, id) {
    let wait = FIRST_PAUSE;
    card.say("QUEUING");
    while (!card.stopped.signal.aborted) {
      try {
        if (!this.api.key.id) throw new ApiError("MissingAccessKeyId", "An access key is needed to look at this job.");
        const answer = await this.api.poll(id);
        card.calm();
        if (!RUNNING.has(answer.status)) return card.end(answer.status, answer);
        card.say(answer.status);
        card.progress(answer.status === "PROCESSING" ? answer.progress : 0);
      } catch (error) {
        if (error.code === "InvalidParameter") return card.end("UNKNOWN", error);
        card.trouble(error); // the server may be back in a moment, or another key be given
      }
      await pause(wait);
      wait = Math.min(wait * 1.3, LONGEST_PAUSE);
    }
  }

  #show(card) {
    $("no-jobs").hidden = true;
    $("jobs").prepend(card.element);
    card.element.scrollIntoView({ block: "nearest" });
  }

  #drop(id) {
    sessionStorage.setItem(KEPT, JSON.stringify(this.#kept().filter((job) => job.id !== id)));
    $("no-jobs").hidden = $("jobs").children.length > 0;
  }

  #kept() {
    try {
      return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
    } catch {
      return [];
    }
  }
}

class Card {
  constructor(action, at, dropped) {
    this.at = at;
    this.id = null;
    this.stopped = new AbortController();
    this.source = null;
    this.state = "";
    this.pill = h("span", { class: "pill" });
    this.took = h("span", { class: "took" });
    this.bar = h("div", { class: "film", role: "progressbar", "aria-label": `Progress of ${action}`, "aria-valuemin": "0", "aria-valuemax": "100" }, h("div", { class: "done" }));
    this.status = h("p", { class: "visually-hidden", role: "status" });
    this.body = h("div", { class: "result" });
    this.number = h("code", { class: "job-id" });
    const remove = () => {
      const next = this.element.nextElementSibling ?? this.element.previousElementSibling;
      this.stopped.abort();
      clearInterval(this.ticking);
      if (this.source) URL.revokeObjectURL(this.source);
      this.element.remove();
      dropped();
      (next?.querySelector("button") ?? $("run")).focus();
    };
    this.element = h(
      "li",
      { class: "card job" },
      h("div", { class: "head" }, h("h3", {}, action), this.pill, this.took, h("button", { type: "button", class: "plain", "aria-label": `Remove ${action} from this list`, onclick: remove }, "×")),
      this.bar,
      this.status,
      this.body,
      this.number,
    );
    this.ticking = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  known(id) {
    this.id = id;
    this.number.textContent = id;
  }

  say(state) {
    if (state === this.state) return;
    this.state = state;
    this.pill.textContent = WORDS[state] ?? state;
    this.pill.dataset.state = RUNNING.has(state) ? "running" : state === "PROCESS_SUCCESS" ? "good" : "bad";
    this.status.textContent = WORDS[state] ?? state;
    this.element.dataset.state = state;
    this.progress(0);
  }

  /** 0 to 1; 0 shows that something goes on. */
  progress(share) {
    const percent = Math.round(100 * Math.min(1, share));
    this.bar.firstChild.style.setProperty("--done", `${percent}%`);
    this.bar.classList.toggle("unknown", percent === 0);
    if (percent) this.bar.setAttribute("aria-valuenow", percent);
    else this.bar.removeAttribute("aria-valuenow");
    if (RUNNING.has(this.state)) this.pill.textContent = `${WORDS[this.state]}${percent ? ` ${percent} %` : ""}`;
  }

  before(file) {
    if (this.source || !file.type.startsWith("video/")) return;
    this.source = URL.createObjectURL(file);
  }

  trouble(error) {
    this.body.replaceChildren(h("p", { class: "problem" }, `${error.code ?? "Error"}: ${error.message} Trying again.`));
  }

  calm() {
    this.body.replaceChildren();
  }

  end(state, answer) {
    clearInterval(this.ticking);
    this.#tick();
    this.say(state);
    this.bar.hidden = true;
    if (state === "PROCESS_SUCCESS") {
      this.body.replaceChildren(...this.#results(answer.result), raw(answer.members));
      this.status.textContent = "Done. The result is shown.";
    } else {
      const words = `${answer.code ?? state}: ${answer.message ?? ""}`;
      this.body.replaceChildren(h("p", { class: "problem" }, words), answer.members ? raw(answer.members) : "");
      this.status.textContent = words;
    }
  }

  #results(result) {
    const links = Object.entries(result ?? {}).filter(([, url]) => /^https?:\/\//.test(url));
    const shown = [];
    const videos = [];
    for (const [name, url] of links) {
      const picture = /\.(jpe?g|png|webp)$/i.test(new URL(url).pathname);
      const bare = h("p", { class: "muted", hidden: true }, "This browser cannot show it; download it instead.");
      const seen = picture
        ? h("img", { src: url, alt: `${name} of the result`, loading: "lazy" })
        : h("video", { src: url, controls: true, preload: "metadata", playsinline: true, "aria-label": `${name} of the result` });
      seen.addEventListener("error", () => {
        seen.hidden = true;
        bare.hidden = false;
      });
      if (!picture) videos.push(seen);
      const link = h("a", { href: url, download: true, class: "button secondary" }, picture ? "Download the cover" : "Download");
      const again = h("button", { type: "button", class: "plain" }, "Copy the link");
      again.addEventListener("click", async () => (again.textContent = (await copy(url)) ? "Copied" : "Not allowed here"));
      shown.push(h("figure", {}, h("figcaption", {}, this.source && !picture ? "After" : name), seen, bare, h("p", { class: "row" }, link, again)));
    }
    if (this.source && videos.length) {
      const first = h("video", { src: this.source, controls: true, muted: true, preload: "metadata", playsinline: true, "aria-label": "Your video, before" });
      const both = h("button", { type: "button", class: "secondary" }, "Play both");
      both.addEventListener("click", () => {
        for (const video of [first, videos[0]]) {
          video.currentTime = 0;
          video.play();
        }
      });
      const figure = h("figure", {}, h("figcaption", {}, "Before"), first, h("p", { class: "row" }, both));
      return [h("div", { class: "compare" }, figure, shown[0]), ...shown.slice(1)];
    }
    return shown;
  }

  #tick() {
    const seconds = Math.round((Date.now() - this.at) / 1000);
    this.took.textContent = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
}

const raw = (members) => h("details", {}, h("summary", {}, "Answer"), h("pre", { tabindex: "0" }, h("code", {}, JSON.stringify(members, null, 1))));
