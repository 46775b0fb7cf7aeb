// Every act over the board: asked once, with its reason, naming the person and the seat. <dialog> keeps the focus and closes on Esc.
import { useState } from "preact/hooks";
import { legalNow } from "./state.mjs";
import { Sign, grouped, html, lasting, minuteText, secondText, stepTitle, whenText } from "./words.mjs";
import { CheckIn, CheckInForm } from "./check_in.mjs";
import { Acts, LostTime } from "./acts.mjs";
import { Box, Form, Reason } from "./forms.mjs";

export const Dialogs = (p) => {
  const { dialog } = p.act;
  if (!dialog) return null;
  const Shown = { "check-in": CheckIn, seat: SeatPanel, bell: Bell, seals: Seals, steps: Steps, hall: HallActs, room: RoomActs, acts: Acts, picture: Picture }[dialog.kind];
  return html`<${Shown} key=${JSON.stringify(dialog)} ...${p} dialog=${dialog}/>`;
};

const FINDINGS = ["phone", "cheating", "disorder", "identity", "absence", "illness", "paper_fault", "equipment", "other"];

const GRAVE = ["void", "collect", "spare"];

const SeatPanel = (p) => {
  const { state, say, act, dialog, mono } = p;
  const seat = state.snapshot.seats.find((s) => s.sitting === dialog.sitting);
  const [doing, setDoing] = useState(dialog.alert ? "incident" : null);
  if (!seat) return null;
  const rung = state.snapshot.rooms.find((r) => r.number === seat.room)?.bell === "rung";
  const before = ["prepared", "checked_in"].includes(seat.state), active = ["checked_in", "opened"].includes(seat.state);
  const may = act.mayAct(seat.room), leads = act.leads();
  const acts = [
    ["check-in", may && ["prepared", "absent", "halted"].includes(seat.state)],
    ["undo", may && seat.state === "checked_in" && !rung],
    ["absent", may && before && rung],
    ["message", may && active], ["incident", may],
    [seat.away_since ? "return" : "leave", may && seat.state === "opened"],
    ["reseat", leads && (before || ["opened", "halted"].includes(seat.state))],
    ["spare", act.chief() && active],
    ["credit", leads && seat.state === "opened"], ["extra", leads && (before || seat.state === "opened")],
    [seat.sign === "paused" ? "resume" : "pause", leads && seat.state === "opened"],
    ["collect", leads && ["opened", "halted"].includes(seat.state)],
    ["void", act.chief() && ["opened", "halted", "handed_in", "collected"].includes(seat.state)],
  ].filter(([, shown]) => shown).map(([name]) => name);
  const row = (code, value) => html`<dt>${say(code)}</dt><dd>${value}</dd>`;
  return html`<${Box} ...${p} title=${say("board-seat", { room: seat.room, seat: seat.seat })} sub=${seat.name}>
    <dl>${row("board-ticket", grouped(seat.ticket))}
      ${row("board-state", html`<span class="inline"><${Sign} of=${seat.sign}/></span>${say(`board-state-${seat.state}`)}`)}
      ${row("board-answers", seat.items ? say("board-progress-of", { answered: seat.answered, items: seat.items }) : say("board-none-yet"))}
      ${row("board-line", seat.last_heard === null ? say("board-line-never") : say(seat.online ? "board-line-on" : "board-line-off", { time: secondText(seat.last_heard), ago: lasting(legalNow(state, mono) - Date.parse(seat.last_heard), say) }))}
      ${row("board-own-end", seat.ends_at ? minuteText(seat.ends_at) : say("board-none-yet"))}
      ${row("board-camera", seat.camera ? say(`seat-state-${seat.camera}`) : say("board-no-camera"))}</dl>
    ${acts.length > 0 && html`<div class="tabs" role="group" aria-label=${say("board-acts")}>${acts.map((name) => html`<button key=${name} aria-pressed=${doing === name} class=${GRAVE.includes(name) ? "grave" : ""} onClick=${() => setDoing(doing === name ? null : name)}>${say(`board-act-${name}`)}</button>`)}</div>`}
    ${doing && html`<${SeatAct} key=${doing} ...${p} seat=${seat} doing=${doing}/>`}</${Box}>`;
};

const SeatAct = (p) => {
  const { act, say, seat, doing, dialog } = p;
  const whom = { name: seat.name, place: say("board-seat", { room: seat.room, seat: seat.seat }) };
  const [reason, setReason] = useState(""), [minutes, setMinutes] = useState(5), [room, setRoom] = useState(seat.room), [number, setNumber] = useState(""), [kind, setKind] = useState(FINDINGS[0]), [escort, setEscort] = useState("");
  const own = { sitting: seat.sitting };
  const send = () => ({
    absent: () => act.sittingAct(seat.sitting, "absent", { reason }),
    undo: () => act.sittingAct(seat.sitting, "check-in/undo", { reason }),
    collect: () => act.sittingAct(seat.sitting, "collect", { reason }),
    void: () => act.sittingAct(seat.sitting, "void", { reason }),
    leave: () => act.sittingAct(seat.sitting, "leave", { escort, reason }),
    return: () => act.sittingAct(seat.sitting, "return"),
    reseat: () => act.sittingAct(seat.sitting, "reseat", { room, seat: Number(number), reason }),
    spare: () => act.sittingAct(seat.sitting, "spare", { reason }),
    message: () => act.slotAct("message", { text: reason, ...own }),
    credit: () => act.slotAct("time", { kind: "credit", seconds: minutes * 60, reason, ...own }),
    extra: () => act.slotAct("time", { kind: "extra", seconds: minutes * 60, reason, ...own }),
    pause: () => act.slotAct("pause", { reason, ...own }),
    resume: () => act.slotAct("resume", { reason, ...own }),
    incident: () => act.slotAct("incidents", { kind, note: reason, ...own, ...(dialog.alert ? { alert: dialog.alert } : {}) }),
  })[doing]();
  if (doing === "check-in") return html`<${CheckInForm} ...${p} seat=${seat} done=${() => act.close()}/>`;
  return html`<${Form} ...${p} send=${send} done=${() => act.close()} grave=${GRAVE.includes(doing)} label=${say(`board-do-${doing}`, whom)} ready=${(doing === "return" || reason.trim()) && (doing !== "reseat" || Number(number) > 0) && (doing !== "leave" || escort.trim())}>
    <p>${say(`board-ask-${doing}`, whom)}</p>
    ${doing === "reseat" && html`<div class="pair"><label>${say("board-to-room")}<select value=${room} onChange=${(e) => setRoom(e.target.value)}>${p.state.snapshot.rooms.map((r) => html`<option value=${r.number}>${say("board-room", { room: r.number })}</option>`)}</select></label>
      <label>${say("board-to-seat")}<input type="number" min="1" required value=${number} onInput=${(e) => setNumber(e.target.value)}/></label></div>`}
    ${doing === "leave" && html`<label>${say("board-escort")}<input value=${escort} maxlength="120" required onInput=${(e) => setEscort(e.target.value)}/></label>`}
    ${["credit", "extra"].includes(doing) && html`<label>${say("board-how-long")}<input type="number" min="1" max="240" value=${minutes} onInput=${(e) => setMinutes(Number(e.target.value))}/></label>`}
    ${doing === "incident" && html`<label>${say("board-what")}<select value=${kind} onChange=${(e) => setKind(e.target.value)}>${FINDINGS.map((k) => html`<option value=${k}>${say(`board-incident-${k}`)}</option>`)}</select></label>`}
    ${doing !== "return" && html`<${Reason} say=${say} value=${reason} set=${setReason} code=${doing === "message" ? "board-words" : doing === "incident" ? "board-seen" : "board-reason"}/>`}</${Form}>`;
};

// The bell is asked once, and says what it will do and at what time it is struck.
const Bell = (p) => {
  const { state, say, act, mono } = p;
  const open = state.snapshot.rooms.filter((r) => ["ready", "overdue"].includes(r.bell));
  const [rooms, setRooms] = useState(open.map((r) => r.number));
  const chosen = open.filter((r) => rooms.includes(r.number));
  const seated = state.snapshot.seats.filter((s) => rooms.includes(s.room));
  const here = seated.filter((s) => s.state === "checked_in").length;
  const end = legalNow(state, mono) + state.snapshot.slot.minutes * 60000;
  return html`<${Box} ...${p} title=${say("board-ring-title")}>
    <${Form} ...${p} send=${() => act.slotAct("bell", { rooms: chosen.map((r) => r.number) })} done=${() => act.close()} label=${say("board-ring-do", { rooms: chosen.map((r) => r.number).join(say("board-comma")) })} ready=${chosen.length > 0}>
      <div class="checks">${open.map((r) => html`<label key=${r.number}><input type="checkbox" checked=${rooms.includes(r.number)} onChange=${() => setRooms(rooms.includes(r.number) ? rooms.filter((n) => n !== r.number) : [...rooms, r.number])}/>${say("board-room", { room: r.number })}</label>`)}</div>
      <p class="when"><b>${secondText(legalNow(state, mono))}</b><span>${say("board-ring-what", { end: minuteText(end), minutes: state.snapshot.slot.minutes })}</span></p>
      <p>${say("board-ring-people", { here, count: seated.length })}</p><p class="quiet">${say("board-ring-final")}</p></${Form}></${Box}>`;
};

const Seals = (p) => {
  const { state, say, act } = p;
  const [shown, setShown] = useState(null);
  const { slot } = state.snapshot;
  if (shown) return html`<${Box} ...${p} title=${say("board-seals-title")}><p>${say("board-seals-done", { papers: shown.papers })}</p><p class="code">${grouped(shown.code)}</p><p class="quiet">${say("board-seals-code")}</p></${Box}>`;
  return html`<${Box} ...${p} title=${say("board-seals-title")}><${Form} ...${p} send=${() => act.slotAct("seals")} done=${() => setShown(act.answered)} label=${say("board-show-seals")} ready>
    <p>${say("board-seals-ask", { count: slot.papers_sealed })}</p></${Form}></${Box}>`;
};

const Steps = (p) => {
  const { state, say, act, language } = p;
  const { steps } = state.snapshot, [doing, setDoing] = useState(null);
  return html`<${Box} ...${p} wide title=${say("board-steps-title")} sub=${say("board-steps-done", { done: steps.filter((s) => s.state === "done").length, count: steps.length })}><ol class="steps">
    ${steps.map((s) => html`<li key=${s.code} class=${s.state}><b>${whenText(s.at, p.state.snapshot.slot.starts_at, language)}</b><div><p>${stepTitle(s, say, language)} <small>${s.article}</small></p>
      ${s.per_room && s.open_rooms.length > 0 && s.state !== "ahead" && html`<small>${say("board-step-open-rooms", { rooms: s.open_rooms.join(say("board-comma")) })}</small>`}
      ${doing === s.code && html`<${StepForm} ...${p} step=${s} done=${() => setDoing(null)}/>`}</div>
      <span class=${`chip ${s.state === "done" ? "ok" : s.state === "late" ? "bad" : s.state === "due" ? "warn" : ""}`}>${say(`board-step-${s.state}`)}</span>
      ${s.state !== "done" && act.acts() && !["start", "seals_shown"].includes(s.code) && !s.code.startsWith("continuation-") ? html`<button onClick=${() => setDoing(doing === s.code ? null : s.code)}>${say("board-step-tick")}</button>` : html`<span></span>`}</li>`)}</ol></${Box}>`;
};

const StepForm = (p) => {
  const { step, act, say, done } = p;
  const [room, setRoom] = useState(step.open_rooms[0] ?? null), [second, setSecond] = useState(""), [note, setNote] = useState("");
  const send = () => act.slotAct(`steps/${step.code}`, { room: step.per_room ? room : null, second: second.trim() || null, note });
  return html`<${Form} ...${p} send=${send} done=${done} label=${say("board-step-do")} ready=${!step.two_names || second.trim()}>
    <div class="pair">${step.per_room && html`<label>${say("board-to-room")}<select value=${room} onChange=${(e) => setRoom(e.target.value)}>${step.open_rooms.map((r) => html`<option value=${r}>${say("board-room", { room: r })}</option>`)}</select></label>`}
    ${step.two_names && html`<label>${say("board-second-name")}<input value=${second} onInput=${(e) => setSecond(e.target.value)}/></label>`}</div>
    <label>${say("board-note")}<input value=${note} onInput=${(e) => setNote(e.target.value)}/></label></${Form}>`;
};

// Acts on the hall or on one room differ only in their extent.
const Extent = (p) => {
  const { act, say, room, names, title } = p;
  const [doing, setDoing] = useState(names[0] ?? null), [reason, setReason] = useState(""), [minutes, setMinutes] = useState(5), [kind, setKind] = useState("equipment"), [when, setWhen] = useState("");
  const own = room ? { room } : {}, before = p.state.snapshot.rooms.filter((r) => r.halted).map((r) => r.number);
  const send = () => ({
    message: () => act.slotAct("message", { text: reason, ...own }),
    pause: () => act.slotAct("pause", { reason, ...own }), resume: () => act.slotAct("resume", { reason, ...own }),
    collect: () => act.slotAct("collect", { reason, ...own }),
    halt: () => act.slotAct("halt", { reason, ...own }), continue: () => act.slotAct("continue", { reason, ...own }),
    plan: () => act.slotAct("continuation", { starts_at: `${when}:00+08:00`, reason, ...own }),
    credit: () => act.slotAct("time", { kind: "credit", seconds: minutes * 60, reason, ...own }),
    delay: () => act.slotAct("time", { kind: "delay", seconds: minutes * 60, reason, ...own }),
    incident: () => act.slotAct("incidents", { kind, note: reason, ...own }),
    record: () => act.slotAct(`rooms/${room}/record`), cancel: () => act.slotAct("cancel", { reason }), close: () => act.slotAct("close"),
  })[doing]();
  const free = ["record", "close"].includes(doing), whom = { name: "", place: room ? say("board-room", { room }) : say("board-whole-hall") };
  return html`<${Box} ...${p} title=${title}><div class="tabs" role="group" aria-label=${say("board-acts")}>${names.map((name) => html`<button key=${name} aria-pressed=${doing === name} class=${["cancel", "halt", "collect"].includes(name) ? "grave" : ""} onClick=${() => setDoing(name)}>${say(`board-act-${name}`)}</button>`)}</div>
    ${doing && html`<${Form} key=${doing} ...${p} send=${send} done=${() => act.close()} grave=${["cancel", "halt", "collect"].includes(doing)} label=${say(doing === "collect" ? "board-do-collect-all" : `board-do-${doing}`, whom)} ready=${(free || reason.trim()) && (doing !== "plan" || when)}>
      <p>${say(doing === "collect" ? "board-ask-collect-all" : `board-ask-${doing}`, whom)}</p>
      ${doing === "halt" && !room && before.length > 0 && html`<p class="notice warn">${say("board-ask-halt-rest", { rooms: before.join(say("board-comma")) })}</p>`}
      ${doing === "close" && p.state.snapshot.counts.gaps.length > 0 && html`<p class="problem">${say("board-gaps")}<br/>${p.state.snapshot.counts.gaps.map((gap) => html`<span>${say(gap)}<br/></span>`)}</p>`}
      ${doing === "plan" && html`<label>${say("board-continue-at")}<input type="datetime-local" required value=${when} onInput=${(e) => setWhen(e.target.value)}/></label>`}
      ${doing === "credit" && html`<${LostTime} ...${p} room=${room} minutes=${setMinutes}/>`}
      ${["credit", "delay"].includes(doing) && html`<label>${say("board-how-long")}<input type="number" min="1" max="240" value=${minutes} onInput=${(e) => setMinutes(Number(e.target.value))}/></label>`}
      ${doing === "incident" && html`<label>${say("board-what")}<select value=${kind} onChange=${(e) => setKind(e.target.value)}>${["equipment", "outsider", "leak", "disaster", "staff", "other"].map((k) => html`<option value=${k}>${say(`board-incident-${k}`)}</option>`)}</select></label>`}
      ${!free && html`<${Reason} say=${say} value=${reason} set=${setReason} code=${doing === "message" ? "board-words" : doing === "incident" ? "board-seen" : "board-reason"}/>`}</${Form}>`}${p.links}</${Box}>`;
};

const HallActs = (p) => {
  const { act, say, state } = p, rung = state.snapshot.slot.bell === "rung", open = state.snapshot.slot.outcome === null, halted = state.snapshot.rooms.every((r) => r.halted);
  const names = [["message", act.leads() || act.me.scope === null], ["incident", true], ["pause", act.leads() && rung], ["resume", act.leads() && rung], ["credit", act.leads() && rung], ["delay", act.leads() && !rung], ["collect", act.chief() && rung && open], ["halt", act.chief() && rung && open && !halted], ["plan", act.chief() && halted], ["continue", act.chief() && halted], ["cancel", act.chief() && !rung && open], ["close", act.chief() && rung && open]].filter(([, shown]) => shown).map(([name]) => name);
  return html`<${Extent} ...${p} title=${say("board-hall-acts")} names=${names} links=${html`<p class="links"><a href=${`/hall/late/${act.slot}`}>${say("board-late")}</a> · <a href="/hall/receipt">${say("board-receipt")}</a></p>`}/>`;
};

const RoomActs = (p) => {
  const { act, say, dialog, state } = p, room = state.snapshot.rooms.find((r) => r.number === dialog.room), rung = room?.bell === "rung";
  const names = [["message", true], ["incident", true], [room?.paused ? "resume" : "pause", act.leads() && rung], ["credit", act.leads() && rung], ["collect", act.chief() && rung], ["halt", act.chief() && rung && !room?.halted], ["plan", act.chief() && room?.halted], ["continue", act.chief() && room?.halted], ["record", rung]].filter(([, shown]) => shown).map(([name]) => name);
  return html`<${Extent} ...${p} room=${dialog.room} title=${say("board-room", { room: dialog.room })} names=${names}/>`;
};

const Picture = (p) => {
  const { act, say, dialog, state } = p, alert = state.snapshot.alerts.find((a) => a.key === dialog.key);
  return html`<${Box} ...${p} wide title=${say("board-look")} sub=${say("alert-lead")}><img class="full" src=${`/api/hall/alerts/${encodeURIComponent(dialog.key)}/picture`} alt=${say("board-picture-of", { subject: alert ? say("board-room", { room: alert.room }) : "" })}/><p><a href=${`/api/hall/alerts/${encodeURIComponent(dialog.key)}/clip`} target="_blank">${say("board-clip")}</a></p></${Box}>`;
};
