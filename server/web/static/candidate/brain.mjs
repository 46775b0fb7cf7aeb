// What the page knows, and how each message changes it. No socket, no disk, no clock here: `mono` (ms) is an argument.
export const START = Object.freeze({
  stage: "starting",      // starting | enrol | sign-in | seated | done | moved | voided
  line: "connecting",     // connecting | open | lost | other-tab
  seat: null, seated: null, phase: null, phaseAt: 0, beacon: null, beaconAt: 0,
  sealed: null, key: null, paper: null, paperFault: false,
  answers: new Map(),     // number → value as the candidate sees it
  saved: new Map(),       // number → value as acknowledged
  late: new Set(), waiting: 0, marks: new Set(), current: 1,
  refusal: null, ended: null, notices: [], called: false, handing: false,
});

const same = (a, b) => a !== undefined && b !== undefined && a.length === b.length && a.every((part, i) => part === b[i]);
export const isSaved = (state, number) => same(state.answers.get(number), state.saved.get(number));
export const isAnswered = (state, number) => (state.answers.get(number) ?? []).some(Boolean);

// Legal time now, in ms since 1970: the newest of phase and beacon, carried on by the monotonic clock times the rate.
export const legalNow = (state, mono) => {
  const anchor = state.beaconAt >= state.phaseAt && state.beacon ? [state.beacon, state.beaconAt] : state.phase ? [state.phase, state.phaseAt] : null;
  return anchor ? Date.parse(anchor[0].now) + (mono - anchor[1]) * anchor[0].rate : null;
};
export const msUntil = (state, iso, mono) => (iso === null || iso === undefined || legalNow(state, mono) === null ? null : Date.parse(iso) - legalNow(state, mono));
export const running = (state, mono) => state.phase?.kind === "running" && (msUntil(state, state.phase.end, mono) ?? 1) > 0;
export const mayHandIn = (state, mono) => running(state, mono) && state.phase.hand_in_opens !== null && msUntil(state, state.phase.hand_in_opens, mono) <= 0 && msUntil(state, state.phase.hand_in_closes, mono) > 0;

const over = (state, message, kind) => ({ ...state, stage: "done", ended: { ...message, kind }, paper: null, sealed: null, key: null, answers: new Map(), saved: new Map(), handing: false });

export const step = (state, message, mono) => {
  switch (message.type) {
    case "welcome": return { ...state, line: "open", seat: { id: message.seat, room: message.room, number: message.number, centre: message.centre }, stage: state.seated && state.stage === "seated" ? "seated" : ["done", "moved", "voided"].includes(state.stage) ? state.stage : "sign-in" };
    case "beacon": return { ...state, beacon: message, beaconAt: mono };
    case "phase": return { ...state, phase: message, phaseAt: mono };
    case "seated": {
      const saved = new Map(message.answers.map((a) => [a.number, a.value]));
      const kept = state.seated?.sitting === message.sitting ? state.answers : new Map();
      return { ...state, stage: "seated", seated: message, refusal: null, saved, answers: new Map([...saved, ...kept]), marks: new Set(message.marks), ended: null };
    }
    case "sealed_paper": return state.paper?.id === message.paper.id ? state : { ...state, sealed: message.paper, paper: null };
    case "paper_key": return { ...state, key: { paper: message.paper, key: message.key } };
    case "acknowledged": {
      const late = new Set(state.late), saved = new Map(state.saved);
      if (message.outcome === "late") late.add(message.number); else if (message.value && message.outcome === "counted") saved.set(message.number, message.value);
      return { ...state, saved, late };
    }
    case "refused": return { ...state, refusal: message, handing: message.about === "hand_in" ? false : state.handing };
    case "handed_in": return over(state, message, "handed_in");
    case "collected": return over(state, message, "collected");
    case "voided": return { ...over(state, message, "voided"), stage: "voided" };
    case "moved": return { ...state, stage: "moved", ended: message };
    case "replaced": return { ...state, stage: "moved", ended: null };
    case "message": return { ...state, notices: [...state.notices.filter((n) => n.id !== message.id), message] };
    case "called": return { ...state, called: true };
    default: return state;
  }
};
