// Figures of the cameras: alarms over time (uPlot), occupancy of each seat (a canvas), precision of each rule (a table).
import { h, render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { html, minuteText } from "/static/hall/words.mjs";

const HOURS = [1, 4, 12], AGAIN_MS = 15000, ROW = 16, LEFT = 64, BOTTOM = 24;
const root = document.getElementById("app"), page = { hours: 4, room: null, data: null, trouble: null };
const language = document.documentElement.lang === "en" ? "en" : "zh";
let texts = {};
const say = (code, facts = {}) => (texts[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

const load = async () => {
  const { hours } = page;
  try {
    const answer = await fetch(`/api/hall/cameras/plots?hours=${hours}`);
    if (answer.status === 401) { location.href = "/login?next=/hall/cameras"; return; }
    if (!answer.ok) throw new Error(String(answer.status));
    const data = await answer.json();
    if (hours !== page.hours) return;      // another span was chosen meanwhile; its own answer is on its way
    page.data = data;
    page.trouble = null;
    const rooms = roomsOf(page.data);
    if (!rooms.includes(page.room)) page.room = rooms[0] ?? null;
  } catch {
    if (hours !== page.hours) return;
    page.trouble = say("board-no-answer");
  }
  draw();
};
const roomsOf = (data) => [...new Set(data.seats.map((s) => s.room))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
const draw = () => render(h(View, {}), root);

const View = () => html`<header><h1>${say("plots-title")}</h1><div class="hours" role="group" aria-label=${say("plots-time")}>${HOURS.map((n) => html`<button key=${n} aria-pressed=${page.hours === n} onClick=${() => { page.hours = n; load(); }}>${say("plots-hours", { hours: n })}</button>`)}</div>
    <nav class="end" aria-label=${say("navigation")}><a class="button" href="/hall/wall">${say("wall-title")}</a><a class="button" href="/hall">${say("wall-board")}</a></nav></header>
  <main>${page.trouble && html`<p class="problem" role="alert">${page.trouble}</p>`}<p class="quiet">${say("plots-lead")}</p>
    ${page.data && html`<${Alarms} data=${page.data}/><${Timeline} data=${page.data}/><${Precision} data=${page.data}/>`}</main>`;

const Alarms = ({ data }) => {
  const at = useRef(null), plot = useRef(null);
  const xs = data.alarms.map((b) => Date.parse(b.start) / 1000), rang = data.alarms.map((b) => b.rang || null), silent = data.alarms.map((b) => b.silent || null);
  useEffect(() => {
    const bars = window.uPlot.paths.bars({ size: [0.4, 40], align: -1 }), others = window.uPlot.paths.bars({ size: [0.4, 40], align: 1 });
    const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    plot.current = new window.uPlot({
      width: at.current.clientWidth, height: 220, cursor: { drag: { x: false, y: false } },
      tzDate: (s) => window.uPlot.tzDate(new Date(s * 1000), "Asia/Shanghai"),
      scales: { x: { range: (_, first, last) => [first - 300, last + 900] }, y: { range: (_, __, most) => [0, Math.max(2, Math.ceil(most * 1.15))] } },
      axes: [{ ...axis, values: (_, times) => times.map((t) => minuteText(t * 1000)) }, { ...axis, incrs: [1, 2, 5, 10, 20, 50], label: say("plots-count"), labelSize: 22, size: 42 }],
      series: [{ label: say("plots-time"), value: (_, t) => (t == null ? "—" : minuteText(t * 1000)) },
        { label: say("plots-rang"), fill: colour("--bad"), stroke: colour("--bad"), paths: bars, points: { show: false } },
        { label: say("plots-silent"), fill: colour("--wash"), stroke: colour("--ink-3"), dash: [4, 3], paths: others, points: { show: false } }],
    }, [xs, rang, silent], at.current);
    const fit = new ResizeObserver(() => plot.current.setSize({ width: at.current.clientWidth, height: 220 }));
    fit.observe(at.current);
    return () => { fit.disconnect(); plot.current.destroy(); };
  }, []);
  useEffect(() => plot.current?.setData([xs, rang, silent]), [data]);
  return html`<section><h2>${say("plots-alarms")} <small>${say("plots-per-hour", { count: data.per_hour })}</small></h2>
    <div ref=${at} class="plot" role="img" aria-label=${`${say("plots-rang")} ${rang.reduce((a, b) => a + b, 0)}, ${say("plots-silent")} ${silent.reduce((a, b) => a + b, 0)}`}></div></section>`;
};

const STATES = ["occupied", "empty", "object", "crowded", "unknown"];
const HUE = { occupied: "--ok", empty: "--bad", object: "--warn", crowded: "--info", unknown: "--line" };
const Timeline = ({ data }) => {
  const at = useRef(null), rooms = roomsOf(data), start = Date.parse(data.start), end = Date.parse(data.end);
  const bySeat = new Map();
  for (const span of data.seats) if (span.room === page.room) { const key = `${span.seat} ${span.camera}`; bySeat.set(key, [...(bySeat.get(key) ?? []), span]); }
  const rows = [...bySeat].sort((a, b) => a[0].localeCompare(b[0], "en", { numeric: true }));
  useEffect(() => {
    const canvas = at.current;
    if (!canvas) return;
    const wide = canvas.parentElement.clientWidth, tall = rows.length * ROW + BOTTOM, fine = devicePixelRatio;
    canvas.width = wide * fine; canvas.height = tall * fine; canvas.style.height = `${tall}px`;
    const pen = canvas.getContext("2d");
    pen.scale(fine, fine);
    pen.font = `12px ${colour("--font")}`;
    const x = (t) => LEFT + ((t - start) / (end - start)) * (wide - LEFT - 8);
    rows.forEach(([, spans], row) => {
      pen.fillStyle = colour("--ink-2");
      pen.textAlign = "right";
      pen.fillText(spans[0].seat, LEFT - 8, row * ROW + 12);
      spans.forEach((span, n) => {
        const from = x(Math.max(start, Date.parse(span.since))), to = x(n + 1 < spans.length ? Date.parse(spans[n + 1].since) : end);
        pen.fillStyle = colour(HUE[span.state] ?? "--line");
        // Told by height as well as by colour: a taken seat is a full bar, an empty one a thin line.
        const part = { occupied: 12, crowded: 12, object: 7, empty: 3, unknown: 1 }[span.state] ?? 1;
        pen.fillRect(from, row * ROW + 2 + (12 - part), Math.max(1, to - from), part);
      });
    });
    pen.fillStyle = colour("--ink-2");
    pen.textAlign = "center";
    for (let n = 0; n <= 4; n++) pen.fillText(minuteText(start + ((end - start) * n) / 4), Math.min(wide - 20, Math.max(LEFT, x(start + ((end - start) * n) / 4))), tall - 6);
  }, [data, page.room]);
  return html`<section><h2>${say("plots-timeline", { room: page.room ?? "—" })}
      ${rooms.length > 1 && html`<span class="hours">${rooms.map((room) => html`<button key=${room} aria-pressed=${room === page.room} onClick=${() => { page.room = room; draw(); }}>${room}</button>`)}</span>`}</h2>
    ${rows.length ? html`<p class="key">${STATES.map((s) => html`<span key=${s} class=${s}><i></i>${say(`seat-state-${s}`)}</span>`)}<span class="quiet">${say("plots-timeline-note")}</span></p><div class="plot"><canvas ref=${at} role="img" aria-label=${say("plots-timeline", { room: page.room })}></canvas></div>` : html`<p class="quiet">${say("plots-timeline-none")}</p>`}</section>`;
};

const percent = (share) => `${Math.round(share * 100)}%`;
const Precision = ({ data }) => html`<section><h2>${say("plots-precision")}</h2>
  ${data.precision.length ? html`<table><thead><tr><th scope="col">${say("plots-rule")}</th><th scope="col">${say("plots-room")}</th><th scope="col" class="number">${say("plots-share")}</th><th scope="col">${say("plots-interval")}</th><th scope="col" class="number">${say("plots-waiting")}</th><th scope="col" class="number">${say("plots-rang")}</th></tr></thead>
    <tbody>${data.precision.map((one) => html`<tr key=${`${one.kind} ${one.room}`} class=${one.room === null ? "total" : ""}><th scope="row">${say(`board-kind-${one.kind}`)}</th><td>${one.room ?? say("plots-all-rooms")}</td>
      <td class="number">${one.decided ? `${one.confirmed}/${one.decided} · ${percent(one.confirmed / one.decided)}` : say("plots-none-decided")}</td>
      <td>${one.decided ? html`<svg class="band" viewBox="0 0 100 12" role="img" aria-label=${`${percent(one.low)}–${percent(one.high)}`}><rect class="rail" x="0" y="5" width="100" height="2"/><rect x=${one.low * 100} y="2" width=${Math.max(1, (one.high - one.low) * 100)} height="8"/><rect class="mark" x=${(one.confirmed / one.decided) * 100 - 1} y="0" width="2" height="12"/></svg> ${percent(one.low)}–${percent(one.high)}` : ""}</td>
      <td class="number">${one.waiting}</td><td class="number">${one.rang}</td></tr>`)}</tbody></table>` : html`<p class="quiet">${say("plots-none")}</p>`}</section>`;

texts = await (await fetch(`/hall/cameras/texts?lang=${language}`)).json();
document.title = say("plots-title");
// uPlot is a plain script with one global name, and a sheet of its own.
document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/vendor/uplot.css" }));
await new Promise((done, failed) => { const script = document.createElement("script"); script.src = "/static/vendor/uplot.js"; script.onload = done; script.onerror = failed; document.head.append(script); });
await load();
setInterval(load, AGAIN_MS);
