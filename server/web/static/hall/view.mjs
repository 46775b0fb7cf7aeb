// The board in one glance: the clock, the windows of the exam with now on them, every seat, and what needs a person now.
import { useRef, useState } from "preact/hooks";
import { Dialogs } from "./dialogs.mjs";
import { Feed } from "./feed.mjs";
import { lateSteps, legalNow, liveness, nextStep, onTheirWay, pendingAlerts, roomsInOrder, seatSign, seatsInPlace, silentSeconds } from "./state.mjs";
import { Sign, dayText, html, lasting, masked, minuteText, secondText, stepTitle, whenText } from "./words.mjs";

export const Board = (p) => {
  const { state, say, act, mono } = p;
  if (!act.slot) return html`<${Choice} ...${p}/>`;
  if (state.ended) return html`<${Lone} title=${say("board-title")}><p>${say(state.ended)}</p></${Lone}>`;
  if (!state.snapshot) return html`<${Lone} title=${say("board-title")}><p role="status">${say(state.line === "lost" ? "board-offline-first" : "board-connecting")}</p></${Lone}>`;
  const live = liveness(state, mono);
  return html`<div class=${`board ${live}`}>
    <${Head} ...${p} live=${live}/>
    ${live !== "live" && html`<p class="banner" role="alert"><${Sign} of=${live === "offline" ? "offline" : "stale"}/>${say(`board-${live}-banner`, { time: secondText(state.now), seconds: silentSeconds(state, mono) })}</p>`}
    ${live === "live" && state.snapshot.slot.clock_off_s !== 0 && html`<p class="banner" role="alert"><${Sign} of="stale"/>${say("board-clock-banner", { seconds: Math.abs(state.snapshot.slot.clock_off_s), time: secondText(legalNow(state, mono)) })}</p>`}
    ${live === "live" && (state.snapshot.slot.standby_away || state.snapshot.slot.standby_behind > 2000) && html`<p class="banner" role="alert"><${Sign} of="stale"/>${say("board-standby-banner", { pages: state.snapshot.slot.standby_behind })}</p>`}
    ${live === "live" && state.snapshot.slot.recovery_fault && html`<p class="banner" role="alert"><${Sign} of="stale"/>${say("board-recovery-banner")}</p>`}
    <${Strip} ...${p}/>
    <main class="rooms" aria-label=${say("board-rooms")}>${roomsInOrder(state.snapshot).map((room) => html`<${Room} key=${room.number} ...${p} room=${room}/>`)}<${Legend} ...${p}/></main>
    <${Feed} ...${p}/>
    <${Dialogs} ...${p}/>
  </div>`;
};

const Lone = ({ title, children }) => html`<main class="lone"><section class="card"><h1>${title}</h1>${children}</section></main>`;

const Choice = ({ act, say, language }) => html`<${Lone} title=${say("board-choose")}>
  ${act.slots.length === 0 && html`<p>${say("board-no-slots")}</p>`}
  <div class="choices">${act.slots.map((slot) => html`<button key=${slot.id} onClick=${() => act.choose(slot.id)}><b>${slot.plan_name}</b>
    <span>${say(`board-subject-${slot.subject}`)} · ${dayText(slot.starts_at, language)} ${minuteText(slot.starts_at)} · ${say("board-minutes", { minutes: slot.minutes })} · ${say("board-people", { count: slot.candidates })}</span>
    ${slot.outcome && html`<span class="chip">${say(`board-outcome-${slot.outcome}`)}</span>`}</button>`)}</div></${Lone}>`;

const Head = ({ state, say, act, mono, live }) => {
  const { slot, counts, seats } = state.snapshot;
  const expected = seats.filter((s) => ["checked_in", "opened"].includes(s.state));
  const silent = expected.filter((s) => !s.online).length;
  const words = live === "live"
    ? say(silent ? "board-live-silent" : "board-live", { online: counts.online, silent })
    : say(`board-${live}`, { seconds: silentSeconds(state, mono) });
  const of = (code, n) => html`<span>${say(code)} <b>${n}</b><i>/${counts.enrolled}</i></span>`;
  return html`<header><div class="what"><h1>${slot.place} · ${slot.plan_name}<small>${say(`board-subject-${slot.subject}`)}</small></h1>
    <span class=${`liveness ${live}`} role="status"><${Sign} of=${live === "live" ? "live" : live === "stale" ? "stale" : "offline"}/>${words}</span>
    <div class="counts">${of("board-count-checked-in", counts.checked_in)}${of("board-count-absent", counts.absent)}${of("board-count-writing", counts.writing)}${of("board-count-in", counts.handed_in + counts.collected)}${counts.voided > 0 && of("board-count-voided", counts.voided)}<span>${say("board-count-saved")} <b>${counts.saved.toLocaleString("en-US")}</b></span></div></div>
    <div class="end"><a href="/password" title=${say("own-password")}>${act.me.display_name}</a><button class="plain" onClick=${() => act.otherLanguage()}>${say("language-short")}</button>
    <time class="t" role="timer" aria-live="off">${secondText(legalNow(state, mono))}</time></div></header>`;
};

// One line for the exam's windows. Before the bell it follows the plan, afterwards the bell that was struck first.
const Timeline = ({ state, say, mono }) => {
  const { slot, rooms } = state.snapshot;
  const rung = rooms.filter((room) => room.bell_at).sort((a, b) => Date.parse(a.bell_at) - Date.parse(b.bell_at))[0];
  const start = Date.parse(rung?.bell_at ?? slot.starts_at), end = Math.max(Date.parse(slot.ends_at), start + 60000);
  const opens = rung?.hand_in_opens ? Date.parse(rung.hand_in_opens) : start + slot.early * 60000;
  const closes = rung?.hand_in_closes ? Date.parse(rung.hand_in_closes) : end - slot.late * 60000;
  const from = start - 30 * 60000, whole = end - from, now = legalNow(state, mono);
  const x = (t) => `${Math.min(100, Math.max(0, (100 * (t - from)) / whole))}%`;
  const seg = (a, b, kind) => b > a && html`<span class=${`seg ${kind}`} style=${{ left: x(a), width: `${(100 * (b - a)) / whole}%` }}></span>`;
  const mark = (t, code, side) => html`<span class=${`lab ${side}`} style=${{ left: x(t) }}><b>${minuteText(t)}</b> ${say(code)}</span>`;
  return html`<div class="line" role="img" aria-label=${say("board-timeline", { start: minuteText(start), opens: minuteText(opens), closes: minuteText(closes), end: minuteText(end) })}>
    ${seg(from, start, "before")}${seg(start, opens, "early")}${seg(opens, closes, "open")}${seg(closes, end, "late")}
    ${mark(start, rung ? "board-mark-start" : "board-mark-planned", "")}${mark(opens, "board-mark-opens", "")}${mark(closes, "board-mark-closes", "above")}${mark(end, "board-mark-end", "last")}
    <span class="now" style=${{ left: x(now) }}></span></div>`;
};

const Strip = (p) => {
  const { state, say, act, mono } = p;
  const { slot, rooms, steps } = state.snapshot;
  const step = nextStep(state.snapshot), now = legalNow(state, mono);
  const done = steps.filter((s) => s.state === "done").length;
  const late = lateSteps(state.snapshot);
  const inOrder = step && html`<div class="next"><small>${say("board-next-step")}${late > 0 && html` <span class="late">${say("board-steps-late", { count: late })}</span>`}</small><p><b>${whenText(step.at, slot.starts_at, p.language)}</b> ${stepTitle(step, say, p.language)}</p>
    <small>${Date.parse(step.at) > now ? say("board-in", { time: lasting(Date.parse(step.at) - now, say) }) : say("board-since", { time: lasting(now - Date.parse(step.at), say) })}</small></div>`;
  return html`<div class="run"><${Timeline} ...${p}/>
    ${slot.outcome ? html`<div class="next"><p><b>${say(`board-outcome-${slot.outcome}`)}</b></p></div>` : slot.bell === "rung" ? inOrder : html`<${Ready} ...${p}/>`}
    <div class="doing">${act.acts() && html`<button onClick=${() => act.open({ kind: "check-in" })}>${say("board-check-in")}<kbd>/</kbd></button>`}
      <button onClick=${() => act.open({ kind: "steps" })}>${say("board-steps", { done, count: steps.length })}</button>
      <button onClick=${() => act.open({ kind: "acts" })}>${say("board-given", { count: onTheirWay(state.snapshot).length })}</button>
      ${act.acts() && html`<button onClick=${() => act.open({ kind: "hall" })}>${say("board-hall-acts")}</button>`}</div></div>`;
};

// What stands between now and the bell, in the order in which it is done.
const Ready = ({ state, say, act, mono }) => {
  const { slot, rooms } = state.snapshot, from = slot.bell_from ?? slot.starts_at;
  const open = rooms.filter((room) => room.bell !== "rung");
  const item = (done, text) => html`<li class=${done ? "done" : ""}><${Sign} of=${done ? "done" : "waiting"}/>${text}</li>`;
  return html`<div class="ready"><ol>
    ${item(slot.papers_sealed > 0, slot.papers_sealed > 0 ? say("board-papers-sealed", { count: slot.papers_sealed }) : say("board-papers-none"))}
    ${item(slot.seals_shown_at !== null, slot.seals_shown_at ? say("board-seals-shown", { time: minuteText(slot.seals_shown_at) }) : say("board-seals-not-shown"))}
    ${item(slot.start_key_open, slot.start_key_open ? say("board-key-open") : act.leads() && slot.seals_shown_at !== null ? html`<a href="/custody">${say("board-key-closed")}</a>` : say("board-key-closed"))}
    ${item(false, open.length === rooms.length ? say(`board-bell-${slot.bell}`, { time: minuteText(from), late: lasting(legalNow(state, mono) - Date.parse(from), say) }) : say("board-bell-some", { rooms: open.map((r) => r.number).join(say("board-comma")) }))}</ol>
    ${act.chief() && slot.seals_shown_at === null && slot.papers_sealed > 0 && html`<button class="primary" onClick=${() => act.open({ kind: "seals" })}>${say("board-show-seals")}</button>`}
    ${act.chief() && slot.seals_shown_at !== null && html`<button class="primary" disabled=${!open.some((r) => ["ready", "overdue"].includes(r.bell))} onClick=${() => act.open({ kind: "bell" })}>${say("board-ring")}</button>`}</div>`;
};

const Room = (p) => {
  const { state, say, act, room } = p;
  const seats = seatsInPlace(state.snapshot, room), used = seats.filter((s) => s.sitting && s.state !== "absent").length;
  const cameras = state.snapshot.cameras.filter((c) => c.room === room.number);
  const good = cameras.filter((c) => c.online && c.faults.length === 0).length;
  const alerts = pendingAlerts(state.snapshot);
  const facts = [
    say("board-room-seats", { used, seats: room.seats }),
    room.invigilators.length ? say("board-room-staff", { names: room.invigilators.join(say("board-comma")) }) : null,
    cameras.length ? say(good === cameras.length ? "board-room-cameras" : "board-room-cameras-bad", { good, count: cameras.length }) : say("board-room-no-camera"),
    room.bell_at ? say("board-room-bell", { time: minuteText(room.bell_at), end: room.ends_at ? minuteText(room.ends_at) : "—" }) : null,
  ].filter(Boolean);
  const about = alerts.filter((a) => a.room === room.number && !/^\d+$/.test(a.about)).length;
  return html`<section class="room" aria-label=${say("board-room", { room: room.number })}>
    <h2>${say("board-room", { room: room.number })}<small>${facts.join(" · ")}</small>${room.paused && html`<span class="chip warn"><${Sign} of="paused"/>${say("board-paused")}</span>`}${room.halted && html`<span class="chip bad"><${Sign} of="halted"/>${room.resumes_at ? say("board-halted-until", { time: `${dayText(room.resumes_at, p.language)} ${minuteText(room.resumes_at)}` }) : say("board-halted")}</span>`}${about > 0 && html`<span class="chip bad">${say("board-room-alerts", { count: about })}</span>`}
      ${act.mayAct(room.number) && html`<button class="plain" onClick=${() => act.open({ kind: "room", room: room.number })}>${say("board-room-acts")}</button>`}</h2>
    <${Seats} ...${p} seats=${seats} alerts=${alerts}/></section>`;
};

// One tab stop per room: the arrow keys go from seat to seat as they stand on the screen.
const Seats = (p) => {
  const grid = useRef(null), [at, setAt] = useState(null);
  const key = (event) => {
    const buttons = [...grid.current.querySelectorAll("button")], i = buttons.indexOf(document.activeElement);
    if (i < 0) return;
    const from = buttons[i], level = (b) => Math.abs(b.offsetLeft - from.offsetLeft) < from.offsetWidth / 2;
    const below = buttons.findIndex((b) => b.offsetTop > from.offsetTop && level(b)), above = buttons.findLastIndex((b) => b.offsetTop < from.offsetTop && level(b));
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, ArrowDown: below, ArrowUp: above, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    setAt(buttons[to].dataset.sitting);
    buttons[to].focus();
  };
  const used = p.seats.filter((s) => s.sitting), stop = used.some((s) => s.sitting === at) ? at : used[0]?.sitting;
  return html`<div class="seats" ref=${grid} role="group" onKeyDown=${key}>${p.seats.map((seat) => (seat.sitting
    ? html`<${Seat} key=${seat.sitting} ...${p} seat=${seat} stop=${seat.sitting === stop}/>`
    : html`<div key=${`free-${seat.seat}`} class="seat free"><span class="n"><b>${seat.seat}</b></span><span class="who">${p.say("board-seat-free")}</span></div>`))}</div>`;
};

const KIND = { halted: "off", away: "call", done: "done", absent: "abs", offline: "off", call: "call", alert: "alert", lead: "lead", paused: "off", voided: "abs", checked_in: "in", waiting: "wait", writing: "" };

const Seat = ({ state, seat, alerts, say, act, stop, mono }) => {
  const sign = seatSign(seat, alerts);
  const share = seat.items ? Math.min(1, seat.answered / seat.items) : 0;
  const silent = seat.last_heard ? Math.round((legalNow(state, mono) - Date.parse(seat.last_heard)) / 1000) : null;
  const text = {
    absent: say("board-sign-absent"), voided: say("board-sign-voided"), waiting: say("board-sign-waiting"), checked_in: say("board-sign-checked_in"), paused: say("board-sign-paused"),
    done: say(seat.state === "collected" ? "board-sign-collected" : "board-sign-handed-in"), offline: say("board-sign-offline"), call: say("board-sign-call"),
    halted: say("board-sign-halted"), away: seat.away_since ? say("board-sign-away", { time: say("board-minutes", { minutes: Math.max(0, Math.floor((legalNow(state, mono) - Date.parse(seat.away_since)) / 60000)) }) }) : "",
    alert: say("board-sign-alert"), lead: say("board-sign-lead"),
  }[sign] ?? say("board-progress", { answered: seat.answered, items: seat.items || "—" });
  const label = [say("board-seat", { room: seat.room, seat: seat.seat }), seat.name, text, seat.items ? say("board-progress-of", { answered: seat.answered, items: seat.items }) : "", sign === "offline" && silent !== null ? say("board-silent-for", { time: lasting(silent * 1000, say) }) : ""].filter(Boolean).join(say("board-comma"));
  return html`<button class=${`seat ${KIND[sign] ?? ""}`} tabindex=${stop ? 0 : -1} aria-label=${label} title=${label} data-sign=${sign} data-sitting=${seat.sitting} onClick=${() => act.open({ kind: "seat", sitting: seat.sitting })}>
    <span class="n"><b>${seat.seat}</b><span class="sign"><${Sign} of=${sign}/></span></span>
    <span class="who"><span>${masked(seat.name)}</span><em>${text}</em></span>
    <span class="p"><i style=${{ transform: `scaleX(${seat.state === "absent" ? 0 : share})` }}></i></span></button>`;
};

const LEGEND = ["waiting", "checked_in", "done", "offline", "away", "call", "alert", "absent"];
const Legend = ({ say }) => html`<div class="leg">${LEGEND.map((sign) => html`<span class=${`k ${KIND[sign]}`} key=${sign}><${Sign} of=${sign}/>${say(`board-legend-${sign}`)}</span>`)}<span class="k bar"><i></i>${say("board-legend-progress")}</span></div>`;
