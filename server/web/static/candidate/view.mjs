// What the candidate sees before and after the paper; the paper itself stands in exam.mjs.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { msUntil } from "./brain.mjs";
import { Exam, Notices } from "./exam.mjs";
import { Practice } from "./practice.mjs";
import { Bang, Problem, Tick, clockText, grouped, html, span } from "./words.mjs";

const BEFORE = ["waiting", "halted"];   // the paper stays closed

export const Page = (p) => {
  const { state, say } = p;
  if (state.line === "other-tab") return html`<${Card} ...${p} title=${say("other-tab-title")}><p>${say("other-tab")}</p></${Card}>`;
  if (state.exporting) return html`<${Export} ...${p}/>`;
  switch (state.stage) {
    case "enrol": return html`<${Enrol} ...${p}/>`;
    case "sign-in": return html`<${SignIn} ...${p}/>`;
    case "seated": return state.paper && state.phase && !BEFORE.includes(state.phase.kind) ? html`<${Exam} ...${p}/>` : html`<${Waiting} ...${p}/>`;
    case "done": return html`<${Done} ...${p}/>`;
    case "halted": return html`<${Card} ...${p} title=${say("halted-title")}><p class="big">${say("halted")}</p>
      ${state.waiting ? html`<p role="status">${say("moved-sending", { waiting: state.waiting })}</p>` : html`<${Next} ...${p}/>`}</${Card}>`;
    case "moved": return html`<${Moved} ...${p}/>`;
    case "voided": return html`<${Card} ...${p} title=${say("voided-title")}><p class="big">${say("voided")}</p><${Next} ...${p}/></${Card}>`;
    default: return html`<${Card} ...${p} title=${say("candidate-title")}><p role="status">${say(state.line === "lost" ? "line-lost" : "line-connecting")}</p><${Problem} refusal=${state.refusal} say=${say}/></${Card}>`;
  }
};

const Card = ({ title, wide, children, say, act, seatline }) => html`<main class="lone"><section class=${wide ? "card wide" : "card"}>
  <div class="cardhead"><img src="/static/mark.svg" alt="" width="28" height="28"/><b>${say("brand")}</b><button class="plain" lang="" onClick=${() => act.otherLanguage()}>${say("language-other")}</button></div>
  <h1>${title}</h1>${seatline && html`<p class="seatline">${seatline}</p>`}${children}</section></main>`;

const Field = ({ id, label, focus, ...rest }) => {
  const box = useRef(null);
  // With the field itself: a moment later the focus would be taken from whoever types in another one already.
  useLayoutEffect(() => { if (focus) box.current?.focus(); }, []);
  return html`<label for=${id}>${label}</label><input id=${id} ref=${box} autocomplete="off" autocapitalize="off" spellcheck=${false} required ...${rest}/>`;
};

const Line = ({ state, say }) => {
  const open = state.line === "open";
  return html`<span class=${open ? "chip ok" : "chip warn"} role="status">${say(open ? "line-open" : "line-lost-short")}</span>`;
};

const Enrol = (p) => {
  const { state, say, act } = p;
  const [code, setCode] = useState("");
  return html`<${Card} ...${p} title=${say("enrol-title")}><p>${say("enrol-lead")}</p>
    <form class="lines" onSubmit=${(e) => { e.preventDefault(); act.enrol(code); }}>
      <${Field} id="code" focus=${true} label=${say("enrol-code")} class="code" value=${code} onInput=${(e) => setCode(e.target.value)}/>
      <${Problem} refusal=${state.refusal} say=${say}/><button class="primary">${say("enrol-act")}</button></form></${Card}>`;
};

const SignIn = (p) => {
  const { state, say, act } = p;
  const [ticket, setTicket] = useState(""), [idNumber, setIdNumber] = useState("");
  const seat = state.seat && html`<b>${say("seat-line", { room: state.seat.room, seat: state.seat.number })}</b><${Line} ...${p}/>`;
  return html`<${Card} ...${p} title=${say("sign-in-title")} seatline=${seat}>
    ${state.expecting ? html`<p>${say("sign-in-lead")}</p>` : html`<p class="halt" role="status"><${Bang}/><span>${say("sign-in-not-yet")}</span></p>`}
    <form class="lines" onSubmit=${(e) => { e.preventDefault(); act.signIn(ticket, idNumber); }}>
      <${Field} id="ticket" focus=${true} inputmode="numeric" label=${say("ticket")} value=${ticket} onInput=${(e) => setTicket(e.target.value)}/>
      <${Field} id="id-number" label=${say("id-number")} value=${idNumber} onInput=${(e) => setIdNumber(e.target.value)}/>
      <${Problem} refusal=${state.refusal} say=${say}/>
      <button class="primary" disabled=${state.line !== "open"}>${say("sign-in-act")}</button></form>
    <details><summary>${say("privacy-title")}</summary><p>${say("privacy")}</p></details></${Card}>`;
};

// For the technician, behind Ctrl+Alt+J: the sealed journals of this seat as one file.
const Export = (p) => {
  const { state, say, act } = p;
  return html`<${Card} ...${p} title=${say("export-title")}><p>${say("export-lead")}</p>
    ${typeof state.exported === "number" && html`<p class="sealed" role="status"><${Tick}/><span>${say("export-done", { count: state.exported })}</span></p>`}
    <div class="foot"><button onClick=${() => act.showExport(false)}>${say("export-back")}</button><span class="sp"></span><button onClick=${() => act.exportJournals(true)}>${say("export-all")}</button><button class="primary" onClick=${() => act.exportJournals()}>${say("export-act")}</button></div></${Card}>`;
};

const RULES = ["rule-sit", "rule-hand-in", "rule-saved", "rule-end", "rule-call"];

const Waiting = (p) => {
  const { state, mono, say } = p;
  const { seated, sealed, phase } = state;
  const halted = phase?.kind === "halted", begun = phase && !BEFORE.includes(phase.kind);
  const [trying, setTrying] = useState(false);
  const left = begun ? null : msUntil(state, halted ? phase.resumes_at : phase?.end ?? seated.planned_start, mono);
  const words = begun ? say("opening-paper") : left === null || left <= 0 ? say(halted && !phase.resumes_at ? "halted-no-time" : "bell-soon") : span(left);
  const seatline = html`<span>${say("exam-of", { title: seated.title, plan: seated.plan })}</span><span>${say("candidate-line", { name: seated.candidate, ticket: grouped(seated.ticket) })}</span><span>${say("seat-line", { room: state.seat.room, seat: state.seat.number })}</span><${Line} ...${p}/>`;
  return html`<${Card} ...${p} wide title=${say("candidate-title")} seatline=${seatline}>
    <div class="countdown"><small>${say(halted ? "countdown-continue" : begun || left === null || left <= 0 ? "countdown-over" : "countdown-to")}</small><b role="timer" class=${/^\d/.test(words) ? "" : "words"}>${words}</b>
      <small>${halted ? say("halted-lead") : say("planned-start", { time: clockText(phase?.kind === "waiting" && phase.end ? phase.end : seated.planned_start), minutes: seated.minutes })}</small></div>
    ${state.paperFault
      ? html`<p class="problem" role="alert"><${Bang}/><span>${say("paper-fault")}</span></p>`
      : html`<p class=${sealed ? "sealed" : "sealed not"}>${sealed && html`<${Tick}/>`}<span>${sealed ? say("paper-sealed", { hash: sealed.id.slice(0, 8) }) : say("paper-coming")}</span></p>`}
    ${!begun && !halted && html`<p><button onClick=${() => setTrying(!trying)} aria-expanded=${trying}>${say(trying ? "practice-close" : "practice-open")}</button></p>`}
    ${trying && !begun && html`<${Practice} say=${say} size=${p.size}/>`}
    <h2>${say("rules-title")}</h2><ol class="rules">${RULES.map((code) => html`<li>${say(code, { early: seated.early ?? 30, late: seated.late ?? 15 })}</li>`)}</ol>
    <details><summary>${say("privacy-title")}</summary><p>${say("privacy")}</p></details><${Notices} ...${p}/></${Card}>`;
};

const Next = ({ say, act }) => html`<div class="next"><button onClick=${() => act.nextCandidate()}>${say("done-next")}</button></div>`;

const Moved = (p) => {
  const { state, say } = p;
  return html`<${Card} ...${p} title=${say("moved-title")}>
    <p class="big">${state.ended ? say("moved-to", { room: state.ended.room, seat: state.ended.number }) : say("moved-elsewhere")}</p>
    ${state.waiting ? html`<p role="status">${say("moved-sending", { waiting: state.waiting })}</p>` : html`<${Next} ...${p}/>`}</${Card}>`;
};

const Done = (p) => {
  const { ended } = p.state, { say } = p;
  return html`<${Card} ...${p} wide title=${say(ended.kind === "handed_in" ? "done-handed-in" : "done-collected")}
      seatline=${ended.candidate && html`<span>${say("candidate-line", { name: ended.candidate.candidate, ticket: grouped(ended.candidate.ticket) })}</span>`}>
    <p class="sealed"><${Tick}/><span>${say("done-count", { count: ended.count, time: clockText(ended.at) })}</span></p>
    <div class="receipt"><small>${say("done-receipt")}</small><b>${grouped(ended.code)}</b></div>
    ${p.state.waiting > 0 && html`<p role="status">${say("done-sending", { waiting: p.state.waiting })}</p>`}
    ${p.state.late.size > 0 && html`<p class="halt" role="status"><${Bang}/><span>${say("saved-late", { count: p.state.late.size })}</span></p>`}
    <p class="big">${say("done-stay")}</p><${Next} ...${p}/></${Card}>`;
};
