// Check-in at the door: find by name or ticket, look at four things, go on to the next.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Box, Form } from "./forms.mjs";
import { legalNow } from "./state.mjs";
import { Sign, dayText, grouped, html, minuteText } from "./words.mjs";

const LOOKED_AT = ["ticket", "document", "photo", "signature"], SHOWN = 8;

export const CheckIn = (p) => {
  const { state, say, act } = p;
  const [find, setFind] = useState(""), [chosen, setChosen] = useState(null), [last, setLast] = useState(null);
  const box = useRef(null);
  useLayoutEffect(() => { box.current?.focus(); }, [chosen]);     // at once: a ticket is typed right after "/"
  const wanted = find.replace(/\s+/g, "");
  const open = state.snapshot.seats.filter((s) => ["prepared", "absent", "halted"].includes(s.state) && act.mayAct(s.room));
  const found = wanted ? open.filter((s) => s.ticket.endsWith(wanted) || s.ticket.includes(wanted) || s.name.includes(wanted)) : open;
  const seat = chosen && state.snapshot.seats.find((s) => s.sitting === chosen);
  const { checked_in: done, enrolled } = state.snapshot.counts;
  return html`<${Box} ...${p} title=${say("board-check-in")} sub=${say("board-check-in-count", { done, enrolled })}>
    ${last && html`<p class="ok" role="status"><span class="inline"><${Sign} of="done"/></span>${say("board-checked-in", last)}</p>`}
    ${seat ? html`<div class="person"><p><b>${seat.name}</b><span>${grouped(seat.ticket)}</span><span>${say("board-seat", { room: seat.room, seat: seat.seat })}</span><button class="plain" onClick=${() => setChosen(null)}>${say("board-other-person")}</button></p>
        <${CheckInForm} ...${p} seat=${seat} done=${() => { setLast({ name: seat.name, place: say("board-seat", { room: seat.room, seat: seat.seat }) }); setChosen(null); setFind(""); }}/></div>`
      : html`<form class="form" onSubmit=${(e) => { e.preventDefault(); if (found.length) setChosen(found[0].sitting); }}>
        <label>${say("board-find")}<input ref=${box} value=${find} autocomplete="off" onInput=${(e) => setFind(e.target.value)}/></label></form>
        <div class="found" role="group" aria-label=${say("board-found")}>${found.slice(0, SHOWN).map((s) => html`<button key=${s.sitting} onClick=${() => setChosen(s.sitting)}><b>${s.name}</b><span>${grouped(s.ticket)}</span><span>${say("board-seat", { room: s.room, seat: s.seat })}${s.corrected?.length ? html` <i class="chip info">${say("board-corrected-short")}</i>` : ""}</span></button>`)}
        ${found.length > SHOWN && html`<p class="quiet">${say("board-found-more", { count: found.length - SHOWN })}</p>`}${found.length === 0 && html`<p class="quiet">${say(open.length ? "board-found-none" : "board-all-in")}</p>`}</div>`}</${Box}>`;
};

export const CheckInForm = (p) => {
  const { act, say, seat, done } = p;
  const [seen, setSeen] = useState([]), [exception, setException] = useState(""), [late, setLate] = useState(""), first = useRef(null);
  useLayoutEffect(() => { first.current?.focus(); }, []);
  const closes = p.state.snapshot.rooms.find((r) => r.number === seat.room)?.entry_closes;
  const closed = closes && seat.state !== "halted" && legalNow(p.state, p.mono) >= Date.parse(closes);
  const all = seen.length === LOOKED_AT.length;
  const send = () => act.sittingAct(seat.sitting, "check-in", { ...Object.fromEntries(LOOKED_AT.map((name) => [name, seen.includes(name)])), exception: all ? "" : exception, admitted_late: closed && act.leads() ? late : "" });
  return html`<${Form} ...${p} send=${send} done=${done} label=${say("board-check-in-do", { name: seat.name })} ready=${(all || exception.trim()) && (!closed || late.trim())}>
    ${seat.corrected?.length > 0 && html`<div class="notice info" role="note"><p>${say("board-corrected")}</p><ul>${seat.corrected.map((c) => html`<li key=${c.field + c.at}>${say(`board-corrected-${c.field}`)}${c.before && ` ${say("board-corrected-before", { before: c.before })}`} · ${dayText(c.at, p.language)} ${minuteText(c.at)}</li>`)}</ul></div>`}
    ${closed && html`<p class="problem">${say("board-entry-closed", { time: minuteText(closes) })}</p>`}
    ${closed && act.leads() && html`<label>${say("board-admit-late")}<input value=${late} maxlength="300" onInput=${(e) => setLate(e.target.value)}/></label>`}
    <div class="checks four">${LOOKED_AT.map((name, i) => html`<label key=${name}><input ref=${i === 0 ? first : null} type="checkbox" checked=${seen.includes(name)} onChange=${() => setSeen(seen.includes(name) ? seen.filter((n) => n !== name) : [...seen, name])}/>${say(`board-look-${name}`)}</label>`)}</div>
    ${!all && html`<label>${say("board-exception")}<input value=${exception} maxlength="300" onInput=${(e) => setException(e.target.value)}/></label>`}</${Form}>`;
};
