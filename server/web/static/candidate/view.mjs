// What the candidate sees, in the manner of the drawn screens: one question large, what is saved said in words.
import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import htm from "htm";
import { isAnswered, isSaved, legalNow, mayHandIn, msUntil, running } from "./brain.mjs";

const html = htm.bind(h);
const ZONE = { timeZone: "Asia/Shanghai", hour12: false, hour: "2-digit", minute: "2-digit" };
const clockText = (iso) => new Date(iso).toLocaleTimeString("zh-CN", ZONE);
const span = (ms) => { const s = Math.max(0, Math.ceil(ms / 1000)); return `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`; };
const words = (ms, say) => { const s = Math.max(0, Math.ceil(ms / 1000)); return s >= 60 ? say("minutes-seconds", { minutes: Math.floor(s / 60), seconds: s % 60 }) : say("only-seconds", { seconds: s }); };
const Tick = () => html`<svg viewBox="0 0 20 20" width="18" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true"><circle cx="10" cy="10" r="8"/><path d="m6 10 3 3 5-6"/></svg>`;
const Bang = () => html`<svg viewBox="0 0 20 20" width="18" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true"><path d="M10 2 19 18H1Z"/><path d="M10 8v5M10 15v1"/></svg>`;

export const Page = (p) => {
  const { state, say } = p;
  if (state.line === "other-tab") return html`<${Card} title=${say("other-tab-title")}><p>${say("other-tab")}</p></${Card}>`;
  switch (state.stage) {
    case "enrol": return html`<${Enrol} ...${p}/>`;
    case "sign-in": return html`<${SignIn} ...${p}/>`;
    case "seated": return state.paper && state.phase && state.phase.kind !== "waiting" ? html`<${Exam} ...${p}/>` : html`<${Waiting} ...${p}/>`;
    case "done": return html`<${Done} ...${p}/>`;
    case "moved": return html`<${Card} title=${say("moved-title")}><p>${state.ended ? say("moved-to", { room: state.ended.room, seat: state.ended.number }) : say("moved-elsewhere")}</p></${Card}>`;
    case "voided": return html`<${Card} title=${say("voided-title")}><p>${say("voided")}</p></${Card}>`;
    default: return html`<${Card} title=${say("candidate-title")}><p role="status">${say(state.line === "lost" ? "line-lost" : "line-connecting")}</p></${Card}>`;
  }
};

const Card = ({ title, children }) => html`<main class="lone"><section class="card"><h1>${title}</h1>${children}</section></main>`;

const Problem = ({ refusal, say }) => refusal && html`<p class="problem" role="alert"><${Bang}/> ${say(refusal.code, refusal.facts)}</p>`;

const Enrol = ({ state, say, act }) => {
  const [code, setCode] = useState("");
  return html`<${Card} title=${say("enrol-title")}><p>${say("enrol-lead")}</p>
    <form class="lines" onSubmit=${(e) => { e.preventDefault(); act.enrol(code); }}>
      <label for="code">${say("enrol-code")}</label><input id="code" autocomplete="off" autofocus value=${code} onInput=${(e) => setCode(e.target.value)} required/>
      <${Problem} refusal=${state.refusal} say=${say}/><button class="primary">${say("enrol-act")}</button></form></${Card}>`;
};

const SignIn = ({ state, say, act }) => {
  const [ticket, setTicket] = useState(""), [idNumber, setIdNumber] = useState("");
  return html`<${Card} title=${say("sign-in-title")}>
    <p class="seatline">${say("seat-line", { room: state.seat?.room ?? "", seat: state.seat?.number ?? "" })} <span class="chip">${say(state.line === "open" ? "line-open" : "line-lost")}</span></p>
    <p>${say("sign-in-lead")}</p>
    <form class="lines" onSubmit=${(e) => { e.preventDefault(); act.signIn(ticket, idNumber); }}>
      <label for="ticket">${say("ticket")}</label><input id="ticket" inputmode="numeric" autocomplete="off" autofocus value=${ticket} onInput=${(e) => setTicket(e.target.value)} required/>
      <label for="id-number">${say("id-number")}</label><input id="id-number" autocomplete="off" value=${idNumber} onInput=${(e) => setIdNumber(e.target.value)} required/>
      <${Problem} refusal=${state.refusal} say=${say}/><button class="primary" disabled=${state.line !== "open"}>${say("sign-in-act")}</button></form>
    <details><summary>${say("privacy-title")}</summary><p>${say("privacy")}</p></details></${Card}>`;
};

const Waiting = ({ state, mono, say }) => {
  const { seated, sealed, phase } = state;
  const left = msUntil(state, phase?.end ?? seated.planned_start, mono);
  return html`<main class="lone"><section class="card wide"><h1>${seated.title}</h1>
    <p class="seatline">${say("candidate-line", { name: seated.candidate, ticket: seated.ticket })} · ${say("seat-line", { room: state.seat.room, seat: state.seat.number })}</p>
    <div class="countdown" role="timer"><b>${left === null || left <= 0 ? say("bell-soon") : span(left)}</b><small>${say("planned-start", { time: clockText(seated.planned_start), minutes: seated.minutes })}</small></div>
    <h2>${say("rules-title")}</h2><ol class="rules">${["rule-sit", "rule-hand-in", "rule-saved", "rule-end", "rule-call"].map((code) => html`<li>${say(code)}</li>`)}</ol>
    <details open><summary>${say("privacy-title")}</summary><p>${say("privacy")}</p></details>
    <p class="sealed">${state.paperFault ? html`<span class="problem"><${Bang}/> ${say("paper-fault")}</span>` : sealed ? html`<${Tick}/> ${say("paper-sealed", { hash: sealed.id.slice(0, 8) })}` : say("paper-coming")}</p>
    <p role="status">${state.line === "open" ? "" : say("line-lost")}</p></section></main>`;
};

const SavedLine = ({ state, say }) => {
  const total = [...state.answers.keys()].filter((n) => isAnswered(state, n)).length;
  if (state.late.size) return html`<div class="saved bad"><${Bang}/>${say("saved-late", { count: state.late.size })}</div>`;
  if (state.line !== "open") return html`<div class="saved warn" role="status"><${Bang}/>${say("saved-offline", { waiting: state.waiting })}</div>`;
  if (state.waiting) return html`<div class="saved quiet">${say("saving", { waiting: state.waiting })}</div>`;
  return html`<div class="saved"><${Tick}/>${total ? say("saved-all", { count: total }) : say("saved-none")}</div>`;
};

const MINUTES_SAID = [30, 15, 5, 1];
const Spoken = ({ left, say }) => {
  const said = useRef(null), minutes = left === null ? null : Math.ceil(left / 60000);
  if (minutes !== null && MINUTES_SAID.includes(minutes)) said.current = minutes;
  return html`<div class="unseen" role="status" aria-live="polite">${said.current === null ? "" : say("minutes-left", { minutes: said.current })}</div>`;
};

const TYPES = { single: "type-single", multiple: "type-multiple", judge: "type-judge", fill: "type-fill" };
const SIZES = ["size-1", "size-2", "size-3"];

const Exam = (p) => {
  const { state, mono, say, act } = p;
  const { paper, phase, seated } = state;
  const item = paper.items[state.current - 1];
  const left = msUntil(state, phase.end, mono);
  const paused = phase.kind === "paused", live = running(state, mono);
  const [size, setSize] = useState(0);
  const [asking, setAsking] = useState(false);
  const whole = phase.end && phase.start ? Date.parse(phase.end) - Date.parse(phase.start) : null;
  const share = (iso) => (whole && iso ? `${Math.max(0, Math.min(100, (100 * (Date.parse(iso) - Date.parse(phase.start))) / whole))}%` : "0%");
  useEffect(() => {
    const key = (e) => {
      if (asking || e.ctrlKey || e.altKey || e.metaKey || ["INPUT", "TEXTAREA"].includes(e.target.tagName)) return;
      if (e.key === "ArrowRight" || e.key === "PageDown") act.go(state.current + 1);
      else if (e.key === "ArrowLeft" || e.key === "PageUp") act.go(state.current - 1);
      else if (/^[a-hA-H]$/.test(e.key)) { const option = item.options.find((o) => o.label === e.key.toUpperCase()); if (option) choose(p, item, option.label); }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });
  return html`<div class=${`exam ${SIZES[size]}`}>
    <header><h1>${seated.title}<small>${seated.plan}</small></h1>
      <div class="who"><span>${say("candidate-label")} <b>${seated.candidate}</b></span><span>${say("ticket")} <b>${seated.ticket}</b></span><span>${say("seat-label")} <b>${say("seat-line", { room: state.seat.room, seat: state.seat.number })}</b></span></div>
      <${SavedLine} ...${p}/>
      <div class="sizes"><button aria-label=${say("text-smaller")} disabled=${size === 0} onClick=${() => setSize(size - 1)}>A−</button><button aria-label=${say("text-larger")} disabled=${size === 2} onClick=${() => setSize(size + 1)}>A+</button></div>
      <div class="clock"><b role="timer" aria-live="off">${paused ? say("paused-short") : span(left ?? 0)}</b><small>${phase.end ? say("time-left", { end: clockText(phase.end) }) : say("paused-open")}</small></div></header>
    <div class="bar" aria-hidden="true"><i style=${{ width: whole && left !== null ? `${100 - (100 * Math.max(0, left)) / whole}%` : "0%" }}></i><u style=${{ left: share(phase.hand_in_opens) }}></u><u style=${{ left: share(phase.hand_in_closes) }}></u></div>
    <${Spoken} left=${live ? left : null} say=${say}/>
    <main><article class="card">
      <${Watermark} ...${p}/>
      <div class="no"><b>${say("question-number", { number: item.number })}</b><span class="chip">${say(TYPES[item.type])}</span><span class="chip">${say("points", { score: item.score })}</span>
        <span class="of">${say("questions-of", { count: paper.items.length })}</span></div>
      ${paused ? html`<p class="problem" role="alert">${say("paused")}</p>` : html`<${Question} key=${item.number} ...${p} item=${item} live=${live}/>`}
      <div class="foot"><button disabled=${state.current === 1} onClick=${() => act.go(state.current - 1)}>← ${say("previous")}</button>
        <button aria-pressed=${state.marks.has(item.number)} onClick=${() => act.mark(item.number)}>${say(state.marks.has(item.number) ? "unmark" : "mark")}</button><span class="sp"></span>
        <button class="primary" disabled=${state.current === paper.items.length} onClick=${() => act.go(state.current + 1)}>${say("next")} →</button></div>
      <p class="itemstate">${isAnswered(state, item.number) ? say(isSaved(state, item.number) ? "this-saved" : "this-sending") : say("this-open")}</p>
    </article></main>
    <${Side} ...${p} live=${live} ask=${() => setAsking(true)}/>
    ${asking && html`<${Confirm} ...${p} close=${() => setAsking(false)}/>`}
    ${state.notices.map((n) => html`<div class="notice-bar" role="alert"><p><b>${say("notice-from")}</b> ${n.text}</p><button onClick=${() => act.putAway(n.id)}>${say("notice-seen")}</button></div>`)}
  </div>`;
};

const Watermark = ({ state, mono }) => {
  const at = legalNow(state, mono), text = `${state.seated.ticket} ${at ? clockText(at) : ""}   `;
  return html`<div class="mark" aria-hidden="true">${text.repeat(14)}</div>`;
};

const choose = ({ state, act }, item, label) => {
  const now = state.answers.get(item.number) ?? [];
  if (item.type !== "multiple") act.answer(item.number, [label]);
  else act.answer(item.number, now.includes(label) ? now.filter((l) => l !== label) : [...now, label].sort());
};

const Question = (p) => {
  const { item, state, say, live } = p;
  const value = state.answers.get(item.number) ?? [];
  const stem = html`<div class="stem" id="stem" dangerouslySetInnerHTML=${{ __html: item.stem }}></div>`;
  if (item.type === "fill") return html`${stem}<${Blanks} ...${p} value=${value}/>`;
  const kind = item.type === "multiple" ? "checkbox" : "radio";
  return html`${stem}<fieldset class="options" aria-labelledby="stem" disabled=${!live}>${item.type === "multiple" && html`<p class="hint">${say("choose-several")}</p>`}
    ${item.options.map((o) => html`<label class=${`opt ${value.includes(o.label) ? "on" : ""}`}><input type=${kind} name=${`q${item.number}`} checked=${value.includes(o.label)} onChange=${() => choose(p, item, o.label)}/>
      <kbd>${item.type === "judge" ? say(o.label === "T" ? "judge-true-sign" : "judge-false-sign") : o.label}</kbd><span dangerouslySetInnerHTML=${{ __html: o.html }}></span></label>`)}</fieldset>`;
};

const WRITE_AFTER_MS = 700;
const Blanks = ({ item, value, say, act, live }) => {
  const [texts, setTexts] = useState(() => Array.from({ length: item.blanks }, (_, i) => value[i] ?? ""));
  const timer = useRef(null), latest = useRef(texts);
  const write = () => { clearTimeout(timer.current); timer.current = null; act.answer(item.number, latest.current.map((t) => t.trim())); };
  useEffect(() => () => { if (timer.current) write(); }, []);
  const change = (i, text) => { const next = latest.current.map((t, k) => (k === i ? text : t)); latest.current = next; setTexts(next); clearTimeout(timer.current); timer.current = setTimeout(write, WRITE_AFTER_MS); };
  return html`<div class="blanks">${texts.map((text, i) => html`<label>${say("blank-number", { number: i + 1 })}<input value=${text} maxlength="500" autocomplete="off" disabled=${!live} onInput=${(e) => change(i, e.target.value)} onBlur=${() => timer.current && write()}/></label>`)}</div>`;
};

const Side = (p) => {
  const { state, mono, say, act, live, ask } = p;
  const { paper, phase } = state;
  const done = paper.items.filter((i) => isAnswered(state, i.number)).length;
  const opens = msUntil(state, phase.hand_in_opens, mono), closes = msUntil(state, phase.hand_in_closes, mono);
  const may = mayHandIn(state, mono);
  const button = !live ? say("hand-in-not-now") : may ? say("hand-in") : opens > 0 ? say("hand-in-wait", { wait: words(opens, say) }) : say("hand-in-closed");
  return html`<aside aria-label=${say("palette-title")}><h2>${say("palette-counts", { done, open: paper.items.length - done, marked: state.marks.size })}</h2>
    <nav class="pal">${paper.items.map((i) => { const n = i.number, a = isAnswered(state, n), m = state.marks.has(n), c = n === state.current;
      return html`<button class=${`${a ? "a" : ""} ${m ? "m" : ""} ${c ? "c" : ""}`} aria-current=${c ? "true" : "false"} aria-label=${say("palette-label", { number: n, state: say(a ? "state-answered" : "state-open"), mark: m ? say("state-marked") : "" })} onClick=${() => act.go(n)}>${n}</button>`; })}</nav>
    <div class="leg"><span class="k a">${say("state-answered")}</span><span class="k">${say("state-open")}</span><span class="k m">${say("state-marked")}</span></div>
    <div class="hand"><p>${phase.hand_in_opens ? say("hand-in-rule", { opens: clockText(phase.hand_in_opens), closes: clockText(phase.hand_in_closes) }) : say("hand-in-rule-paused")}</p>
      <${Problem} refusal=${["hand_in", "frame"].includes(state.refusal?.about) ? state.refusal : null} say=${say}/>
      <button class="primary" disabled=${!may || state.handing} onClick=${ask}>${state.handing ? say("handing-in") : button}</button>
      <button onClick=${() => act.call()}>${say(state.called ? "called" : "call")}</button></div></aside>`;
};

const Confirm = ({ state, say, act, close }) => {
  const open = state.paper.items.filter((i) => !isAnswered(state, i.number)).map((i) => i.number);
  const first = useRef(null);
  useEffect(() => { first.current?.focus(); const key = (e) => e.key === "Escape" && close(); addEventListener("keydown", key); return () => removeEventListener("keydown", key); }, []);
  return html`<div class="veil"><div class="card dialog" role="dialog" aria-modal="true" aria-labelledby="ask"><h2 id="ask">${say("hand-in-ask")}</h2>
    <p>${open.length ? say("hand-in-open", { count: open.length, numbers: open.slice(0, 12).join("、") + (open.length > 12 ? "…" : "") }) : say("hand-in-complete")}</p><p>${say("hand-in-final")}</p>
    <div class="foot"><button ref=${first} onClick=${close}>${say("hand-in-back")}</button><span class="sp"></span><button class="primary" onClick=${() => { close(); act.handIn(); }}>${say("hand-in-yes")}</button></div></div></div>`;
};

const Done = ({ state, say, act }) => {
  const code = state.ended.code.replace(/(.{4})(?=.)/g, "$1-");
  return html`<${Card} title=${say(state.ended.kind === "handed_in" ? "done-handed-in" : "done-collected")}>
    <p>${say("done-count", { count: state.ended.count, time: clockText(state.ended.at) })}</p><p class="receipt">${code}</p><p>${say("done-receipt")}</p><p>${say("done-stay")}</p>
    <button onClick=${() => act.nextCandidate()}>${say("done-next")}</button></${Card}>`;
};
