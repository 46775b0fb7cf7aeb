// The kiosk protocol's socket: connects, proves the seat, comes back with a jittered back-off. Messages are JSON.
import { bytesOfHex, hexOfBytes } from "./bytes.mjs";

const FIRST_WAIT_MS = 500, MOST_WAIT_MS = 6000, STABLE_MS = 30000;
// A line may stay open and carry nothing; beacons come every ten seconds (protocol/link.py).
const SILENT_MS = 30000, LOOK_MS = 1000;
// Where the centre has a second machine, one that does not take the line so long is left for the other.
const OPEN_MS = 10000;

export const seatProof = (nonceHex, seat) => {
  const head = new TextEncoder().encode("gongyuan/seat/1\0");
  const nonce = bytesOfHex(nonceHex), name = new TextEncoder().encode(seat);
  const all = new Uint8Array(head.length + nonce.length + name.length);
  all.set(head), all.set(nonce, head.length), all.set(name, head.length + nonce.length);
  return all;
};

// SHA-256 over [[number,[part,…]],…], ascending, items without an answer left out (server/protocol/envelope.py).
export const answersDigest = async (answers) => {
  const rows = [...answers.entries()].filter(([, value]) => value.some(Boolean)).sort((a, b) => a[0] - b[0]);
  const text = JSON.stringify(rows.map(([number, value]) => [number, value]));
  return hexOfBytes(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
};

export const answeredCount = (answers) => [...answers.values()].filter((value) => value.some(Boolean)).length;

export class Wire {
  // seat: { id, sign(bytes) → Promise<Uint8Array>, token(nonce) → Promise<string | null> }; on: { message(m), state("connecting"|"open"|"lost"), refusedSeat() }
  // urls: the centre's own address first, then its standby's; a line that ended is tried at the next one.
  constructor(urls, seat, on) {
    this.urls = urls; this.at = 0; this.seat = seat; this.on = on;
    this.failures = 0; this.socket = null; this.stopped = false; this.timer = null;
    addEventListener("online", () => this.again(0));
  }
  start() { this.stopped = false; this.connect(); }
  stop() { this.stopped = true; clearTimeout(this.timer); this.socket?.close(); }
  restart() { this.socket?.close(); }
  get open() { return this.socket?.readyState === WebSocket.OPEN && this.proved; }
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }
  connect() {
    if (this.stopped || (this.socket && this.socket.readyState <= WebSocket.OPEN)) return;
    this.proved = false;
    this.on.state("connecting");
    const socket = (this.socket = new WebSocket(this.urls[this.at], "gongyuan.exam.1"));
    let stable, heard = performance.now();
    const most = () => (socket.readyState === WebSocket.CONNECTING && this.urls.length > 1 ? OPEN_MS : SILENT_MS);
    const silent = setInterval(() => { if (performance.now() - heard > most()) { socket.close(); ended(0); } }, LOOK_MS);
    socket.onopen = () => { stable = setTimeout(() => (this.failures = 0), STABLE_MS); };
    socket.onmessage = async (event) => {
      if (this.socket !== socket) return;     // what a line given up still brings is said again on the new one
      heard = performance.now();
      const message = JSON.parse(event.data);
      if (message.type === "challenge") {
        const [signature, token] = await Promise.all([this.seat.sign(seatProof(message.nonce, this.seat.id)), this.seat.token?.(message.nonce)]);
        if (token === null) { socket.close(); return; }
        this.send({ type: "hello", seat: this.seat.id, signature: hexOfBytes(signature), version: message.version, agent: navigator.userAgent.slice(0, 200), token });
        return;
      }
      if (message.type === "ping") { this.send({ type: "pong", n: message.n, waiting: this.on.waiting() }); return; }
      if (message.type === "welcome") { this.proved = true; this.on.state("open"); }
      this.on.message(message);
    };
    socket.onclose = (event) => ended(event.code);
    // Not only when the socket has closed: on a silent line its farewell takes a minute.
    const ended = (code) => {
      clearTimeout(stable), clearInterval(silent);
      if (this.socket !== socket) return;
      this.socket = null; this.proved = false;
      this.on.state("lost");
      if (code === 4401) { this.on.refusedSeat(); }
      if (code === 4409) { this.stopped = true; this.on.otherTab(); return; }
      this.at = (this.at + 1) % this.urls.length;
      this.again(this.at ? FIRST_WAIT_MS * Math.random() : this.wait());
    };
  }
  wait() { const bound = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.failures++, 10)); return bound * (0.25 + 0.75 * Math.random()); }
  again(ms) { clearTimeout(this.timer); this.timer = setTimeout(() => this.connect(), ms); }
}
