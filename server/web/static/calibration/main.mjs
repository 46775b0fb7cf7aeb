// Seat set-up of one camera: the empty room, a proposal from how the room filled, correction by mouse or keyboard, save.
import { h, render } from "preact";
import { useRef } from "preact/hooks";
import { Problem, dayText, html, minuteText } from "/static/hall/words.mjs";
import { changed, cornerMoved, headMoved, inOrder, moved, nextName, regionAt, removed, scaled, sure, withOcclusion, zoneBetween } from "./layout.mjs";

const STEP = 2, FAST = 12, GROW = 1.05, UNDO_MOST = 100, UNSURE = 0.5, ZONES_MOST = 20;
const NUMBERINGS = {
  find: null,
  rows: { by_row: true, from_near: true, snake: false }, "rows-snake": { by_row: true, from_near: true, snake: true },
  columns: { by_row: false, from_near: true, snake: false }, "columns-snake": { by_row: false, from_near: true, snake: true },
  far: { by_row: true, from_near: false, snake: false },
};
const language = document.documentElement.lang === "en" ? "en" : "zh";
const camera = decodeURIComponent(location.pathname.split("/").pop()), api = `/api/cameras/${encodeURIComponent(camera)}`;
const cookie = (name) => document.cookie.split("; ").find((c) => c.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
const root = document.getElementById("app");
const p = { setup: null, seats: [], zones: [], zoning: false, drawn: null, references: [], chosen: null, head: false, dirty: false, undo: [], busy: null, problem: null, said: "", picture: null, columns: "", count: 0, numbering: "find", light: "" };
let texts = {};
const say = (code, facts = {}) => (texts[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
const percent = (seat) => Math.round(seat.sureness * 100);
const draw = () => render(h(Page, {}), root);

const ask = async (path, body) => {
  try {
    const answer = await fetch(path, body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json", "x-csrftoken": cookie(document.documentElement.dataset.csrfCookie) }, body: JSON.stringify(body) });
    if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    const told = await answer.json();
    if (answer.ok) { p.problem = null; return told; }
    p.problem = { ...told, title: told.title ?? say("internal-error") };
  } catch { p.problem = { title: say("board-no-answer") }; }
  return null;
};
const busy = async (what, work) => { p.busy = what; p.said = ""; draw(); try { await work(); } finally { p.busy = null; draw(); } };

const load = async (keep) => {
  const setup = await ask(`${api}/setup`);
  if (!setup) return;
  p.setup = setup;
  p.count ||= setup.seats_of_room.length;
  if (!keep) { p.seats = inOrder(setup.seats); p.zones = setup.staff_zones; p.references = setup.references; p.dirty = false; p.undo = []; }
};
const picture = async () => {
  const answer = await fetch(`${api}/picture`).catch(() => null);
  if (!answer?.ok) { p.problem ??= answer ? await answer.json().catch(() => null) : { title: say("board-no-answer") }; return; }
  if (p.picture) URL.revokeObjectURL(p.picture);
  p.picture = URL.createObjectURL(await answer.blob());
};
// Every change can be taken back; a drag is one change.
const put = (seats, said = "", zones = p.zones) => { p.undo = [...p.undo, { seats: p.seats, zones: p.zones }].slice(-UNDO_MOST); p.seats = seats; p.zones = zones; p.dirty = true; p.said = said; draw(); };
const undo = () => { if (!p.undo.length) return; ({ seats: p.seats, zones: p.zones } = p.undo.at(-1)); p.undo = p.undo.slice(0, -1); p.dirty = true; draw(); };

const propose = () => busy("propose", async () => {
  const way = NUMBERINGS[p.numbering], columns = Number.parseInt(p.columns, 10) || null, own = p.setup.seats_of_room;
  const seats = p.count && p.count !== own.length ? Array.from({ length: p.count }, (_, n) => String(n + 1)) : own;
  const made = await ask(`${api}/proposal`, { seats, columns, numbering_known: way !== null && columns !== null, ...(way ?? {}) });
  if (!made) return;
  await Promise.all([picture(), load(true)]);
  if (!made.seats.length) { p.problem = { title: say("calibration-too-few") }; return; }
  // What a person drew or confirmed stays as it is.
  const mine = new Map(p.seats.filter((seat) => seat.basis === "drawn" && seat.sureness === 1).map((seat) => [seat.seat, seat]));
  const kept = made.seats.map((seat) => mine.get(seat.seat) ?? seat);
  put(inOrder([...kept, ...[...mine.values()].filter((seat) => !made.seats.some((one) => one.seat === seat.seat))]), say("calibration-proposed", { count: made.seats.length, percent: Math.round(made.order_sureness * 100), missing: made.unplaced.length, foreign: made.foreign }));
  p.columns ||= made.columns ?? "";
});
const take = () => busy("reference", async () => {
  const taken = await ask(`${api}/reference`, { light: p.light || say("calibration-light-default") });
  if (!taken) return;
  p.references = [...p.references.filter((one) => one.light !== taken.light), taken];
  p.dirty = true;
  p.said = say("calibration-taken");
  await load(true);
});
const save = () => busy("save", async () => {
  const { version, width, height } = p.setup, { seats, zones, references } = p;
  const told = await ask(`${api}/setup`, { base: version, width, height, staff_zones: zones, references, seats: withOcclusion(seats) });
  if (!told) return;
  // What was changed while it was on its way stays, and is still to be saved.
  await load(p.seats !== seats || p.zones !== zones || p.references !== references);
  p.said = say("calibration-saved", { version: told.version });
});
const add = () => {
  const { width, height } = p.setup, tall = p.seats.length ? p.seats.map((s) => s.head_px).sort((a, b) => a - b)[p.seats.length >> 1] : height / 16;
  const name = nextName(p.seats);
  p.chosen = name;
  put(inOrder([...p.seats, regionAt(name, width / 2, height / 2, tall)]));
};

const keys = (event) => {
  const seat = p.seats.find((one) => one.seat === p.chosen);
  if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo(); return; }
  if (!seat || event.ctrlKey || event.metaKey || event.altKey) return;
  const far = event.shiftKey ? FAST : STEP, size = p.setup;
  const move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
  const how = move ? (one) => (p.head ? headMoved : moved)(one, ...move, size) : { "+": (one) => scaled(one, GROW), "=": (one) => scaled(one, GROW), "-": (one) => scaled(one, 1 / GROW), Enter: sure }[event.key];
  if (how) { event.preventDefault(); put(changed(p.seats, seat.seat, how)); return; }
  if (event.key === "h") { p.head = !p.head; draw(); }
  if (event.key === "Delete") { event.preventDefault(); p.chosen = null; put(removed(p.seats, seat.seat)); }
};

const Page = () => {
  const { setup } = p;
  if (!setup) return html`<main class="page"><h1>${say("calibration-title")}</h1><${Problem} problem=${p.problem} say=${say}/></main>`;
  const standing = setup.version ? say("calibration-version", { version: setup.version, by: (setup.saved_by ?? "").replace(/^staff:/, ""), at: `${dayText(setup.saved_at, language)} ${minuteText(setup.saved_at)}` }) : say(setup.seats.length ? "calibration-version-settings" : "calibration-version-none");
  return html`<header><a href="/technician/cameras">${say("calibration-back")}</a><h1>${say("calibration-title")} <small>${say("calibration-camera", { room: setup.room, camera })}</small></h1><span class="quiet">${standing}</span></header>
    <main class="page"><p class="lead">${say("calibration-lead")}</p><${Problem} problem=${p.problem} say=${say}/><p role="status" class="said">${p.said || (p.dirty ? say("calibration-unsaved") : "")}</p>
      <div class="work"><${Picture}/><div class="side"><${Reference}/><${Proposing}/><${Correct}/><${Zones}/></div></div></main>`;
};

const Reference = () => html`<section><h2>${say("calibration-step-reference")}</h2>
  <div class="line"><label>${say("calibration-light")}<input value=${p.light} placeholder=${say("calibration-light-default")} maxlength="40" onInput=${(e) => { p.light = e.target.value; }}/></label>
    <button disabled=${p.busy !== null} onClick=${take}>${say(p.busy === "reference" ? "calibration-taking" : "calibration-take")}</button></div>
  ${p.references.length ? html`<ul aria-label=${say("calibration-references")}>${p.references.map((one) => html`<li key=${one.sha256}>${one.light} <span class="quiet">${dayText(one.taken_at, language)} ${minuteText(one.taken_at)}</span><button class="plain" onClick=${() => { p.references = p.references.filter((other) => other !== one); p.dirty = true; draw(); }}>${say("calibration-drop")}</button></li>`)}</ul>` : html`<p class="quiet">${say("calibration-references-none")}</p>`}
  ${p.setup.comparing && html`<p class="quiet">${say("calibration-comparing")}</p>`}</section>`;

const Proposing = () => html`<section><h2>${say("calibration-step-propose")}</h2>
  <p class="quiet">${say("calibration-known", { people: p.setup.people, pictures: p.setup.pictures, seated: p.setup.seated.length, seats: p.setup.seats_of_room.length })}</p>
  <div class="line"><label>${say("calibration-count")}<input type="number" min="1" max="400" value=${p.count || ""} onInput=${(e) => { p.count = Number.parseInt(e.target.value, 10) || 0; }}/></label>
    <label>${say("calibration-columns")}<input type="number" min="1" max="40" value=${p.columns} placeholder=${say("calibration-columns-unknown")} onInput=${(e) => { p.columns = e.target.value; }}/></label></div>
  <label>${say("calibration-numbering")}<select value=${p.numbering} onChange=${(e) => { p.numbering = e.target.value; draw(); }}>${Object.keys(NUMBERINGS).map((name) => html`<option key=${name} value=${name}>${say(`calibration-numbering-${name}`)}</option>`)}</select></label>
  <button class=${p.seats.length ? "" : "primary"} disabled=${p.busy !== null} onClick=${propose}>${say("calibration-propose")}</button></section>`;

const Correct = () => {
  const seat = p.seats.find((one) => one.seat === p.chosen);
  return html`<section><h2>${say("calibration-step-correct")}</h2>
    <div class="acts"><button onClick=${add}>${say("calibration-add")}</button>
      <button disabled=${!seat} onClick=${() => put(changed(p.seats, p.chosen, sure))}>${say("calibration-confirm")}</button>
      <button disabled=${!seat} onClick=${() => { const name = p.chosen; p.chosen = null; put(removed(p.seats, name)); }}>${say("calibration-remove")}</button>
      <button disabled=${!p.undo.length} onClick=${undo}>${say("calibration-undo")}</button>
      <button disabled=${!p.seats.some((one) => one.sureness < 1)} onClick=${() => put(p.seats.map(sure))}>${say("calibration-confirm-all")}</button></div>
    <p class="quiet">${say(p.head ? "calibration-moving-head" : "calibration-keys")}</p>
    <div class="acts"><button class="primary" disabled=${!p.dirty || p.busy !== null} onClick=${save}>${say("calibration-save")}</button>
      <button onClick=${() => busy("picture", picture)}>${say("calibration-refresh")}</button><a class="button" href=${`${api}/seats.toml`}>${say("calibration-file")}</a></div>
    <ul class="list" aria-label=${say("calibration-list")}>${p.seats.map((one) => html`<li key=${one.seat}><button aria-pressed=${one.seat === p.chosen} onKeyDown=${keys} onClick=${() => { p.chosen = one.seat; draw(); }}><b>${one.seat}</b><span>${say(`calibration-basis-${one.basis}`)}</span><span class=${`chip ${one.sureness < UNSURE ? "bad" : one.sureness < 0.8 ? "warn" : "ok"}`}>${percent(one)}%</span></button></li>`)}</ul></section>`;
};

// Where staff stand, nobody is an extra person: drawn as upright rectangles, one drag each.
const Zones = () => html`<section><h2>${say("calibration-zones")}</h2><p class="quiet">${say(p.zoning ? "calibration-zone-drag" : "calibration-zones-why")}</p>
  <div class="acts"><button aria-pressed=${p.zoning} disabled=${p.zones.length >= ZONES_MOST} onClick=${() => { p.zoning = !p.zoning; draw(); }}>${say("calibration-zone-add")}</button></div>
  <ul aria-label=${say("calibration-zones")}>${p.zones.map((zone, n) => html`<li key=${n}>${say("calibration-zone", { number: n + 1 })}<button class="plain" onClick=${() => put(p.seats, "", p.zones.filter((other) => other !== zone))}>${say("calibration-drop")}</button></li>`)}</ul></section>`;

// Dragging a seat moves it, its head point or one corner; positions are the picture's pixels whatever the screen's size.
const Picture = () => {
  const svg = useRef(null), drag = useRef(null), { width, height } = p.setup;
  const place = (event) => { const box = svg.current.getBoundingClientRect(); return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height]; };
  const begin = (name, what) => (event) => {
    event.preventDefault();
    event.stopPropagation();
    svg.current.setPointerCapture(event.pointerId);
    event.currentTarget.closest("g")?.focus?.();
    drag.current = { name, what, from: place(event), seats: p.seats, moved: false };
    p.chosen = name;
    draw();
  };
  const draft = (event) => {
    if (!p.zoning) return;
    event.preventDefault();
    event.stopPropagation();
    svg.current.setPointerCapture(event.pointerId);
    drag.current = { zone: true, from: place(event) };
  };
  const going = (event) => {
    const held = drag.current;
    if (!held) return;
    if (held.zone) { p.drawn = zoneBetween(held.from, place(event), p.setup); draw(); return; }
    const at = place(event), dx = at[0] - held.from[0], dy = at[1] - held.from[1];
    held.moved ||= Math.hypot(dx, dy) > 1;
    if (!held.moved) return;
    const how = held.what === "all" ? (s) => moved(s, dx, dy, p.setup) : held.what === "head" ? (s) => headMoved(s, dx, dy, p.setup) : (s) => cornerMoved(s, held.what, dx, dy, p.setup);
    p.seats = changed(held.seats, held.name, how);
    draw();
  };
  const end = () => {
    const held = drag.current;
    drag.current = null;
    if (held?.zone) {
      const zone = p.drawn;
      p.drawn = null;
      if (zone) { p.zoning = false; put(p.seats, "", [...p.zones, zone]); }
      return;
    }
    if (!held?.moved) return;
    const now = p.seats;
    p.seats = held.seats;
    put(now);
  };
  return html`<div class="picture">${p.picture && html`<img src=${p.picture} alt="" draggable="false"/>`}
    <svg ref=${svg} viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" role="group" aria-label=${say("calibration-picture")} class=${p.zoning ? "zoning" : ""} onPointerDownCapture=${draft} onPointerMove=${going} onPointerUp=${end} onPointerCancel=${end}>
      ${[...p.zones, ...(p.drawn ? [p.drawn] : [])].map((zone, n) => html`<g key=${`zone-${n}`} class="zone"><polygon points=${zone.map((q) => q.join(",")).join(" ")}/><text x=${zone[0][0] + 8} y=${zone[0][1] + 24}>${say("calibration-zone", { number: n + 1 })}</text></g>`)}
      ${p.seats.map((seat) => {
        const on = seat.seat === p.chosen, level = seat.sureness < UNSURE ? "low" : seat.sureness < 0.8 ? "middle" : "high", tall = Math.max(5, seat.head_px / 5);
        return html`<g key=${seat.seat} data-seat=${seat.seat} tabindex="0" role="button" aria-pressed=${on} aria-label=${say("calibration-seat", { seat: seat.seat, percent: percent(seat) })} class=${`seat ${level} ${on ? "on" : ""}`} onKeyDown=${keys} onFocus=${() => { if (p.chosen !== seat.seat) { p.chosen = seat.seat; draw(); } }}>
          <polygon points=${seat.polygon.map((q) => q.join(",")).join(" ")} onPointerDown=${begin(seat.seat, "all")}/>
          <circle class="head" cx=${seat.head[0]} cy=${seat.head[1]} r=${tall} onPointerDown=${begin(seat.seat, "head")}/>
          ${on && seat.polygon.map((q, n) => html`<circle key=${n} class="corner" cx=${q[0]} cy=${q[1]} r=${tall} onPointerDown=${begin(seat.seat, n)}/>`)}
          <text x=${seat.head[0]} y=${seat.head[1] + seat.head_px * 1.2}>${seat.seat}</text></g>`; })}</svg></div>`;
};

texts = await (await fetch(`/hall/cameras/texts?lang=${language}`)).json();
document.title = `${say("calibration-title")} · ${camera}`;
addEventListener("beforeunload", (event) => { if (p.dirty) event.preventDefault(); });
await load();
await picture();
draw();
