// What needs a person now: calls, camera alerts (leads, never verdicts), findings that wait for a second person.
import { useEffect, useState } from "preact/hooks";
import { legalNow, pendingAlerts, proposed, settledAlerts, unreported } from "./state.mjs";
import { Problem, Sign, html, lasting, minuteText } from "./words.mjs";

const BUDGET_MS = 3600 * 1000, SETTLED_SHOWN = 6;

export const Feed = (p) => {
  const { state, say, act, mono } = p;
  const alerts = pendingAlerts(state.snapshot), open = proposed(state.snapshot), urgent = unreported(state.snapshot), settled = settledAlerts(state.snapshot);
  const now = legalNow(state, mono);
  const rang = state.snapshot.alerts.filter((a) => a.rings && now - Date.parse(a.opened_at) < BUDGET_MS).length;
  const confirmed = state.snapshot.alerts.filter((a) => a.state === "confirmed").length, decided = confirmed + state.snapshot.alerts.filter((a) => a.state === "dismissed").length;
  const waiting = alerts.length + open.length + act.calls.length + urgent.length;
  return html`<aside class="feed" aria-label=${say("board-feed")}><h2><span role="status">${say("board-feed-count", { count: waiting })}</span>
      <small>${say("board-feed-hour", { rang })}${decided > 0 && ` · ${say("board-feed-precision", { confirmed, decided })}`}</small></h2>
    ${waiting === 0 && html`<p class="quiet">${say("board-feed-empty")}</p>`}
    ${reported(act.calls).map((calls) => html`<p key=${`item-${calls[0].id}`} class="al c"><b>${reports(calls, say)}</b>${act.leads() && html` <a href="/results">${say("board-decide")}</a>`}</p>`)}
    ${act.calls.map((call) => html`<${Call} key=${call.id} ...${p} call=${call}/>`)}
    ${urgent.map((one) => html`<${Urgent} key=${one.id} ...${p} incident=${one}/>`)}
    ${open.map((one) => html`<${Finding} key=${one.id} ...${p} incident=${one}/>`)}
    ${alerts.map((alert) => html`<${AlertCard} key=${alert.key} ...${p} alert=${alert}/>`)}
    ${settled.length > 0 && html`<h3>${say("board-feed-settled")}</h3>`}
    ${settled.slice(0, SETTLED_SHOWN).map((alert) => html`<div key=${alert.key} class="al past"><p><b>${subject(alert, say)}</b> · ${say(`board-kind-${alert.kind}`)} <span class="quiet">${say(`alert-state-${alert.state}`)} ${minuteText(alert.last_at)}</span></p>${alert.picture && html`<button class="plain" onClick=${() => act.open({ kind: "picture", key: alert.key })}>${say("board-look")}</button>`}</div>`)}
  </aside>`;
};

// Which questions were reported, the most reported first: by the question itself, wherever it stands on the papers.
const reported = (calls) => {
  const groups = new Map();
  for (const call of calls) if (call.reason === "item" && call.number) {
    const key = call.item ?? `number-${call.number}`;
    groups.set(key, [...(groups.get(key) ?? []), call]);
  }
  return [...groups.values()].sort((a, b) => b.length - a.length || a[0].number - b[0].number);
};

const reports = (calls, say) => {
  const [{ item, number }] = calls, count = calls.length;
  if (count === 1) return say("board-reports", { number, count });
  if (!item) return say("board-reports-number", { number, count });
  const places = calls.map((c) => say("board-report-place", { room: c.room, seat: c.seat, number: c.number })).join(say("board-comma"));
  return say("board-reports-item", { count, places });
};

export const subject = (alert, say) => {
  if (alert.about.startsWith("camera:")) return say("board-about-camera", { room: alert.room, camera: alert.about.slice(7) });
  return alert.about ? say("board-seat", { room: alert.room, seat: alert.about }) : say("board-room", { room: alert.room });
};

const useAct = () => {
  const [problem, setProblem] = useState(null), [busy, setBusy] = useState(false);
  const run = async (promise) => { setBusy(true); setProblem(await promise); setBusy(false); };
  return { problem, busy, run };
};

const person = (actor) => actor.replace(/^staff:/, "");
const ACTIVE_S = 60;      // an older sign of the machine says nothing about an empty seat
const NUMBERS = ["structure", "visible", "motion", "faces", "face_score", "kiosk_active_s", "strays", "walking_staff", "pictures"];

// The evidence in grey: numbers with their names, then the rule that judged them and its version.
const reasons = (evidence, say, act) => (evidence?.findings ?? []).slice(-1).map((finding) => {
  const told = (name) => name in finding.facts && (name !== "kiosk_active_s" || finding.facts[name] <= ACTIVE_S);
  const facts = NUMBERS.filter(told).map((name) => {
    const value = finding.facts[name];
    return say(`board-fact-${name}`, { value: typeof value !== "number" ? value : Number.isInteger(value) ? value : name.endsWith("_s") ? Math.round(value) : value.toFixed(2) });
  });
  if (finding.facts.fault) facts.unshift(act.has(`camera-fault-${finding.facts.fault}`) ? say(`camera-fault-${finding.facts.fault}`) : finding.facts.fault);
  return html`<p class="why">${facts.join(" · ")}${facts.length > 0 && "\u3000"}${say("board-rule", { rule: finding.kind.replaceAll("_", "-"), version: finding.rule_version, score: finding.score.toFixed(2) })}</p>`;
});

// How often people found something behind this rule in this room; nothing while too few were decided.
const checked = (evidence, say) => evidence?.checked && html`<p class="why">${say("board-checked", evidence.checked)}</p>`;

const AlertCard = (p) => {
  const { state, alert, say, act, mono } = p;
  const { problem, busy, run } = useAct();
  useEffect(() => { act.fetchEvidence(alert); }, [alert.key, alert.anomalies, alert.state]);
  const end = alert.ended_at ? Date.parse(alert.ended_at) : legalNow(state, mono);
  const second = alert.state === "awaiting_second", mine = second && person(alert.first_by ?? "") === act.me.username;
  const picture = `/api/hall/alerts/${encodeURIComponent(alert.key)}/picture`;
  const decide = (verb) => run(act.act(`/api/hall/alerts/${encodeURIComponent(alert.key)}`, { act: verb, note: "" }));
  return html`<article class=${`al ${alert.rings && !second ? "" : "w"}`}>
    ${alert.picture && act.seesPeople(alert.room) && html`<button class="pic" onClick=${() => act.open({ kind: "picture", key: alert.key })} aria-label=${say("board-look")}><img src=${picture} alt=${say("board-picture-of", { subject: subject(alert, say) })} loading="lazy"/></button>`}
    <p><b>${subject(alert, say)} · ${say(`board-kind-${alert.kind}`)} ${lasting(end - Date.parse(alert.opened_at), say)}</b>${alert.ended_at && html` <span class="quiet">${say("board-alert-over", { time: minuteText(alert.ended_at) })}</span>`}</p>
    ${!act.seesPeople(alert.room) && html`<p class="why">${say("board-findings-kept")}</p>`}
    ${reasons(act.evidence.get(alert.key), say, act)}
    ${checked(act.evidence.get(alert.key), say)}
    ${second && html`<p class="why">${mine ? say("board-second-other") : say("board-second-you", { person: person(alert.first_by) })}</p>`}
    ${!alert.rings && alert.state === "open" && html`<p class="why">${say("board-over-budget")}</p>`}
    <${Problem} problem=${problem} say=${say}/>
    ${act.mayAct(alert.room) && html`<div class="act"><button class="primary" disabled=${busy || mine} onClick=${() => decide("confirm")}>${say(second ? "board-confirm-second" : "board-confirm")}</button>
      <button disabled=${busy} onClick=${() => decide("dismiss")}>${say(second ? "board-not-so" : "board-dismiss")}</button>
      ${/^\d+$/.test(alert.about) && html`<button onClick=${() => { const seat = state.snapshot.seats.find((s) => s.room === alert.room && String(s.seat) === alert.about); if (seat) act.open({ kind: "seat", sitting: seat.sitting, alert: alert.key }); }}>${say("board-open-seat")}</button>`}</div>`}
  </article>`;
};

const Call = ({ call, say, act, state, mono }) => {
  const { problem, busy, run } = useAct();
  const reason = call.reason === "item" ? say("board-call-report") : act.has(`board-call-${call.reason}`) ? say(`board-call-${call.reason}`) : call.reason;
  return html`<article class="al c"><p><span class="inline"><${Sign} of="call"/></span><b>${say("board-seat", { room: call.room, seat: call.seat })} · ${reason}</b> ${lasting(legalNow(state, mono) - Date.parse(call.at), say)}</p>
    ${(call.number || call.text) && html`<p class="why">${call.number ? say("board-call-item", { number: call.number }) : ""} ${call.fault ? say(`board-fault-${call.fault}`) : ""} ${call.text}</p>`}
    <${Problem} problem=${problem} say=${say}/>
    ${act.mayAct(call.room) && html`<div class="act"><button class="primary" disabled=${busy} onClick=${() => run(act.act(`/api/hall/slots/${act.slot}/calls/${call.id}`, {}, "DELETE").then((no) => { if (!no) act.calls = act.calls.filter((c) => c.id !== call.id); return no; }))}>${say("board-call-done")}</button>
      <button onClick=${() => act.open({ kind: "seat", sitting: call.sitting })}>${say("board-open-seat")}</button></div>`}</article>`;
};

const place = (incident, state, say) => {
  const seat = state.snapshot.seats.find((s) => s.sitting === incident.sitting);
  return seat ? `${say("board-seat", { room: seat.room, seat: seat.seat })} ${seat.name}` : incident.room ? say("board-room", { room: incident.room }) : say("board-whole-hall");
};

// Words about a candidate of a room that the reader does not answer for are not sent.
const words = (incident, say) => incident.note || (incident.sitting ? say("board-findings-kept") : "");

const Finding = ({ incident, state, say, act }) => {
  const { problem, busy, run } = useAct();
  const [reason, setReason] = useState("");
  const mine = person(incident.recorded_by) === act.me.username;
  const may = !mine && (incident.room === null ? act.acts() : act.mayAct(incident.room));
  const settle = (event) => run(act.act(`/api/hall/incidents/${incident.id}/settle`, { event, reason }));
  return html`<article class="al"><p><b>${place(incident, state, say)} · ${say(`board-incident-${incident.kind}`)}</b></p><p>${words(incident, say)}</p>
    <p class="why">${say("board-recorded-by", { person: person(incident.recorded_by), time: minuteText(incident.recorded_at) })} · ${say(mine ? "board-second-other" : "board-second-needed")}</p>
    ${may && html`<label class="reason">${say("board-reason")}<input value=${reason} onInput=${(e) => setReason(e.target.value)}/></label>`}
    <${Problem} problem=${problem} say=${say}/>
    ${may && html`<div class="act">${act.leads() && html`<button class="primary" disabled=${busy || !reason.trim()} onClick=${() => settle("confirm")}>${say("board-confirm-second")}</button>`}<button disabled=${busy || !reason.trim()} onClick=${() => settle("dismiss")}>${say("board-not-so")}</button></div>`}</article>`;
};

const Urgent = ({ incident, state, say, act }) => {
  const { problem, busy, run } = useAct();
  const [told, setTold] = useState("");
  return html`<article class="al"><p><b>${place(incident, state, say)} · ${say(`board-incident-${incident.kind}`)}</b></p><p>${words(incident, say)}</p>
    <p class="why">${say(`board-report-${incident.report_to}`)}</p>
    ${act.leads() && html`<label class="reason">${say("board-told")}<input value=${told} onInput=${(e) => setTold(e.target.value)}/></label>`}<${Problem} problem=${problem} say=${say}/>
    ${act.leads() && html`<div class="act"><button class="primary" disabled=${busy || !told.trim()} onClick=${() => run(act.act(`/api/hall/incidents/${incident.id}/report`, { told, receipt: "" }))}>${say("board-reported")}</button></div>`}</article>`;
};
