// The paper on the screen: one question large, what is saved said in words, a palette of all, the hand-in.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isAnswered, isSaved, legalNow, mayHandIn, msUntil, running, unsaved } from "./brain.mjs";
import { HINTS, Material, Question, TYPES, caseOf, chosen } from "./item.mjs";
import { Bang, Cut, Dots, Left, Problem, Right, Tick, clockText, grouped, html, span, wait } from "./words.mjs";

const SIZES = ["size-1", "size-2", "size-3"];
const MINUTES_SAID = [15, 5, 1];
const FAULTS = ["wording", "picture", "options", "other"];

export const Exam = (p) => {
  const { state, mono, say, act, size } = p;
  const { seated, phase, paper } = state;
  const [asking, setAsking] = useState(false), [reporting, setReporting] = useState(null);
  const item = paper.items[state.current - 1];
  const first = caseOf(paper.items, item);
  const live = running(state, mono);
  const left = phase.kind === "running" ? msUntil(state, phase.end, mono) : null;
  useKeys(p, item, live, asking || reporting !== null);
  useEffect(() => { if (!live) setAsking(false); }, [live]);
  return html`<div class=${`exam ${SIZES[size]}`}>
    <${Head} ...${p} left=${left}/>
    <${Bar} ...${p} left=${left}/>
    <${Spoken} left=${left} say=${say}/>
    <main><article class="card" aria-labelledby="number">
      <${Watermark} ticket=${seated.ticket} at=${legalNow(state, mono)}/>
      <div class="no"><h2 id="number">${say("question-number", { number: item.number })}</h2><span class="chip">${say(TYPES[item.type])}</span><span class="chip">${say("points", { score: item.score })}</span>${first && html`<span class="chip">${say("sub-item-of", { part: item.part, parts: item.parts })}</span>`}
        <span class="of">${say("questions-of", { count: paper.items.length })}</span></div>
      ${phase.kind === "paused" || phase.away ? html`<p class="halt" role="alert"><${Bang}/><span>${say(phase.away ? "away" : "paused")}</span></p>` : html`
        ${!live && html`<p class="halt" role="alert"><${Bang}/><span>${say("time-over")}</span></p>`}
        ${first && html`<${Material} key=${`${paper.id}/material/${first.number}`} first=${first} item=${item} say=${say}/>`}
        <${Question} key=${`${paper.id}/${item.number}`} item=${item} value=${state.answers.get(item.number) ?? []} answer=${(value) => act.answer(item.number, value)} say=${say} live=${live}/>`}
      <div class="foot"><button disabled=${state.current === 1} onClick=${() => act.go(state.current - 1)}><${Left}/>${say("previous")}</button>
        <button aria-pressed=${state.marks.has(item.number)} onClick=${() => act.mark(item.number)}>${say(state.marks.has(item.number) ? "unmark" : "mark")}</button>
        <button class="plain" onClick=${() => setReporting(item.number)}>${say(state.reported.has(item.number) ? "reported" : "report")}</button>
        <${ItemState} ...${p} number=${item.number}/>
        <button class="primary" disabled=${state.current === paper.items.length} onClick=${() => act.go(state.current + 1)}>${say("next")}<${Right}/></button></div>
    </article><p class="keys">${say(HINTS[item.type] ?? "keys-hint")}</p></main>
    <${Side} ...${p} live=${live} ask=${() => setAsking(true)}/>
    ${asking && live && html`<${Confirm} ...${p} close=${() => setAsking(false)}/>`}
    ${reporting !== null && html`<${Report} ...${p} number=${reporting} close=${() => setReporting(null)}/>`}
    <${Notices} ...${p}/>
  </div>`;
};

// A to H (T and F) choose, arrows turn the page. In a choice, left and right must not change the answer.
// One listener that reads what is on the screen now: two quick keys must never act on the question before.
const useKeys = (p, item, live, asking) => {
  const shown = useRef(null);
  shown.current = { p, item, live, asking };
  // With the question itself: a key pressed in the moment it appears must not be lost.
  useLayoutEffect(() => {
    const key = (event) => {
      const { p, item, live, asking } = shown.current;
      if (asking || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
      if (event.target.matches?.("input[type=text], textarea, audio, .material")) return;
      const turn = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
      if (turn) { event.preventDefault(); p.act.go(p.state.current + turn); return; }
      if (!live || !/^[a-z]$/i.test(event.key)) return;
      const option = item.options.find((o) => o.label === event.key.toUpperCase());
      if (option) choose(p, item, option.label);
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
};

const Head = (p) => {
  const { state, say, act, size, left } = p;
  const { seated, phase } = state;
  const ends = phase.kind === "running" && phase.end ? say("time-left", { end: clockText(phase.end) }) : say(phase.kind === "paused" ? "paused-open" : "collecting");
  return html`<header><h1>${state.paper.title}<small>${say("exam-level", { title: seated.title })}</small></h1>
    <div class="who"><span>${say("candidate-label")} <b>${seated.candidate}</b></span><span class="wide-only">${say("ticket-short")} <b>${grouped(seated.ticket)}</b></span><span>${say("seat-label")} <b>${say("seat-line", { room: state.seat.room, seat: state.seat.number })}</b></span></div>
    <${SavedLine} ...${p}/>
    <div class="sizes"><button aria-label=${say("text-smaller")} title=${say("text-smaller")} disabled=${size === 0} onClick=${() => act.resize(size - 1)}>A−</button><button aria-label=${say("text-larger")} title=${say("text-larger")} disabled=${size === 2} onClick=${() => act.resize(size + 1)}>A+</button><button aria-label=${say("contrast")} title=${say("contrast")} aria-pressed=${p.high} onClick=${() => act.contrast(!p.high)}>◐</button><button onClick=${() => act.otherLanguage()}>${say("language-short")}</button></div>
    <div class=${left !== null && left < 300000 ? "clock soon" : "clock"}><b role="timer" aria-live="off">${phase.kind === "paused" ? say("paused-short") : span(left ?? 0)}</b><small>${ends}</small></div></header>`;
};

const Bar = ({ state, left }) => {
  const { phase } = state;
  if (!phase.end || phase.kind !== "running") return html`<div class="bar" aria-hidden="true"></div>`;
  const start = Date.parse(phase.start), whole = Date.parse(phase.end) - start;
  const share = (iso) => `${Math.min(100, Math.max(0, (100 * (Date.parse(iso) - start)) / whole))}%`;
  return html`<div class="bar" aria-hidden="true"><i style=${{ width: `${Math.min(100, 100 - (100 * Math.max(0, left)) / whole)}%` }}></i>
    ${phase.hand_in_opens && html`<u style=${{ left: share(phase.hand_in_opens) }}></u>`}${phase.hand_in_closes && html`<u style=${{ left: share(phase.hand_in_closes) }}></u>`}</div>`;
};

const SavedLine = ({ state, say }) => {
  const total = [...state.answers.keys()].filter((n) => isAnswered(state, n)).length, open = unsaved(state).length;
  const show = (kind, sign, text) => html`<div class=${`saved ${kind}`} role="status">${sign}<span>${text}</span></div>`;
  if (state.late.size) return show("bad", html`<${Bang}/>`, say("saved-late", { count: state.late.size }));
  if (state.line !== "open") return show("warn", html`<${Cut}/>`, say(open ? "saved-offline" : "saved-offline-all", { waiting: open }));
  if (open) return show("quiet", html`<${Dots}/>`, say("saving", { waiting: open }));
  return total ? show("", html`<${Tick}/>`, say("saved-all", { count: total })) : show("quiet", null, say("saved-none"));
};

const Spoken = ({ left, say }) => {
  const said = useRef(null), minutes = left === null ? null : Math.ceil(left / 60000);
  if (MINUTES_SAID.includes(minutes)) said.current = minutes;
  return html`<div class="unseen" role="status">${said.current === null ? "" : say("minutes-left", { minutes: said.current })}</div>`;
};

const Watermark = ({ ticket, at }) => {
  const text = `${grouped(ticket)}\u3000${at ? clockText(at) : ""}`;
  return html`<div class="mark" aria-hidden="true">${Array.from({ length: 24 }, () => html`<span data-text=${text}></span>`)}</div>`;
};

const ItemState = ({ state, say, number }) => {
  if (!isAnswered(state, number)) return html`<span class="itemstate">${say("this-open")}</span>`;
  return isSaved(state, number)
    ? html`<span class="itemstate ok"><${Tick}/>${say("this-saved")}</span>`
    : html`<span class="itemstate"><${Dots}/>${say("this-sending")}</span>`;
};

const choose = ({ state, act }, item, label) => act.answer(item.number, chosen(item, state.answers.get(item.number) ?? [], label));

const Side = (p) => {
  const { state, mono, say, act, live, ask } = p;
  const { paper, phase } = state;
  const done = paper.items.filter((i) => isAnswered(state, i.number)).length;
  const opens = msUntil(state, phase.hand_in_opens, mono);
  const may = mayHandIn(state, mono);
  const words = !live ? say("hand-in-not-now") : may ? say("hand-in") : opens > 0 ? say("hand-in-wait", { wait: wait(opens, say) }) : say("hand-in-closed");
  const rule = phase.hand_in_opens
    ? say("hand-in-rule", { opens: clockText(phase.hand_in_opens), closes: phase.hand_in_closes ? clockText(phase.hand_in_closes) : "" })
    : say(phase.kind === "paused" ? "hand-in-rule-paused" : "hand-in-rule-none");
  const about = ["hand_in", "frame", "call", "opened"].includes(state.refusal?.about);
  return html`<aside aria-label=${say("palette-title")}><h2><span>${say("palette-title")}</span><span>${say("palette-counts", { done, open: paper.items.length - done, marked: state.marks.size })}</span></h2>
    <nav class="pal" aria-label=${say("palette-title")}>${paper.items.map(({ number }) => html`<${Cell} key=${number} number=${number} say=${say} act=${act}
      answered=${isAnswered(state, number)} marked=${state.marks.has(number)} current=${number === state.current}/>`)}</nav>
    <div class="leg" aria-hidden="true"><span class="k a">${say("state-answered")}</span><span class="k">${say("state-open")}</span><span class="k m">${say("state-marked")}</span><span class="k c">${say("state-current")}</span></div>
    <div class="hand"><p>${rule}</p>${about && html`<${Problem} refusal=${state.refusal} say=${say}/>`}
      <button class="primary" disabled=${!may || state.handing} onClick=${ask}>${state.handing ? say("handing-in") : words}</button>
      <button class=${state.called ? "called" : ""} onClick=${() => act.call()}>${say(state.called ? "called" : "call")}</button></div></aside>`;
};

const Cell = ({ number, answered, marked, current, say, act }) => {
  const cell = useRef(null);
  useEffect(() => { if (current) cell.current?.scrollIntoView({ block: "nearest" }); }, [current]);
  return html`<button ref=${cell} class=${[answered && "a", marked && "m", current && "c"].filter(Boolean).join(" ")} aria-current=${current ? "true" : "false"}
    aria-label=${say("palette-label", { number, state: say(answered ? "state-answered" : "state-open"), mark: marked ? say("palette-marked") : "" })} onClick=${() => act.go(number)}>${number}</button>`;
};

// A box over the paper that keeps the focus, closes on Esc and gives the focus back.
const Dialog = ({ title, close, children }) => {
  const box = useRef(null);
  // With the box itself, as the keys above: an Esc in the moment it appears must close it.
  useLayoutEffect(() => {
    const before = document.activeElement, inside = () => [...box.current.querySelectorAll("button, input, textarea")];
    inside()[0]?.focus();
    const key = (event) => {
      if (event.key === "Escape" && !event.isComposing) close();
      if (event.key !== "Tab") return;
      const all = inside(), i = all.indexOf(document.activeElement);
      event.preventDefault();
      all[(i + (event.shiftKey ? all.length - 1 : 1)) % all.length].focus();
    };
    addEventListener("keydown", key);
    return () => { removeEventListener("keydown", key); before?.focus?.(); };
  }, []);
  return html`<div class="veil"><div ref=${box} class="card dialog" role="dialog" aria-modal="true" aria-labelledby="ask"><h2 id="ask">${title}</h2>${children}</div></div>`;
};

const Confirm = ({ state, say, act, close }) => {
  const open = state.paper.items.filter((i) => !isAnswered(state, i.number)).map((i) => i.number);
  const named = open.slice(0, 12).join(say("list-comma")) + (open.length > 12 ? "…" : "");
  return html`<${Dialog} title=${say("hand-in-ask")} close=${close}>
    <p>${say("candidate-line", { name: state.seated.candidate, ticket: grouped(state.seated.ticket) })}</p>
    <p class=${open.length ? "halt" : "sealed"}>${open.length ? html`<${Bang}/>` : html`<${Tick}/>`}<span>${open.length ? say("hand-in-open", { count: open.length, numbers: named }) : say("hand-in-complete")}</span></p>
    <p>${say("hand-in-final")}</p>
    <div class="foot"><button onClick=${close}>${say("hand-in-back")}</button><span class="sp"></span><button class="primary" onClick=${() => { close(); act.handIn(); }}>${say("hand-in-yes")}</button></div></${Dialog}>`;
};

// What is wrong with a question goes to the invigilators' board; the answer stays as it is and time goes on.
const Report = ({ say, act, number, close }) => {
  const [fault, setFault] = useState(FAULTS[0]), [text, setText] = useState("");
  return html`<${Dialog} title=${say("report-title", { number })} close=${close}><p>${say("report-lead")}</p>
    <form onSubmit=${(e) => { e.preventDefault(); act.report(number, fault, text.trim()); close(); }}>
    <fieldset class="faults"><legend>${say("report-what")}</legend>${FAULTS.map((one) => html`<label key=${one}><input type="radio" name="fault" checked=${fault === one} onChange=${() => setFault(one)}/>${say(`fault-${one}`)}</label>`)}</fieldset>
    <div class="blanks"><label>${say("report-words")}<input type="text" maxlength="200" value=${text} onInput=${(e) => setText(e.target.value)}/></label></div>
    <div class="foot"><button type="button" onClick=${close}>${say("hand-in-back")}</button><span class="sp"></span><button class="primary">${say("report-send")}</button></div></form></${Dialog}>`;
};

export const Notices = ({ state, say, act }) => state.notices.map((n) => html`<div key=${n.id} class="notice-bar" role="alert"><p><b>${say("notice-from")}\u3000${clockText(n.at)}</b><br/>${n.text}</p><button onClick=${() => act.putAway(n.id)}>${say("notice-seen")}</button></div>`);
