// Seat set-up of one camera: the empty room, a proposal from how the room filled, correction by mouse or keyboard, save.
import { h, render } from "preact";
import { useRef } from "preact/hooks";
import { Problem, dayText, html, minuteText } from "/static/hall/words.mjs";
import { boxed, changed, cornerMoved, headMoved, inOrder, middle, moved, nextName, regionAt, removed, scaled, sides, sure, withOcclusion, zoneBetween, zoneCornerMoved, zoneMoved, zoneScaled } from "./layout.mjs";

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
const p = { setup: null, seats: [], zones: [], references: [], chosen: null, zone: null, part: "all", aim: null, first: null, drawn: null, dirty: false, undo: [], busy: null, problem: null, said: "", picture: null, columns: "", count: 0, numbering: "find", light: "" };
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
const put = (seats, said = null, zones = p.zones) => { p.undo = [...p.undo, { seats: p.seats, zones: p.zones }].slice(-UNDO_MOST); p.seats = seats; p.zones = zones; p.dirty = true; p.said = said ?? where(); draw(); };
const undo = () => { if (!p.undo.length) return; ({ seats: p.seats, zones: p.zones } = p.undo.at(-1)); p.undo = p.undo.slice(0, -1); p.dirty = true; p.said = say("calibration-undone"); draw(); };

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

// One seat or one staff zone is chosen at a time; drag, keys, buttons and clicks all change what is chosen.
const chosenSeat = () => p.seats.find((one) => one.seat === p.chosen), chosenZone = () => (p.zone === null ? undefined : p.zones[p.zone]);
const corners = () => chosenSeat()?.polygon ?? chosenZone() ?? [];
// The part that moves: all of it, a seat's head point, or the corner of that number.
const part = () => (p.part === "head" && chosenSeat()) || corners()[p.part] ? p.part : "all";
const numbers = (points) => { const [left, top, right, bottom] = sides(points).map(Math.round); return { left, top, width: right - left, height: bottom - top }; };
const whereSeat = (seat) => say("calibration-seat-at", { seat: seat.seat, x: Math.round(seat.head[0]), y: Math.round(seat.head[1]), ...numbers(seat.polygon) });
const whereZone = (zone, n) => say("calibration-zone-at", { number: n + 1, ...numbers(zone) });
const where = () => { const seat = chosenSeat(), zone = chosenZone(); return seat ? whereSeat(seat) : zone ? whereZone(zone, p.zone) : ""; };
const choose = (seat, zone = null) => { if (p.chosen === seat && p.zone === zone) return; p.chosen = seat; p.zone = zone; if (p.part !== "head") p.part = "all"; p.said = where(); draw(); };
const focusOn = (selector) => root.querySelector(selector)?.focus();
const seatShape = (seat) => `g[data-seat="${CSS.escape(seat)}"]`, zoneShape = (n) => `g[data-zone="${n}"]`;
const seatBy = (what, dx, dy) => (seat) => (what === "all" ? moved(seat, dx, dy, p.setup) : what === "head" ? headMoved(seat, dx, dy, p.setup) : cornerMoved(seat, what, dx, dy, p.setup));
const zoneBy = (what, dx, dy) => (zone) => (what === "all" ? zoneMoved(zone, dx, dy, p.setup) : zoneCornerMoved(zone, what, dx, dy, p.setup));
const reshaped = (ofSeat, ofZone) => ({ seats: changed(p.seats, p.chosen, ofSeat), zones: p.zones.map((zone, n) => (n === p.zone ? ofZone(zone) : zone)) });
const keep = ({ seats, zones }) => put(seats, null, zones);
const nudge = (dx, dy) => keep(reshaped(seatBy(part(), dx, dy), zoneBy(part(), dx, dy)));
const resize = (factor) => keep(reshaped((seat) => scaled(seat, factor), (zone) => zoneScaled(zone, factor, p.setup)));
const add = () => {
  const { width, height } = p.setup, tall = p.seats.length ? p.seats.map((s) => s.head_px).sort((a, b) => a - b)[p.seats.length >> 1] : height / 16;
  const name = nextName(p.seats);
  p.chosen = name;
  p.zone = null;
  keep({ seats: inOrder([...p.seats, regionAt(name, width / 2, height / 2, tall)]), zones: p.zones });
  focusOn(seatShape(name));
};
const addZone = (zone) => {
  p.chosen = null;
  p.zone = p.zones.length;
  keep({ seats: p.seats, zones: [...p.zones, zone] });
  focusOn(zoneShape(p.zone));
};
// Takes out what is chosen. Who pressed a key goes on at its neighbour; who pressed a button finds "undo".
const remove = (byKey) => {
  const seat = chosenSeat(), zone = p.zone, at = p.seats.indexOf(seat), rest = seat ? removed(p.seats, seat.seat) : p.seats, zones = p.zones.filter((_, n) => n !== zone);
  const beside = seat ? rest[Math.min(at, rest.length - 1)]?.seat : Math.min(zone, zones.length - 1);
  p.chosen = p.zone = p.aim = p.first = p.drawn = null;
  put(rest, seat ? say("calibration-removed", { seat: seat.seat }) : say("calibration-zone-removed", { number: zone + 1 }), zones);
  if (!byKey) { focusOn("[data-undo]"); return; }
  if (seat) p.chosen = beside ?? null; else p.zone = beside < 0 ? null : beside;
  p.said = `${p.said} ${where()}`;
  draw();
  focusOn(p.chosen !== null ? seatShape(p.chosen) : p.zone !== null ? zoneShape(p.zone) : ".picture svg");
};

// What the next clicks on the picture do: "put" the chosen part there, give its "box" by two corners, or draw a new "zone" by two corners.
const aimAt = (what) => { p.aim = p.aim === what ? null : what; p.first = p.drawn = null; p.said = p.aim ? say(`calibration-aim-${p.aim}`) : ""; draw(); };
const putAt = ([x, y]) => {
  const [ax, ay] = typeof part() === "number" ? corners()[part()] : (chosenSeat()?.head ?? middle(chosenZone()));
  p.aim = null;
  nudge(x - ax, y - ay);
};
const cornersGiven = (from, to) => {
  const box = zoneBetween(from, to, p.setup);
  p.drawn = null;
  if (!box) {
    p.said = say(p.first ? "calibration-corners-near" : "calibration-first-corner", { x: Math.round(from[0]), y: Math.round(from[1]) });
    p.first ??= from;
    draw();
    return;
  }
  const zone = p.aim === "zone";
  p.aim = p.first = null;
  if (zone) addZone(box);
  else keep(reshaped((seat) => boxed(seat, box), () => box));
};

const keys = (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo(); return; }
  const seat = chosenSeat();
  if (!(seat || chosenZone()) || event.ctrlKey || event.metaKey || event.altKey) return;
  const far = event.shiftKey ? FAST : STEP, move = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
  const how = move ? () => nudge(...move) : {
    "+": () => resize(GROW), "=": () => resize(GROW), "-": () => resize(1 / GROW), Delete: () => remove(true),
    h: seat && (() => turn(part() === "head" ? "all" : "head")), c: () => turn(typeof part() !== "number" ? 0 : part() + 1 < corners().length ? part() + 1 : "all"),
    Enter: seat && (() => put(changed(p.seats, seat.seat, sure), say("calibration-confirmed", { seat: seat.seat }))),
  }[event.key];
  if (how) { event.preventDefault(); how(); }
};
const partName = (what) => say(typeof what === "number" ? "calibration-part-corner" : `calibration-part-${what}`, { number: what + 1 });
const turn = (what) => { p.part = what; p.said = say("calibration-moving", { part: partName(what) }); draw(); };

const Page = () => {
  const { setup } = p;
  if (!setup) return html`<main class="page"><h1>${say("calibration-title")}</h1><${Problem} problem=${p.problem} say=${say}/></main>`;
  const standing = setup.version ? say("calibration-version", { version: setup.version, by: (setup.saved_by ?? "").replace(/^staff:/, ""), at: `${dayText(setup.saved_at, language)} ${minuteText(setup.saved_at)}` }) : say(setup.seats.length ? "calibration-version-settings" : "calibration-version-none");
  return html`<header><a href="/technician/cameras">${say("calibration-back")}</a><h1>${say("calibration-title")} <small>${say("calibration-camera", { room: setup.room, camera })}</small></h1><span class="quiet">${standing}${p.dirty && ` · ${say("calibration-unsaved")}`}</span></header>
    <main class="page"><p class="lead">${say("calibration-lead")}</p><${Problem} problem=${p.problem} say=${say}/>
      <div class="work"><div class="view"><${Picture}/><p role="status" class="said">${p.said}</p></div><div class="side"><${Reference}/><${Proposing}/><${Correct}/><${Zones}/></div></div></main>`;
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

// The same as by dragging, for who uses single clicks or no mouse at all.
const Adjust = () => {
  const seat = chosenSeat(), none = !seat && !chosenZone(), parts = ["all", ...(seat ? ["head"] : []), ...corners().keys()];
  const what = none ? say("calibration-adjust-none") : say("calibration-adjust", { what: seat ? say("calibration-seat-name", { seat: seat.seat }) : say("calibration-zone", { number: p.zone + 1 }) });
  const steps = [["left", "←", () => nudge(-STEP, 0)], ["up", "↑", () => nudge(0, -STEP)], ["down", "↓", () => nudge(0, STEP)], ["right", "→", () => nudge(STEP, 0)], ["smaller", "−", () => resize(1 / GROW)], ["larger", "+", () => resize(GROW)]];
  return html`<fieldset class="adjust" disabled=${none}><legend>${what}</legend>
    <label>${say("calibration-part")}<select value=${String(part())} onChange=${(e) => { const value = e.target.value; turn(/^\d+$/.test(value) ? Number(value) : value); }}>${parts.map((one) => html`<option key=${one} value=${String(one)}>${partName(one)}</option>`)}</select></label>
    <div class="acts steps">${steps.map(([name, sign, act]) => html`<button key=${name} aria-label=${say(`calibration-step-${name}`)} title=${say(`calibration-step-${name}`)} onClick=${act}>${sign}</button>`)}</div>
    <div class="acts">${["put", "box"].map((one) => html`<button key=${one} aria-pressed=${p.aim === one} onClick=${() => aimAt(one)}>${say(`calibration-${one}`)}</button>`)}</div></fieldset>`;
};

const Correct = () => {
  const seat = chosenSeat();
  return html`<section><h2>${say("calibration-step-correct")}</h2>
    <div class="acts"><button onClick=${add}>${say("calibration-add")}</button>
      <button disabled=${!seat} onClick=${() => put(changed(p.seats, p.chosen, sure), say("calibration-confirmed", { seat: p.chosen }))}>${say("calibration-confirm")}</button>
      <button disabled=${!seat} onClick=${() => remove(false)}>${say("calibration-remove")}</button>
      <button data-undo disabled=${!p.undo.length} onClick=${undo}>${say("calibration-undo")}</button>
      <button disabled=${!p.seats.some((one) => one.sureness < 1)} onClick=${() => put(p.seats.map(sure))}>${say("calibration-confirm-all")}</button></div>
    <p class="quiet">${say("calibration-keys")}</p>
    <${Adjust}/>
    <div class="acts"><button class="primary" disabled=${!p.dirty || p.busy !== null} onClick=${save}>${say("calibration-save")}</button>
      <button onClick=${() => busy("picture", picture)}>${say("calibration-refresh")}</button><a class="button" href=${`${api}/seats.toml`}>${say("calibration-file")}</a></div>
    <ul class="list" aria-label=${say("calibration-list")}>${p.seats.map((one) => html`<li key=${one.seat}><button aria-pressed=${one.seat === p.chosen} onKeyDown=${keys} onFocus=${() => choose(one.seat)} onClick=${() => choose(one.seat)}><b>${one.seat}</b><span>${say(`calibration-basis-${one.basis}`)}</span><span class=${`chip ${one.sureness < UNSURE ? "bad" : one.sureness < 0.8 ? "warn" : "ok"}`}>${percent(one)}%</span></button></li>`)}</ul></section>`;
};

// Where staff stand, nobody is an extra person: upright rectangles, by one drag, by two clicks, or put in the middle and moved by keys.
const Zones = () => {
  const full = p.zones.length >= ZONES_MOST, { width, height } = p.setup;
  return html`<section><h2>${say("calibration-zones")}</h2><p class="quiet">${say(p.aim === "zone" ? "calibration-aim-zone" : "calibration-zones-why")}</p>
  <div class="acts"><button aria-pressed=${p.aim === "zone"} disabled=${full} onClick=${() => aimAt("zone")}>${say("calibration-zone-add")}</button>
    <button disabled=${full} onClick=${() => addZone(zoneBetween([width * 0.4, height * 0.4], [width * 0.6, height * 0.6], p.setup))}>${say("calibration-zone-middle")}</button></div>
  <ul class="zones" aria-label=${say("calibration-zones")}>${p.zones.map((zone, n) => html`<li key=${n}><button aria-pressed=${n === p.zone} onKeyDown=${keys} onFocus=${() => choose(null, n)} onClick=${() => choose(null, n)}>${whereZone(zone, n)}</button><button class="plain" aria-label=${say("calibration-zone-drop", { number: n + 1 })} onClick=${() => { p.zone = n; p.chosen = null; remove(false); }}>${say("calibration-drop")}</button></li>`)}</ul></section>`;
};

// Dragging a seat or a zone moves it, its head point or one corner; positions are the picture's pixels whatever the screen's size.
const points = (polygon) => polygon.map((q) => q.join(",")).join(" ");
const Picture = () => {
  const svg = useRef(null), drag = useRef(null), { width, height } = p.setup;
  const place = (event) => { const box = svg.current.getBoundingClientRect(); return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height]; };
  const begin = (seat, zone, what) => (event) => {
    event.preventDefault();
    event.stopPropagation();
    svg.current.setPointerCapture(event.pointerId);
    event.currentTarget.closest("g")?.focus?.();
    drag.current = { what, from: place(event), seats: p.seats, zones: p.zones, moved: false };
    choose(seat, zone);
  };
  const aimed = (event) => {
    if (!p.aim) return;
    event.preventDefault();
    event.stopPropagation();
    svg.current.setPointerCapture(event.pointerId);
    drag.current = { aim: p.aim, from: p.first ?? place(event) };
  };
  const going = (event) => {
    const held = drag.current;
    if (p.aim && p.aim !== "put" && (held || p.first)) { p.drawn = zoneBetween(held?.from ?? p.first, place(event), p.setup); draw(); return; }
    if (!held || held.aim) return;
    const at = place(event), dx = at[0] - held.from[0], dy = at[1] - held.from[1];
    held.moved ||= Math.hypot(dx, dy) > 1;
    if (!held.moved) return;
    Object.assign(p, { seats: held.seats, zones: held.zones });
    Object.assign(p, reshaped(seatBy(held.what, dx, dy), zoneBy(held.what, dx, dy)));
    draw();
  };
  // A click counts when it is let go: what was pressed by mistake is taken back by Escape or by leaving the picture's page.
  const end = (event) => {
    const held = drag.current;
    drag.current = null;
    if (held?.aim) {
      if (event.type === "pointercancel") { p.drawn = null; draw(); } else if (held.aim === p.aim) { if (p.aim === "put") putAt(place(event)); else cornersGiven(held.from, place(event)); }
      return;
    }
    if (!held?.moved) return;
    const { seats, zones } = p;
    Object.assign(p, { seats: held.seats, zones: held.zones });
    keep({ seats, zones });
  };
  return html`<div class="picture">${p.picture && html`<img src=${p.picture} alt="" draggable="false"/>`}
    <svg ref=${svg} tabindex="-1" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" role="group" aria-label=${say("calibration-picture")} class=${p.aim ? "aiming" : ""} onPointerDownCapture=${aimed} onPointerMove=${going} onPointerUp=${end} onPointerCancel=${end}>
      ${p.zones.map((zone, n) => html`<g key=${`zone-${n}`} data-zone=${n} tabindex="0" role="button" aria-pressed=${n === p.zone} aria-label=${say("calibration-zone", { number: n + 1 })} class=${`zone ${n === p.zone ? "on" : ""}`} onKeyDown=${keys} onFocus=${() => choose(null, n)}>
        <polygon points=${points(zone)} onPointerDown=${begin(null, n, "all")}/>
        ${n === p.zone && zone.map((q, at) => html`<circle key=${at} class=${`corner ${at === part() ? "now" : ""}`} cx=${q[0]} cy=${q[1]} r=${Math.max(6, height / 80)} onPointerDown=${begin(null, n, at)}/>`)}
        <text x=${zone[0][0] + 8} y=${zone[0][1] + 24}>${say("calibration-zone", { number: n + 1 })}</text></g>`)}
      ${p.seats.map((seat) => {
        const on = seat.seat === p.chosen, level = seat.sureness < UNSURE ? "low" : seat.sureness < 0.8 ? "middle" : "high", tall = Math.max(5, seat.head_px / 5);
        return html`<g key=${seat.seat} data-seat=${seat.seat} tabindex="0" role="button" aria-pressed=${on} aria-label=${say("calibration-seat", { seat: seat.seat, percent: percent(seat) })} class=${`seat ${level} ${on ? "on" : ""}`} onKeyDown=${keys} onFocus=${() => choose(seat.seat)}>
          <polygon points=${points(seat.polygon)} onPointerDown=${begin(seat.seat, null, "all")}/>
          <circle class=${`head ${on && part() === "head" ? "now" : ""}`} cx=${seat.head[0]} cy=${seat.head[1]} r=${tall} onPointerDown=${begin(seat.seat, null, "head")}/>
          ${on && seat.polygon.map((q, n) => html`<circle key=${n} class=${`corner ${n === part() ? "now" : ""}`} cx=${q[0]} cy=${q[1]} r=${tall} onPointerDown=${begin(seat.seat, null, n)}/>`)}
          <text x=${seat.head[0]} y=${seat.head[1] + seat.head_px * 1.2}>${seat.seat}</text></g>`; })}
      ${p.drawn && html`<polygon class="draft" points=${points(p.drawn)}/>`}${p.first && html`<circle class="draft" cx=${p.first[0]} cy=${p.first[1]} r=${Math.max(6, height / 80)}/>`}</svg></div>`;
};

texts = await (await fetch(`/hall/cameras/texts?lang=${language}`)).json();
document.title = `${say("calibration-title")} · ${camera}`;
addEventListener("keydown", (event) => { if (event.key === "Escape" && p.aim) { aimAt(p.aim); p.said = say("calibration-aim-left"); draw(); } });
addEventListener("beforeunload", (event) => { if (p.dirty) event.preventDefault(); });
await load();
await picture();
draw();
