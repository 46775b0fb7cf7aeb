// The camera wall: what is on the screen is asked for, pictures are drawn as they come, each says how old it is.
import { h, render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Sign, html, lasting, secondText } from "/static/hall/words.mjs";
import { START, condition, inOrder, legalNow, liveness, openAlerts, seatState, step, unpackPicture } from "./frames.mjs";

const FIRST_WAIT_MS = 500, MOST_WAIT_MS = 8000, REDRAW_MS = 1000, WIDTH = 480, LARGE = 960, OLD_S = 15;
const SHAPES = { occupied: "done", empty: "absent", object: "waiting", crowded: "call", unknown: "voided" };

class Wall {
  constructor(root) {
    this.root = root;
    this.state = START;
    this.first = "room";
    this.outlines = true;
    this.single = new URLSearchParams(location.search).get("camera");
    this.pictures = new Map();    // camera → { bitmap, at }
    this.drawers = new Map();     // camera → function that draws its newest picture
    this.visible = new Set();
    this.failures = 0;
  }
  now() { return performance.now(); }
  say(code, facts = {}) { return (this.texts[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? ""); }
  draw() { render(h(View, { wall: this, state: this.state, mono: this.now(), say: this.say.bind(this) }), this.root); }

  async start() {
    this.language = document.documentElement.lang === "en" ? "en" : "zh";
    const answer = await fetch(`/hall/cameras/texts?lang=${this.language}`);
    if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    this.texts = await answer.json();
    document.title = this.say("wall-title");
    this.watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) this.visible[entry.isIntersecting ? "add" : "delete"](entry.target.dataset.camera);
      this.ask();
    }, { rootMargin: "80px" });
    setInterval(() => this.draw(), REDRAW_MS);
    document.addEventListener("visibilitychange", () => this.ask());
    addEventListener("keydown", (event) => { if (event.key === "Escape" && this.single) this.enlarge(null); });
    this.connect();
    this.draw();
  }
  connect() {
    const socket = (this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/wall`));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const known = this.state.missed ? START : this.state;
      socket.send(JSON.stringify({ type: "watch", epoch: known.epoch, since: known.id }));
      this.asked = null;
      this.ask();
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      this.failures = 0;
      if (event.data instanceof ArrayBuffer) { this.show(event.data); return; }
      this.state = step(this.state, JSON.parse(event.data), this.now());
      if (this.state.missed) { this.state = { ...this.state, epoch: null }; socket.close(); }
      if (this.state.ended === "not-signed-in") location.href = "/login?next=/hall/wall";
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
  // Only what a person can see is asked for; a page in the background asks for nothing.
  ask() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const cameras = document.hidden ? [] : [...this.visible].sort().slice(0, 64);
    const message = JSON.stringify({ type: "screen", cameras, width: this.single ? LARGE : WIDTH });
    if (message !== this.asked) this.socket.send((this.asked = message));
  }
  async show(buffer) {
    const picture = unpackPicture(buffer);
    try {
      if (!picture) return;
      const bitmap = await createImageBitmap(new Blob([picture.jpeg], { type: "image/jpeg" }));
      const before = this.pictures.get(picture.camera);
      if (before && before.at > picture.at) { bitmap.close(); return; }
      before?.bitmap.close();
      this.pictures.set(picture.camera, { bitmap, at: picture.at });
      this.drawers.get(picture.camera)?.();
    } catch { /* a picture that cannot be read is followed by the next */ }
    finally { if (this.socket?.readyState === WebSocket.OPEN) this.socket.send('{"type":"seen"}'); }
  }
  enlarge(camera) {
    this.single = camera;
    history.replaceState(null, "", camera ? `/hall/wall?camera=${encodeURIComponent(camera)}` : "/hall/wall");
    this.draw();
    this.ask();
  }
}

const View = (p) => {
  const { wall, state, say, mono } = p;
  const alive = liveness(state, mono), all = inOrder(state, wall.first), shown = wall.single ? all.filter((c) => c.id === wall.single) : all;
  const bad = all.filter((c) => condition(state, c) === "bad").length;
  return html`<div class=${`wall ${alive}`}>
    <header><h1>${say("wall-title")}</h1>
      <span class=${`liveness ${alive}`} role="status"><${Sign} of=${alive === "offline" ? "offline" : alive}/>${alive === "live" ? say("wall-live") : say(`wall-${alive}`, { time: lasting(mono - state.heard, say) })}</span>
      <span class="quiet">${say("wall-count", { good: all.length - bad, count: all.length })}</span>
      <nav class="end" aria-label=${say("navigation")}>
        ${wall.single ? html`<button onClick=${() => wall.enlarge(null)}>${say("wall-all")}</button>`
          : html`<button aria-pressed=${wall.first === "worst"} onClick=${() => { wall.first = wall.first === "worst" ? "room" : "worst"; wall.draw(); }}>${say("wall-worst-first")}</button>`}
        <button aria-pressed=${wall.outlines} onClick=${() => { wall.outlines = !wall.outlines; wall.draw(); }}>${say("wall-outlines")}</button>
        <a class="button" href="/hall/cameras">${say("wall-plots")}</a><a class="button" href="/hall">${say("wall-board")}</a></nav></header>
    ${all.length === 0 && html`<p class="none">${say(state.line === "connecting" ? "wall-waiting" : "wall-none")}</p>`}
    <main class=${`tiles ${wall.single ? "single" : ""}`}>${shown.map((camera) => html`<${Tile} key=${camera.id} ...${p} camera=${camera}/>`)}</main>
    <${Legend} say=${say}/></div>`;
};

const Tile = (p) => {
  const { wall, state, say, camera, mono } = p;
  const canvas = useRef(null), frame = useRef(null);
  const health = state.health.get(camera.id), held = wall.pictures.get(camera.id), alerts = openAlerts(state, camera.room);
  const paint = () => {
    const picture = wall.pictures.get(camera.id), at = canvas.current;
    if (!picture || !at) return;
    if (at.width !== picture.bitmap.width) { at.width = picture.bitmap.width; at.height = picture.bitmap.height; }
    at.getContext("2d").drawImage(picture.bitmap, 0, 0);
    at.dataset.at = picture.at;
  };
  useEffect(() => {
    wall.drawers.set(camera.id, paint);
    wall.watcher.observe(frame.current);
    paint();
    const mine = frame.current;
    return () => { wall.watcher.unobserve(mine); wall.visible.delete(camera.id); wall.drawers.delete(camera.id); wall.ask(); };
  }, [camera.id]);
  const age = held ? Math.max(0, (legalNow(state, mono) - held.at) / 1000) : null;
  const is = condition(state, camera), counts = {};
  for (const seat of camera.seats) { const s = seatState(state, camera, seat.seat); counts[s] = (counts[s] ?? 0) + 1; }
  const words = Object.entries(counts).map(([s, count]) => say("wall-seats-in", { state: say(`seat-state-${s}`), count })).join(say("board-comma"));
  return html`<article ref=${frame} data-camera=${camera.id} class=${`tile ${is}`} aria-label=${say("wall-camera", { room: camera.room, camera: camera.id })}>
    <h2><button class="plain" title=${say("wall-enlarge")} onClick=${() => wall.enlarge(wall.single ? null : camera.id)}>${say("board-room", { room: camera.room })} <small>${camera.id}</small></button>
      ${!health || !health.online ? html`<span class="chip bad">${say("camera-fault-lost")}</span>` : health.faults.map((f) => html`<span class="chip bad" key=${f}>${say(`camera-fault-${f}`)}</span>`)}
      ${alerts.length > 0 && html`<a class="chip bad" href="/hall">${say("wall-alerts", { count: alerts.length })}</a>`}
      <span class=${`age ${age !== null && age > OLD_S * state.rate ? "old" : ""}`}>${held ? `${secondText(held.at)} · ${say("wall-ago", { time: lasting(age * 1000, say) })}` : say(camera.pictures ? "wall-no-picture" : "wall-picture-not-shown")}</span></h2>
    <div class="frame"><canvas ref=${canvas} width="480" height="270" role="img" aria-label=${words || say("wall-no-seats")}></canvas>
      ${wall.outlines && html`<svg viewBox=${`0 0 ${camera.width || 16} ${camera.height || 9}`} preserveAspectRatio="none" aria-hidden="true">${camera.seats.map((seat) => {
        const s = seatState(state, camera, seat.seat), xs = seat.polygon.map((q) => q[0]), top = Math.min(...seat.polygon.map((q) => q[1]));
        return html`<g key=${seat.seat} class=${`seat ${s}`}><polygon points=${seat.polygon.map((q) => q.join(",")).join(" ")}/><text x=${(Math.min(...xs) + Math.max(...xs)) / 2} y=${top - 4}>${seat.seat}</text></g>`; })}</svg>`}</div>
    <p class="seats quiet">${words || say("wall-no-seats")}</p></article>`;
};

const Legend = ({ say }) => html`<footer class="legend">${Object.entries(SHAPES).map(([s, sign]) => html`<span key=${s} class=${`k ${s}`}><i></i><${Sign} of=${sign}/>${say(`seat-state-${s}`)}</span>`)}<span class="quiet">${say("wall-note")}</span></footer>`;

const wall = new Wall(document.getElementById("app"));
await wall.start();
