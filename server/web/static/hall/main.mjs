// The invigilator board: joins state (what is known), the socket (live), the API (acts) and view (screen).
import { h, render } from "preact";
import { START, legalNow, pendingAlerts, proposed, step } from "./state.mjs";
import { Board } from "./view.mjs";

const FIRST_WAIT_MS = 500, MOST_WAIT_MS = 8000, REDRAW_MS = 500, CALLS_EVERY_MS = 1500;
const LEADING = ["chief", "deputy"];
const ACTING = [...LEADING, "invigilator"];
const LOOKING = [...LEADING, "quality", "supervisor"];         // as server/web/hall/scope.py

const cookie = (name) => document.cookie.split("; ").find((c) => c.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";

class Controller {
  constructor(root) {
    this.root = root;
    this.state = START;
    this.slots = null;
    this.slot = new URLSearchParams(location.search).get("slot");
    this.dialog = null;              // what is open over the board: { kind, …facts }
    this.calls = [];
    this.evidence = new Map();       // alert key → findings as last fetched
    this.failures = 0;
  }
  now() { return performance.now(); }
  legal() { return legalNow(this.state, this.now()); }
  say(code, facts = {}) { return (this.texts[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? ""); }
  has(code) { return code in this.texts; }
  leads() { return LEADING.some((role) => this.me.roles.includes(role)); }
  chief() { return this.me.roles.includes("chief"); }
  mayAct(room) { return this.leads() || (this.me.roles.includes("invigilator") && (this.me.scope === null || this.me.scope === room)); }
  seesPeople(room) { return this.me.roles.some((role) => LOOKING.includes(role)) || (this.me.roles.includes("invigilator") && (this.me.scope === null || this.me.scope === room)); }
  acts() { return ACTING.some((role) => this.me.roles.includes(role)); }

  draw() {
    const { snapshot } = this.state;
    const waiting = snapshot ? pendingAlerts(snapshot).length + proposed(snapshot).length + this.calls.length : 0;
    document.title = (waiting ? `(${waiting}) ` : "") + this.say("board-title");
    render(h(Board, { state: this.state, mono: this.now(), act: this, say: this.say.bind(this), language: this.language }), this.root);
  }
  open(dialog) { this.dialog = dialog; this.draw(); }
  close() { this.dialog = null; this.draw(); }

  async start() {
    this.language = document.documentElement.lang === "en" ? "en" : "zh";
    const get = async (path) => { const answer = await fetch(path); if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`; return answer.json(); };
    [this.texts, this.me, this.slots] = await Promise.all([get(`/hall/texts?lang=${this.language}`), get("/api/me"), get("/api/hall/slots")]);
    if (!this.slot) {
      const open = this.slots.filter((slot) => !slot.outcome && slot.subject === "theory");
      if (open.length === 1) this.slot = open[0].id;
    }
    setInterval(() => this.draw(), REDRAW_MS);
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || this.dialog || !this.state.snapshot || !this.acts() || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
      event.preventDefault();
      this.open({ kind: "check-in" });
    });
    setInterval(() => this.fetchCalls(), CALLS_EVERY_MS);
    if (this.slot) this.connect();
    this.draw();
  }
  choose(slot) {
    history.replaceState(null, "", `/hall?slot=${slot}`);
    this.slot = slot;
    this.state = START;
    this.connect();
    this.draw();
  }

  connect() {
    const socket = (this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/hall`));
    socket.onopen = () => {
      const known = this.state.missed ? null : this.state.snapshot;
      socket.send(JSON.stringify({ type: "watch", slot: this.slot, epoch: known?.epoch ?? null, since: known?.id ?? null }));
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      this.failures = 0;
      this.state = step(this.state, JSON.parse(event.data), this.now());
      if (this.state.missed) socket.close();     // what is shown stays, marked as not live, until a fresh snapshot comes
      if (this.state.ended === "not-signed-in") location.href = "/login?next=/hall";
      this.draw();
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.state = { ...this.state, line: "lost" };
      this.draw();
      const bound = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.failures++, 8));
      if (!this.state.ended) setTimeout(() => this.connect(), bound * (0.25 + 0.75 * Math.random()));
    };
  }

  // Calls carry words that the socket does not: they are fetched while any seat calls.
  async fetchCalls() {
    const calling = this.state.snapshot?.seats.some((seat) => seat.calls > 0);
    if (!calling) { if (this.calls.length) { this.calls = []; this.draw(); } return; }
    try {
      const answer = await fetch(`/api/hall/slots/${this.slot}/calls`);
      if (answer.ok) { this.calls = await answer.json(); this.draw(); }
    } catch { /* the board says itself that it is not live */ }
  }
  async fetchEvidence(alert) {
    if (!this.seesPeople(alert.room)) return;
    const known = this.evidence.get(alert.key), stamp = `${alert.anomalies}/${alert.state}`;
    if (known?.stamp === stamp) return;
    this.evidence.set(alert.key, { ...known, stamp });
    try {
      const answer = await fetch(`/api/hall/alerts/${encodeURIComponent(alert.key)}`);
      if (answer.ok) { this.evidence.set(alert.key, { stamp, ...(await answer.json()) }); this.draw(); }
    } catch { this.evidence.delete(alert.key); }
  }

  // One act over HTTP; null when it was done, else the server's refusal { title, type, article, facts }.
  async act(path, body = {}, method = "POST") {
    try {
      const answer = await fetch(path, { method, headers: { "content-type": "application/json", "x-csrftoken": cookie(document.documentElement.dataset.csrfCookie) }, body: method === "DELETE" ? undefined : JSON.stringify(body) });
      if (answer.ok) { this.answered = answer.status === 204 ? null : await answer.json().catch(() => null); return null; }
      const refusal = await answer.json().catch(() => ({}));
      return { ...refusal, title: refusal.title ?? this.say("internal-error") };
    } catch { return { title: this.say("board-no-answer") }; }
  }
  sittingAct(sitting, verb, body) { return this.act(`/api/hall/sittings/${sitting}/${verb}`, body); }
  slotAct(verb, body) { return this.act(`/api/hall/slots/${this.slot}/${verb}`, body); }
  async otherLanguage() {
    document.cookie = `gongyuan-language=${this.language === "en" ? "zh" : "en"}; path=/; samesite=strict${location.protocol === "https:" ? "; secure" : ""}`;
    location.reload();
  }
}

const controller = new Controller(document.getElementById("app"));
await controller.start();
