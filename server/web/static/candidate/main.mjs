// The candidate page: joins brain (decides), wire (socket), vault (disk) and view (screen).
import { h, render } from "preact";
import { START, step, running } from "./brain.mjs";
import { Vault, openPaper } from "./vault.mjs";
import { Wire, answersDigest, answeredCount } from "./wire.mjs";
import { Page } from "./view.mjs";

const RETRY_MS = 1000, REDRAW_MS = 250;

class Controller {
  constructor(texts, vault) { this.texts = texts; this.vault = vault; this.state = START; this.outbox = new Map(); this.nextSeq = 1; this.root = document.getElementById("app"); }
  say(code, facts = {}) { return (this.texts[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? ""); }
  set(change) { this.state = { ...this.state, ...change }; this.draw(); }
  draw() { render(h(Page, { state: this.state, mono: performance.now(), say: this.say.bind(this), act: this }), this.root); }

  async start() {
    for (const answer of await this.vault.answers()) this.outbox.set(`${answer.lease}/${answer.seq}`, answer);
    this.held = await this.vault.sitting();
    if (this.vault.seat) this.connect(); else this.set({ stage: "enrol" });
    setInterval(() => this.draw(), REDRAW_MS);
    this.draw();
  }
  connect() {
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/candidate`;
    this.wire = new Wire(url, { id: this.vault.seat.id, sign: (bytes) => this.vault.sign(bytes) }, {
      message: (message) => this.receive(message), waiting: () => this.outbox.size,
      state: (line) => this.set({ line }), otherTab: () => this.set({ line: "other-tab" }),
      refusedSeat: async () => { this.wire.stop(); await this.vault.forgetSeat(); this.set({ stage: "enrol" }); },
    });
    this.wire.start();
  }
  async enrol(code) {
    const { pair, publicHex } = await this.vault.newSeatKey();
    const response = await fetch("/api/seats/enrol", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ code, public_key: publicHex, kind: "browser" }) });
    const body = await response.json();
    if (!response.ok) { this.set({ refusal: { about: "enrol", code: body.type, facts: body.facts ?? {} } }); return; }
    await this.vault.keepSeat(body.seat, body.room, body.number, pair);
    this.set({ stage: "starting", refusal: null });
    this.connect();
  }
  signIn(ticket, idNumber) { this.set({ refusal: null }); this.wire.send({ type: "sign_in", ticket: ticket.trim(), id_number: idNumber.trim() }); }

  async receive(message) {
    const mono = performance.now();
    if (message.type === "acknowledged") {
      const name = `${message.lease}/${message.seq}`;
      message = { ...message, value: this.outbox.get(name)?.value };
      this.outbox.delete(name);
      await this.vault.dropAnswer(message.lease, message.seq);
    }
    this.state = { ...step(this.state, message, mono), waiting: this.outbox.size };
    if (message.type === "welcome" && this.held) this.wire.send({ type: "resume", sitting: this.held.sitting, lease: this.held.lease, token: this.held.token });
    if (message.type === "refused" && message.about === "resume") { this.held = null; this.state = { ...this.state, refusal: null, stage: "sign-in" }; }
    if (message.type === "refused" && message.about === "answer") this.refusedAnswer(message);
    if (message.type === "refused" && message.about === "hand_in" && message.code === "hand-in-differs") this.resend();
    if (message.type === "seated") await this.seated(message);
    if (message.type === "sealed_paper" || message.type === "paper_key") await this.tryOpen();
    if (["handed_in", "collected", "voided"].includes(message.type)) { this.outbox.clear(); this.held = null; await this.vault.forgetCandidate(); }
    if (["moved", "replaced"].includes(message.type)) { await this.leave(); }
    this.draw();
  }
  async seated(message) {
    const same = this.held?.sitting === message.sitting;
    if (!same) { for (const [name, answer] of this.outbox) if (answer.sitting !== message.sitting) { this.outbox.delete(name); await this.vault.dropAnswer(answer.lease, answer.seq); } }
    const mine = [...this.outbox.values()].filter((a) => a.lease === message.lease).map((a) => a.seq + 1);
    this.nextSeq = Math.max(message.next_seq, ...mine);
    const position = same ? this.held.position ?? 1 : 1;
    this.held = { sitting: message.sitting, lease: message.lease, token: message.token, position };
    await this.vault.keepSitting(this.held);
    const answers = new Map(this.state.answers);
    for (const answer of this.outbox.values()) answers.set(answer.number, answer.value);
    this.state = { ...this.state, answers, current: position };
    this.resend();
  }
  async leave() { setTimeout(async () => { this.outbox.clear(); this.held = null; await this.vault.forgetCandidate(); this.set({ seated: null, paper: null, sealed: null, key: null, answers: new Map(), saved: new Map() }); }, 2 * RETRY_MS); }
  refusedAnswer(message) {
    if (["retry", "answer-not-stored"].includes(message.code)) { setTimeout(() => this.resend(), RETRY_MS); return; }
    const found = [...this.outbox].find(([, answer]) => answer.seq === message.seq);
    if (found) { this.outbox.delete(found[0]); this.vault.dropAnswer(found[1].lease, found[1].seq); this.state = { ...this.state, waiting: this.outbox.size }; }
  }
  resend() { for (const { sitting, ...answer } of [...this.outbox.values()].sort((a, b) => a.lease - b.lease || a.seq - b.seq)) this.wire.send({ type: "answer", ...answer }); }
  async tryOpen() {
    const { sealed, key, paper } = this.state;
    if (!sealed || !key || key.paper !== sealed.id || paper?.id === sealed.id) return;
    try { this.state = { ...this.state, paper: await openPaper(sealed, key.key), paperFault: false }; }
    catch { this.state = { ...this.state, paperFault: true }; }
  }
  // On disk before it is sent; shown as saved only when the server has acknowledged it.
  async answer(number, value) {
    if (!running(this.state, performance.now())) return;
    const answers = new Map(this.state.answers).set(number, value);
    const beacon = this.state.beacon;
    const elapsed = beacon ? Math.max(0, Math.round(performance.now() - this.state.beaconAt)) : 0;
    const entry = { lease: this.held.lease, seq: this.nextSeq++, number, value, beacon, elapsed_ms: elapsed };
    this.outbox.set(`${entry.lease}/${entry.seq}`, { ...entry, sitting: this.held.sitting });
    this.set({ answers, waiting: this.outbox.size });
    await this.vault.keepAnswer({ ...entry, sitting: this.held.sitting });
    this.wire.send({ type: "answer", ...entry });
  }
  mark(number) { const on = !this.state.marks.has(number); const marks = new Set(this.state.marks); if (on) marks.add(number); else marks.delete(number); this.set({ marks }); this.wire.send({ type: "mark", number, on }); }
  go(number) { if (!this.state.paper || number < 1 || number > this.state.paper.items.length) return; this.set({ current: number }); if (this.held) { this.held = { ...this.held, position: number }; this.vault.keepSitting(this.held); } }
  call() { this.wire.send({ type: "call", reason: "help", number: this.state.paper ? this.state.current : null, text: "" }); }
  async handIn() {
    if (!this.wire.open) { this.set({ refusal: { about: "hand_in", code: "hand-in-offline", facts: {} } }); return; }
    if (this.outbox.size) { this.set({ refusal: { about: "hand_in", code: "hand-in-waits-for-answers", facts: { waiting: this.outbox.size } } }); this.resend(); return; }
    this.set({ handing: true, refusal: null });
    this.wire.send({ type: "hand_in", lease: this.held.lease, seq: this.nextSeq++, count: answeredCount(this.state.answers), digest: await answersDigest(this.state.answers) });
  }
  nextCandidate() { this.set({ stage: "sign-in", seated: null, ended: null, phase: null, paper: null, sealed: null, key: null, answers: new Map(), saved: new Map(), marks: new Set(), current: 1, refusal: null, notices: [] }); }
  putAway(id) { this.set({ notices: this.state.notices.filter((n) => n.id !== id) }); }
  forgetRefusal() { this.set({ refusal: null }); }
}

const language = document.documentElement.lang === "en" ? "en" : "zh";
const texts = await (await fetch(`/exam/texts?lang=${language}`)).json();
const controller = new Controller(texts, await Vault.open());
await controller.start();
