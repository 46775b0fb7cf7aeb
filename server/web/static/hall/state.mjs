// What the board knows, and how each message changes it; mirrors `server/protocol/board.py`. Times in ms; `mono` is an argument.
export const LATE_AFTER_MS = 6000;

export const START = Object.freeze({ line: "connecting", snapshot: null, now: 0, rate: 1, at: 0, heard: 0, ended: null });

const replaced = (old, changed, key) => {
  if (!changed?.length) return old;
  const byKey = new Map(old.map((one) => [one[key], one]));
  for (const one of changed) byKey.set(one[key], one);
  return [...byKey.values()];
};

// The snapshot after one change; null when a change was missed and a fresh snapshot is needed.
export const applied = (snapshot, change) => {
  if (!snapshot || change.id !== snapshot.id + 1) return null;
  const gone = new Set(change.alerts_gone ?? []);
  return {
    ...snapshot, id: change.id,
    slot: change.slot ?? snapshot.slot,
    rooms: replaced(snapshot.rooms, change.rooms, "number"),
    seats: replaced(snapshot.seats, change.seats, "sitting"),
    counts: change.counts ?? snapshot.counts,
    steps: replaced(snapshot.steps, change.steps, "code"),
    alerts: replaced(snapshot.alerts, change.alerts, "key").filter((alert) => !gone.has(alert.key)),
    cameras: replaced(snapshot.cameras, change.cameras, "camera"),
    incidents: replaced(snapshot.incidents, change.incidents, "id"),
    acts: replaced(snapshot.acts, change.acts, "id"),
  };
};

const anchored = (state, message, mono) => ({ ...state, line: "open", now: Date.parse(message.now), rate: message.rate ?? state.rate, at: mono, heard: mono });

export const step = (state, message, mono) => {
  switch (message.type) {
    case "snapshot": return { ...anchored(state, message, mono), snapshot: message, missed: false };
    case "change": {
      const snapshot = applied(state.snapshot, message);
      return snapshot ? { ...anchored(state, message, mono), snapshot } : { ...state, missed: true };
    }
    case "tick": return { ...anchored(state, message, mono), missed: !state.snapshot || message.id !== state.snapshot.id };
    case "ended": return { ...state, ended: message.code };
    default: return state;
  }
};

// Legal time now: the server's last word carried on by the monotonic clock times the rate.
export const legalNow = (state, mono) => state.now + (mono - state.at) * state.rate;
export const liveness = (state, mono) => (state.line !== "open" ? "offline" : mono - state.heard > LATE_AFTER_MS ? "stale" : "live");
export const silentSeconds = (state, mono) => Math.max(0, Math.round((mono - state.heard) / 1000));

const OPEN_ALERTS = ["open", "awaiting_second", "noted"];
export const isOpen = (alert) => OPEN_ALERTS.includes(alert.state);

// Open alerts, the worst first: those that ring, then by score; a noted one that has ended needs nobody any more.
export const pendingAlerts = (snapshot) =>
  snapshot.alerts.filter((a) => isOpen(a) && !(a.state === "noted" && a.ended_at))
    .sort((a, b) => Number(b.rings) - Number(a.rings) || b.score - a.score || Date.parse(a.opened_at) - Date.parse(b.opened_at));
export const settledAlerts = (snapshot) =>
  snapshot.alerts.filter((a) => !isOpen(a) || (a.state === "noted" && a.ended_at)).sort((a, b) => Date.parse(b.last_at) - Date.parse(a.last_at));
export const proposed = (snapshot) => snapshot.incidents.filter((i) => i.state === "proposed");
export const unreported = (snapshot) => snapshot.incidents.filter((i) => i.report_to !== "chief" && i.reported_at === null);
// The step of now: what is due, else what comes; steps whose time has passed are counted apart.
export const nextStep = (snapshot) => snapshot.steps.find((s) => s.state === "due") ?? snapshot.steps.find((s) => s.state === "ahead") ?? snapshot.steps.find((s) => s.state === "late") ?? null;
export const lateSteps = (snapshot) => snapshot.steps.filter((s) => s.state === "late").length;

// A room as it stands: every seat has its place, also one that nobody uses; an absentee whose seat another has taken comes last.
export const seatsInPlace = (snapshot, room) => {
  const here = snapshot.seats.filter((s) => s.room === room.number);
  const gone = (s) => s.state === "absent" && here.some((o) => o.seat === s.seat && o !== s);
  const placed = here.filter((s) => !gone(s)).sort((a, b) => a.seat - b.seat), taken = new Set(placed.map((s) => s.seat));
  const free = Array.from({ length: room.seats }, (_, i) => i + 1).filter((n) => !taken.has(n)).map((n) => ({ seat: n, sitting: null }));
  return [...[...placed, ...free].sort((a, b) => a.seat - b.seat), ...here.filter(gone)];
};

// The newest acts first; one that some kiosk has not done yet is still on its way.
export const actsInOrder = (snapshot) => [...snapshot.acts].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
export const onTheirWay = (snapshot) => snapshot.acts.filter((a) => a.done < a.reached && !a.undone_by);

const rank = (number) => [Number.parseInt(number, 10) || 0, number];
export const roomsInOrder = (snapshot) => [...snapshot.rooms].sort((a, b) => rank(a.number)[0] - rank(b.number)[0] || (a.number < b.number ? -1 : 1));

// What a seat shows: an alert stands above a call, a call above the line, the line above the sitting's own state.
export const seatSign = (seat, alerts) => {
  if (alerts.some((a) => a.about === String(seat.seat) && a.room === seat.room && !a.ended_at && a.state !== "noted")) return "alert";
  if (alerts.some((a) => a.about === String(seat.seat) && a.room === seat.room)) return "lead";
  if (seat.calls > 0) return "call";
  return seat.sign;
};
