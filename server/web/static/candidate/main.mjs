// The candidate page: joins brain (decides), wire (socket), vault (disk) and view (screen).
import { h, render } from "preact";
import { bytesOfBase64, hexOfBytes } from "./bytes.mjs";
import { START, forgotten, legalNow, running, step, unsaved } from "./brain.mjs";
import { whole } from "./item.mjs";
import { fileOf, frameOf } from "./journal.mjs";
import { Vault, openPaper } from "./vault.mjs";
import { Wire, answersDigest, answeredCount } from "./wire.mjs";
import { Page } from "./view.mjs";

const RETRY_MS = 1000, REDRAW_MS = 250, CALL_AGAIN_MS = 20000;
const LANGUAGE_COOKIE = "gongyuan-language", SIZE = "gongyuan-size", CONTRAST = "gongyuan-contrast";
const LEAVING = ["moved", "halted"];
const KIND = / SEB\//.test(navigator.userAgent) ? "seb" : "page";   // fixed when the machine is enrolled

class Controller {
  constructor(vault) {
    this.vault = vault;
    this.state = START;
    this.outbox = new Map();      // "lease/seq" → answer that the server has not acknowledged
    this.offers = [];             // sealed journals of others on their way to the centre
    this.nextSeq = 1;
    this.obeyed = [];              // acts that were seen and are not yet said to be done
    this.held = null;             // the sitting that this device holds: sitting, lease, token, position
    this.order = Promise.resolve();
    this.root = document.getElementById("app");
    this.size = Number(localStorage.getItem(SIZE) ?? 0);
    this.contrast(localStorage.getItem(CONTRAST) === "high");
  }
  now() { return performance.now(); }
  say(code, facts = {}) { return (this.texts[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? ""); }
  set(change) { this.state = { ...this.state, ...change }; this.draw(); }
  draw() {
    render(h(Page, { state: this.state, mono: this.now(), say: this.say.bind(this), act: this, language: this.language, size: this.size, high: this.high }), this.root);
  }

  async speak(language) {
    this.language = language;
    this.texts = await (await fetch(`/exam/texts?lang=${language}`)).json();
    document.documentElement.lang = language === "en" ? "en" : "zh-CN";
    document.title = this.say("candidate-title");
  }
  async otherLanguage() {
    const language = this.language === "en" ? "zh" : "en";
    document.cookie = `${LANGUAGE_COOKIE}=${language}; path=/; samesite=strict${location.protocol === "https:" ? "; secure" : ""}`;
    await this.speak(language);
    this.draw();
  }
  resize(size) { this.size = size; localStorage.setItem(SIZE, String(size)); this.draw(); }
  contrast(high) {
    this.high = high;
    localStorage.setItem(CONTRAST, high ? "high" : "");
    document.documentElement.dataset.contrast = high ? "high" : "";
    if (this.texts) this.draw();
  }

  async start() {
    for (const answer of await this.vault.answers()) this.outbox.set(`${answer.lease}/${answer.seq}`, answer);
    this.held = await this.vault.sitting();
    // What the machine's launcher says: its own key for health reports, and the one-time code where it has one.
    const given = new URLSearchParams(location.hash.slice(1));
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    this.reportKey = given.get("report") ?? "";
    if (this.vault.seat) this.connect();
    else this.set({ stage: "enrol" });
    if (!this.vault.seat && given.get("code")) this.enrol(given.get("code"));
    setInterval(() => this.draw(), REDRAW_MS);
    addEventListener("keydown", (event) => { if (event.ctrlKey && event.altKey && event.code === "KeyJ") this.set({ exporting: true, exported: null }); });
    this.draw();
    this.keepPage();
  }
  // What the page is made of stays on this machine: loaded anew while its server is gone it comes from here (worker.js).
  async keepPage() {
    if (KIND === "seb" || !navigator.serviceWorker) return;
    try {
      await navigator.serviceWorker.register("/static/candidate/worker.js", { scope: "/exam" });
      const parts = performance.getEntriesByType("resource").map((one) => one.name).filter((name) => name.startsWith(`${location.origin}/static/`));
      await (await caches.open("gongyuan-page")).addAll(["/exam", "/exam/texts?lang=zh", "/exam/texts?lang=en", ...new Set(parts)]);
    } catch { /* it works all the same, as long as it is not loaded anew without its server */ }
  }
  connect() {
    const own = location.origin, named = KIND === "page" ? document.documentElement.dataset.servers?.split(" ") ?? [] : [];
    const urls = [own, ...named.filter((one) => one !== own)].map((one) => `${one.replace(/^http/, "ws")}/ws/candidate`);
    this.wire = new Wire(urls, { id: this.vault.seat.id, sign: (bytes) => this.vault.sign(bytes), token: (nonce) => this.socketToken(nonce) }, {
      // One message after the other: opening a paper and writing to disk take their time.
      message: (message) => { this.order = this.order.then(() => this.receive(message)).catch((error) => console.error(error)); },
      waiting: () => this.outbox.size,
      state: (line) => { if (line === "lost") this.offers = []; this.set({ line }); },
      otherTab: () => { this.held = null; this.set({ line: "other-tab" }); },
      refusedSeat: async () => { this.wire.stop(); await this.vault.forgetSeat(); this.set({ stage: "enrol" }); },
    });
    this.wire.start();
  }
  // In Safe Exam Browser the socket opens with what a request of that browser is given for this challenge; null: refused.
  async socketToken(nonce) {
    if (this.vault.seat.kind !== "seb") return "";
    try {
      const response = await fetch(`/api/seats/token?seat=${this.vault.seat.id}&nonce=${nonce}`), body = await response.json();
      if (response.ok) { this.set({ refusal: null }); return body.token; }
      this.set({ refusal: { about: "hello", code: body.type, text: body.title, facts: body.facts ?? {} } });
    } catch { /* no answer: the line is tried again */ }
    return null;
  }
  async enrol(code) {
    this.set({ refusal: null });
    let made, response, body;
    try { made = await this.vault.newSeatKey(); }
    catch { this.set({ refusal: { about: "enrol", code: "browser-too-old", facts: {} } }); return; }
    const { pair, publicHex } = made;
    try {
      response = await fetch("/api/seats/enrol", {
        method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ code: code.trim(), public_key: publicHex, kind: KIND, report_key: this.reportKey }),
      });
      body = await response.json();
    } catch { this.set({ refusal: { about: "enrol", code: "enrol-no-answer", facts: {} } }); return; }
    if (!response.ok) { this.set({ refusal: { about: "enrol", code: body.type, text: body.title, facts: body.facts ?? {} } }); return; }
    await this.vault.keepSeat(body.seat, body.room, body.number, pair, KIND);
    this.set({ stage: "starting", refusal: null });
    this.connect();
  }
  signIn(ticket, idNumber) {
    this.set({ refusal: null });
    this.wire.send({ type: "sign_in", ticket: ticket.replace(/\s+/g, ""), id_number: idNumber.replace(/\s+/g, "").toUpperCase() });
  }

  async receive(message) {
    if (message.type === "acknowledged") {
      const name = `${message.lease}/${message.seq}`;
      const answer = this.outbox.get(name);
      message = { ...message, value: answer?.value };
      this.outbox.delete(name);
      if (answer) await this.vault.settleAnswer(answer.sitting, message.lease, message.seq, message);
    }
    const was = this.state.stage;
    // This machine's standby was promoted: nothing it says counts, and the line is sought at the other address.
    if (message.type === "beacon" && (message.epoch ?? 1) < (this.state.beacon?.epoch ?? 1)) { this.wire.restart(); return; }
    this.state = { ...step(this.state, message, this.now()), waiting: this.outbox.size };
    switch (message.type) {
      case "welcome":
        if (this.held && this.state.stage === "sign-in") this.state = { ...this.state, stage: "starting" };
        if (this.held) this.wire.send({ type: "resume", sitting: this.held.sitting, lease: this.held.lease, token: this.held.token, paper: this.holding() });
        await this.offerJournals();
        break;
      case "refused": await this.refused(message); break;
      case "seated": await this.seated(message); break;
      case "phase": if (this.reconcile && running(this.state, this.now())) await this.sendAgainWhatDiffers(); break;
      case "sealed_paper":
      case "paper_key": await this.tryOpen(); break;
      // What was not acknowledged before the end goes after it, as late: kept for two people, not counted.
      case "collected": this.resend(); break;
      case "handed_in":
      case "voided": await this.forget(); break;
      case "journal_kept": await this.journalKept(message); break;
      case "moved":
      case "halted":
      case "replaced": if (!LEAVING.includes(was)) this.resend(); break;
      case "command": this.command(message); break;
      case "called": setTimeout(() => this.set({ called: false }), CALL_AGAIN_MS); break;
    }
    if (LEAVING.includes(this.state.stage) && this.outbox.size === 0) await this.leave();
    if (this.state.stage === "done" && this.held && this.outbox.size === 0) await this.forget();
    this.draw();
    this.sayDone();
  }
  // The sealed paper that this page has, so that it is not sent again: hash and nonce of its sealing.
  holding() {
    const { sealed, seated } = this.state;
    return sealed && seated?.sitting === this.held.sitting ? hexOfBytes(bytesOfBase64(sealed.hash)) + hexOfBytes(bytesOfBase64(sealed.nonce)) : null;
  }
  async refused({ about, code, seq, facts }) {
    if (about === "resume") {
      this.state = forgotten(this.state, { stage: LEAVING.includes(this.state.stage) ? this.state.stage : "sign-in" });
      await this.forget();
      await this.offerJournals();
    } else if (about === "journal") {
      this.state = { ...this.state, refusal: null };
      if (code === "journal-gap") { this.offerNext(facts.kept); return; }
      const refused = this.offers.shift();
      if (refused) await this.vault.refuseJournal(refused.head.sitting, refused.head.lease, code);
      this.offerNext(0);
    } else if (about === "answer" && ["retry", "answer-not-stored"].includes(code)) {
      this.state = { ...this.state, refusal: null };
      setTimeout(() => this.resend(), RETRY_MS);
    } else if (about === "answer") {
      for (const [name, answer] of [...this.outbox]) {
        if (answer.seq === seq && answer.lease === this.held?.lease) { this.outbox.delete(name); await this.vault.settleAnswer(answer.sitting, answer.lease, seq); }
      }
      this.state = { ...this.state, waiting: this.outbox.size };
    } else if (about === "hand_in" && code === "hand-in-differs") {
      this.wire.restart();        // the server says again what it has; what differs is sent again
    } else if (about === "hand_in" && code === "retry") {
      setTimeout(() => this.handIn(), RETRY_MS);
    }
  }
  async seated(message) {
    const again = this.held?.sitting === message.sitting;
    // What another candidate left stays sealed on the disk; an older lease's answers are given again under this one,
    // but for those of a paper that was replaced.
    for (const [name, answer] of [...this.outbox]) if (answer.sitting !== message.sitting) this.outbox.delete(name);
    await this.vault.forgetCandidate(message.sitting);
    await this.vault.beginJournal(message.sitting, message.lease, message.journal_key);
    const mine = [...this.outbox.values()].filter((a) => a.lease === message.lease).map((a) => a.seq + 1);
    this.nextSeq = Math.max(message.next_seq, ...mine);
    const samePaper = again && (this.held.paper ?? message.paper) === message.paper;
    const position = samePaper ? this.held.position ?? 1 : 1;
    this.held = { sitting: message.sitting, lease: message.lease, token: message.token, paper: message.paper, position };
    await this.vault.keepSitting(this.held);
    const older = [...this.outbox.values()].filter((a) => a.lease !== message.lease).sort((a, b) => a.lease - b.lease || a.seq - b.seq);
    for (const answer of older) {
      this.outbox.delete(`${answer.lease}/${answer.seq}`);
      await this.vault.settleAnswer(answer.sitting, answer.lease, answer.seq);
      if (samePaper) await this.store(answer.number, answer.value, answer.beacon, answer.elapsed_ms);
    }
    const answers = new Map(this.state.answers);
    for (const answer of this.outbox.values()) answers.set(answer.number, answer.value);
    this.state = { ...this.state, answers, current: position };
    this.resend();
    this.reconcile = true;        // once the phase runs, what is neither on the server nor on its way goes again
  }
  async sendAgainWhatDiffers() {
    this.reconcile = false;
    const onTheirWay = new Set([...this.outbox.values()].map((a) => a.number));
    for (const number of unsaved(this.state)) {
      if (!onTheirWay.has(number)) await this.answer(number, this.state.answers.get(number));
    }
  }
  async forget() { this.outbox.clear(); this.held = this.opening = null; await this.vault.forgetCandidate(); }
  async leave() { await this.forget(); this.state = forgotten(this.state, { stage: this.state.stage, ended: this.state.ended }); }
  resend() {
    const waiting = [...this.outbox.values()].sort((a, b) => a.lease - b.lease || a.seq - b.seq);
    for (const { sitting, ...answer } of waiting) this.wire.send({ type: "answer", ...answer });
  }
  async tryOpen() {
    const { sealed, key, paper } = this.state;
    if (!sealed || !key || key.paper !== sealed.id || paper?.id === sealed.id) return;
    try {
      const inside = await openPaper(sealed, key.key), opened = { ...inside, items: inside.items.map(whole) };
      this.state = { ...this.state, paper: opened, paperFault: false, current: Math.min(this.state.current, opened.items.length) };
      this.opening = this.evidence();
      this.wire.send({ type: "opened", paper: opened.id, items: opened.items.length });
    } catch {
      if (!this.state.paperFault) this.wire.send({ type: "call", reason: "machine", number: null, text: "" });
      this.state = { ...this.state, paperFault: true };
    }
  }

  // On disk before it is sent; shown as saved only when the server has acknowledged it.
  async answer(number, value) {
    if (!this.held || !running(this.state, this.now())) return;
    const { beacon, elapsed } = this.evidence();
    this.state = { ...this.state, answers: new Map(this.state.answers).set(number, value) };
    const kept = this.store(number, value, beacon, elapsed);
    this.set({ waiting: this.outbox.size });
    const { sitting, ...entry } = await kept;
    this.wire.send({ type: "answer", ...entry });
  }
  async store(number, value, beacon, elapsed_ms) {
    const kept = { sitting: this.held.sitting, lease: this.held.lease, seq: this.nextSeq++, number, value, beacon, elapsed_ms };
    this.outbox.set(`${kept.lease}/${kept.seq}`, kept);
    await this.vault.keepAnswer({ ...kept, opening: this.opening });
    return kept;
  }
  // The newest beacon and the monotonic milliseconds since it was heard.
  evidence() {
    const { beacon, beaconAt } = this.state;
    return { beacon, elapsed: beacon ? Math.max(0, Math.round(this.now() - beaconAt)) : 0 };
  }

  // Journals of candidates who are gone, which the centre has not all of: one after the other, frame by frame.
  async offerJournals() {
    if (this.offers.length) return;
    this.offers = await this.vault.copies({ mine: false });
    this.offerNext(0);
  }
  offerNext(first) { if (this.offers.length) this.wire.send(frameOf(this.offers[0], first)); }
  async journalKept({ sitting, lease, count }) {
    const { head, entries } = this.offers[0] ?? {};
    if (head?.sitting !== sitting || head.lease !== lease) return;
    if (count < entries.length) { this.offerNext(count); return; }
    await this.vault.settleJournal(sitting, lease);
    this.offers.shift();
    this.offerNext(0);
  }
  // Sealed: whoever carries the file can neither read nor change it.
  async exportJournals(all = false) {
    const copies = await this.vault.copies({ mine: true, all });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([fileOf(copies)], { type: "application/json" }));
    link.download = `journal-${this.vault.seat?.room ?? "x"}-${this.vault.seat?.number ?? "x"}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), RETRY_MS);
    this.set({ exported: copies.length });
  }
  showExport(exporting) { this.set({ exporting, exported: null }); }
  mark(number) {
    const marks = new Set(this.state.marks), on = !marks.has(number);
    if (on) marks.add(number); else marks.delete(number);
    this.set({ marks });
    this.wire.send({ type: "mark", number, on });
  }
  go(number) {
    if (!this.state.paper || number < 1 || number > this.state.paper.items.length) return;
    this.set({ current: number, refusal: null });
    if (this.held) { this.held = { ...this.held, position: number }; this.vault.keepSitting(this.held); }
  }
  // Every act is acknowledged: seen when it is here, done when its effect is on the screen and nothing is left to send.
  command({ id, kind }) {
    this.wire.send({ type: "heard", id, step: "seen" });
    if (kind !== "message") this.obeyed.push({ id, kind });
  }
  sayDone() {
    if (this.outbox.size && this.state.stage !== "seated") return;
    // A collection is ordered for many papers first and reaches each a moment later.
    const done = this.obeyed.filter(({ kind }) => kind !== "collect" || this.state.stage !== "seated");
    this.obeyed = this.obeyed.filter((one) => !done.includes(one));
    for (const { id } of done) this.wire?.send({ type: "heard", id, step: "done" });
  }
  report(number, fault, text) {
    if (!this.wire.open) { this.set({ refusal: { about: "call", code: "call-offline", facts: {} } }); return; }
    this.wire.send({ type: "call", reason: "item", number, fault, text });
    this.set({ reported: new Set(this.state.reported).add(number) });
  }
  call() {
    if (!this.wire.open) { this.set({ refusal: { about: "call", code: "call-offline", facts: {} } }); return; }
    this.wire.send({ type: "call", reason: "help", number: this.state.paper ? this.state.current : null, text: "" });
  }
  async handIn() {
    const refuse = (code, facts = {}) => this.set({ refusal: { about: "hand_in", code, facts }, handing: false });
    if (!this.wire.open) { refuse("hand-in-offline"); return; }
    if (this.outbox.size) { refuse("hand-in-waits-for-answers", { waiting: this.outbox.size }); this.resend(); return; }
    this.set({ handing: true, refusal: null });
    const { answers } = this.state;
    this.wire.send({ type: "hand_in", lease: this.held.lease, seq: this.nextSeq++, count: answeredCount(answers), digest: await answersDigest(answers) });
  }
  async nextCandidate() {
    this.state = forgotten(this.state, { stage: "sign-in", ended: null });
    this.resize(0);               // the next candidate sets his own
    this.contrast(false);
    this.draw();
    if (this.held) { await this.forget(); await this.offerJournals(); }
  }
  putAway(id) { this.wire.send({ type: "heard", id, step: "done" }); this.set({ notices: this.state.notices.filter((n) => n.id !== id) }); }
  time() { return legalNow(this.state, this.now()); }
}

const controller = new Controller(await Vault.open());
await controller.speak(document.documentElement.lang === "en" ? "en" : "zh");
await controller.start();
