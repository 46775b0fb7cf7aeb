// What was ordered and how far it came: sent to a kiosk, seen there, done there; and what can be taken back.
import { useEffect, useState } from "preact/hooks";
import { actsInOrder } from "./state.mjs";
import { Box, Form, Reason } from "./forms.mjs";
import { Sign, html, secondText } from "./words.mjs";

const where = (one, state, say) => {
  const seat = one.sitting && state.snapshot.seats.find((s) => s.sitting === one.sitting);
  return seat ? say("board-seat", { room: seat.room, seat: seat.seat }) : one.room ? say("board-room", { room: one.room }) : say("board-whole-hall");
};
const kind = (one, say) => say(one.kind === "undo" ? "board-take-back" : `board-act-${one.kind}`);

export const Acts = (p) => {
  const { state, say, act } = p, [undoing, setUndoing] = useState(null);
  const acts = actsInOrder(state.snapshot), of = (id) => acts.find((one) => one.id === id);
  const mayUndo = (one) => one.undoable && (one.kind === "void" ? act.chief() : act.leads() || (one.kind === "absent" && act.mayAct(state.snapshot.seats.find((s) => s.sitting === one.sitting)?.room)));
  return html`<${Box} ...${p} wide title=${say("board-given-title")}><p class="why">${say("board-given-lead")}</p>
    ${acts.length === 0 && html`<p class="quiet">${say("board-given-none")}</p>`}
    <ol class="given">${acts.map((one) => html`<li key=${one.id} class=${one.undone_by ? "undone" : ""}><b>${secondText(one.at)}</b>
      <div><p><b>${kind(one, say)}</b> ${where(one, state, say)} <small>${one.by.replace(/^staff:/, "")}</small></p><p class="why">${one.reason}</p>
        ${one.undoes && html`<p class="why">${say("board-undoes", { what: of(one.undoes) ? `${kind(of(one.undoes), say)} ${secondText(of(one.undoes).at)}` : one.undoes })}</p>`}
        ${one.undone_by && html`<p class="why">${say("board-undone")}</p>`}
        ${one.outstanding.length > 0 && html`<p class="why">${say("board-outstanding", { seats: one.outstanding.join(say("board-comma")) })}</p>`}
        ${undoing === one.id && html`<${Undo} ...${p} one=${one} done=${() => setUndoing(null)}/>`}</div>
      ${one.reached > 0 ? html`<span class=${`chip ${one.done === one.reached ? "good" : "warn"}`}><${Sign} of=${one.done === one.reached ? "done" : "stale"}/>${say("board-given-how-far", one)}</span>` : html`<span></span>`}
      ${mayUndo(one) ? html`<button onClick=${() => setUndoing(undoing === one.id ? null : one.id)}>${say("board-take-back")}</button>` : html`<span></span>`}</li>`)}</ol></${Box}>`;
};

const Undo = (p) => {
  const { one, act, say, done } = p, [reason, setReason] = useState("");
  return html`<${Form} ...${p} send=${() => act.act(`/api/hall/acts/${one.id}/undo`, { reason })} done=${done} label=${say("board-undo-do", { what: kind(one, say) })} ready=${reason.trim()}>
    <${Reason} say=${say} value=${reason} set=${setReason} code="board-reason"/></${Form}>`;
};

// What the lines' ledger proposes for a room or for all; a person grants it, for one seat or for as many minutes as he sets.
export const LostTime = ({ state, say, act, room, minutes }) => {
  const [lost, setLost] = useState(null), [given, setGiven] = useState([]), [problem, setProblem] = useState(null);
  useEffect(() => { fetch(`/api/hall/slots/${act.slot}/lost-time`).then((answer) => (answer.ok ? answer.json() : [])).then((all) => setLost(all.filter((one) => !room || one.room === room)), () => setLost([])); }, []);
  if (lost === null) return null;
  const most = Math.ceil(Math.max(0, ...lost.map((one) => one.seconds)) / 60);
  const grant = async (one) => {
    const no = await act.slotAct("time", { kind: "credit", seconds: Math.min(4 * 3600, one.seconds), reason: say("board-lost-reason", { times: one.times }), sitting: one.sitting });
    setProblem(no);
    if (!no) setGiven([...given, one.sitting]);
  };
  return html`<div class="lost"><p>${lost.length ? say("board-lost", { count: lost.length }) : say("board-lost-none")}</p>
    ${problem && html`<p class="problem" role="alert">${problem.title}</p>`}
    <ul>${lost.slice(0, 20).map((one) => html`<li key=${one.sitting}><span>${say("board-seat", { room: one.room, seat: one.seat })}</span><span>${say("board-minutes-seconds", { minutes: Math.floor(one.seconds / 60), seconds: one.seconds % 60 })}</span>
      <button type="button" disabled=${given.includes(one.sitting)} onClick=${() => grant(one)}>${say(given.includes(one.sitting) ? "board-lost-given" : "board-lost-grant")}</button></li>`)}</ul>
    ${most > 0 && html`<button type="button" onClick=${() => minutes(most)}>${say("board-lost-most", { minutes: most })}</button>`}</div>`;
};
