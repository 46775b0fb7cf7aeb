// What the page knows, and how each message changes it. No socket, no disk, no clock here: `mono` (ms) is an argument.
export const START = Object.freeze({
  stage: "starting",      // starting | enrol | sign-in | seated | done | moved | halted | voided
  line: "connecting",     // connecting | open | lost | other-tab
  seat: null, seated: null, phase: null, phaseAt: 0, beacon: null, beaconAt: 0,
  sealed: null, key: null, paper: null, paperFault: false,
  answers: new Map(),     // number → value as the candidate sees it
  saved: new Map(),       // number → value as acknowledged by the server
  late: new Set(), waiting: 0, marks: new Set(), current: 1,
  refusal: null, ended: null, notices: [], called: false, handing: false, reported: new Set(),
  expecting: true,        // a candidate is checked in at this seat, as the server last said
});

const NOBODY = {
  seated: null, phase: null, sealed: null, key: null, paper: null, paperFault: false,
  answers: new Map(), saved: new Map(), late: new Set(), waiting: 0, marks: new Set(), current: 1,
  refusal: null, notices: [], called: false, handing: false, reported: new Set(),
};

// Nothing of the candidate stays; `change` says what is shown instead.
export const forgotten = (state, change) => ({ ...state, ...NOBODY, ...change });

const same = (a, b) => a !== undefined && b !== undefined && a.length === b.length && a.every((part, i) => part === b[i]);
const empty = (value) => !(value ?? []).some(Boolean);
export const isSaved = (state, number) => same(state.answers.get(number), state.saved.get(number));
export const isAnswered = (state, number) => !empty(state.answers.get(number));

// Numbers whose answer on the screen is not the one on the server's disk.
export const unsaved = (state) =>
  [...state.answers.keys()].filter((n) => !isSaved(state, n) && !(empty(state.answers.get(n)) && empty(state.saved.get(n))));

// Legal time now, in ms since 1970: the newest of phase and beacon, carried on by the monotonic clock times the rate.
export const legalNow = (state, mono) => {
  const fromBeacon = state.beacon && (!state.phase || state.beaconAt >= state.phaseAt);
  const [anchor, at] = fromBeacon ? [state.beacon, state.beaconAt] : [state.phase, state.phaseAt];
  return anchor ? Date.parse(anchor.now) + (mono - at) * anchor.rate : null;
};
export const msUntil = (state, iso, mono) => {
  const now = legalNow(state, mono);
  return iso === null || iso === undefined || now === null ? null : Date.parse(iso) - now;
};
export const running = (state, mono) =>
  state.phase?.kind === "running" && !state.phase.away && (state.phase.end === null || msUntil(state, state.phase.end, mono) > 0);
export const mayHandIn = (state, mono) => {
  if (!running(state, mono) || !state.phase.hand_in_opens) return false;
  const closes = state.phase.hand_in_closes;
  return msUntil(state, state.phase.hand_in_opens, mono) <= 0 && (!closes || msUntil(state, closes, mono) > 0);
};

const FINAL = ["done", "moved", "halted", "voided"];

export const step = (state, message, mono) => {
  switch (message.type) {
    case "welcome": {
      const seat = { id: message.seat, room: message.room, number: message.number, centre: message.centre };
      const stage = state.stage === "seated" || FINAL.includes(state.stage) ? state.stage : "sign-in";
      return { ...state, line: "open", seat, stage, handing: false };
    }
    // After a halt the seat waits for whoever is checked in here again.
    case "expecting": return { ...state, expecting: message.on, stage: state.stage === "halted" && message.on ? "sign-in" : state.stage };
    // A server whose standby was promoted is not believed any more.
    case "beacon": return (message.epoch ?? 1) < (state.beacon?.epoch ?? 1) ? state : { ...state, beacon: message, beaconAt: mono };
    case "phase": return { ...state, phase: message, phaseAt: mono };
    case "seated": {
      const saved = new Map(message.answers.map((a) => [a.number, a.value]));
      // The same candidate on another paper starts anew: what was answered on the one before has no place on it.
      const again = state.seated?.sitting === message.sitting && (state.seated.paper ?? message.paper) === message.paper;
      const before = again ? state : forgotten(state, {});
      const answers = new Map([...saved, ...before.answers]);
      return { ...before, stage: "seated", seated: message, refusal: null, saved, answers, marks: new Set(message.marks), ended: null };
    }
    case "sealed_paper":
      return state.paper?.id === message.paper.id ? state : { ...state, sealed: message.paper, paper: null, paperFault: false };
    case "paper_key": return { ...state, key: { paper: message.paper, key: message.key } };
    case "acknowledged": {
      if (message.outcome === "late") return { ...state, late: new Set(state.late).add(message.number) };
      if (message.outcome !== "counted" || !message.value) return state;
      return { ...state, saved: new Map(state.saved).set(message.number, message.value) };
    }
    case "refused": {
      const handing = message.about === "hand_in" ? false : state.handing;
      return { ...state, refusal: message, handing };
    }
    case "handed_in":
    case "collected": return forgotten(state, { stage: "done", ended: { ...message, kind: message.type, candidate: state.seated } });
    case "voided": return forgotten(state, { stage: "voided", ended: message });
    case "moved": return { ...state, stage: "moved", ended: message };
    case "halted": return { ...state, stage: "halted", ended: message };
    case "replaced": return { ...state, stage: "moved", ended: state.stage === "moved" ? state.ended : null };
    case "message": return { ...state, notices: [...state.notices.filter((n) => n.id !== message.id), message] };
    case "called": return { ...state, called: true };
    default: return state;
  }
};
