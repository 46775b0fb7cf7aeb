// The wall's socket messages as values; mirrors `server/protocol/wall.py`. Nothing here touches the page.
export const LATE_AFTER_MS = 6000;

// One binary frame: version, length of the id, id, milliseconds since 1970 (signed, big-endian), JPEG.
export const unpackPicture = (buffer) => {
  const view = new DataView(buffer), length = view.byteLength > 1 ? view.getUint8(1) : 0;
  if (view.byteLength < 10 + length || view.getUint8(0) !== 1) return null;
  const camera = new TextDecoder().decode(new Uint8Array(buffer, 2, length));
  return { camera, at: Number(view.getBigInt64(2 + length)), jpeg: new Uint8Array(buffer, 10 + length) };
};

export const START = Object.freeze({ line: "connecting", epoch: null, id: null, seats: new Map(), health: new Map(), alerts: new Map(), cameras: [], now: 0, rate: 1, at: 0, heard: 0, ended: null });

const seatKey = (seat) => `${seat.room} ${seat.seat}`;
const taken = (state, event) => {
  switch (event.type) {
    case "seats": return { ...state, id: event.id, seats: new Map([...state.seats, ...event.seats.map((s) => [seatKey(s), s])]) };
    case "camera": return { ...state, id: event.id, health: new Map([...state.health, [event.camera.camera, event.camera]]) };
    case "alert": return { ...state, id: event.id, alerts: new Map([...state.alerts, [event.alert.key, event.alert]]) };
    default: return state;
  }
};

// What the wall knows after one text message; `mono` are monotonic milliseconds.
export const step = (state, message, mono) => {
  const heard = { ...state, line: "open", heard: mono };
  switch (message.type) {
    case "start": return {
      ...heard, epoch: message.epoch, id: message.snapshot.id, cameras: message.cameras,
      seats: new Map(message.snapshot.seats.map((s) => [seatKey(s), s])),
      health: new Map(message.snapshot.cameras.map((c) => [c.camera, c])),
      alerts: new Map(message.snapshot.alerts.map((a) => [a.key, a])),
    };
    case "events": return message.events.reduce((now, event) => (event.id === now.id + 1 ? taken(now, event) : { ...now, missed: true }), heard);
    case "cameras": return { ...heard, cameras: message.cameras };
    case "tick": return { ...heard, now: Date.parse(message.now), rate: message.rate, at: mono, missed: heard.missed || message.id !== heard.id };
    case "ended": return { ...state, ended: message.code };
    default: return state;
  }
};

export const legalNow = (state, mono) => state.now + (mono - state.at) * state.rate;
export const liveness = (state, mono) => (state.line !== "open" ? "offline" : mono - state.heard > LATE_AFTER_MS ? "stale" : "live");
export const seatState = (state, camera, seat) => state.seats.get(`${camera.room} ${seat}`)?.state ?? "unknown";

const OPEN = ["open", "awaiting_second", "noted"];
export const openAlerts = (state, room) => [...state.alerts.values()].filter((a) => a.room === room && OPEN.includes(a.state) && !(a.state === "noted" && a.ended_at));

// "bad": no picture or a fault; "alert": people should look; "good" otherwise.
export const condition = (state, camera) => {
  const health = state.health.get(camera.id);
  if (!health || !health.online || health.faults.length) return "bad";
  return openAlerts(state, camera.room).some((a) => !a.ended_at) ? "alert" : "good";
};
const RANK = { bad: 0, alert: 1, good: 2 };
export const inOrder = (state, first) => [...state.cameras].sort((a, b) =>
  (first === "worst" ? RANK[condition(state, a)] - RANK[condition(state, b)] : 0) || a.room.localeCompare(b.room, "en", { numeric: true }) || a.id.localeCompare(b.id));
