// Seats on a picture as values: moving, resizing, adding; every act gives a new list and leaves the old one as it was.
export const SIDE = 0.8, ABOVE = 0.7, BELOW = 1.65;      // as server/proctor/seats.py: a seat around its head point, in face heights

export const regionAt = (seat, x, y, tall) => ({
  seat, head: [x, y], head_px: tall, hidden_by: [], sureness: 1, basis: "drawn",
  polygon: [[x - SIDE * tall, y - ABOVE * tall], [x + SIDE * tall, y - ABOVE * tall], [x + SIDE * tall, y + BELOW * tall], [x - SIDE * tall, y + BELOW * tall]],
});
const confirmed = (seat) => ({ ...seat, sureness: 1, basis: "drawn" });
const shifted = (points, dx, dy) => points.map(([x, y]) => [x + dx, y + dy]);
const held = (value, most) => Math.min(Math.max(value, 0), most);

// Moves stop at the picture's edge, so that no seat leaves it.
export const moved = (seat, dx, dy, size) => {
  const x = held(seat.head[0] + dx, size.width) - seat.head[0], y = held(seat.head[1] + dy, size.height) - seat.head[1];
  return confirmed({ ...seat, head: [seat.head[0] + x, seat.head[1] + y], polygon: shifted(seat.polygon, x, y) });
};
export const headMoved = (seat, dx, dy, size) => confirmed({ ...seat, head: [held(seat.head[0] + dx, size.width), held(seat.head[1] + dy, size.height)] });
export const cornerMoved = (seat, corner, dx, dy, size) => confirmed({ ...seat, polygon: seat.polygon.map(([x, y], n) => (n === corner ? [held(x + dx, size.width), held(y + dy, size.height)] : [x, y])) });
export const scaled = (seat, factor) => confirmed({ ...seat, head_px: Math.min(2000, Math.max(4, seat.head_px * factor)), polygon: seat.polygon.map(([x, y]) => [seat.head[0] + (x - seat.head[0]) * factor, seat.head[1] + (y - seat.head[1]) * factor]) });
export const sure = confirmed;

export const changed = (seats, name, how) => seats.map((seat) => (seat.seat === name ? how(seat) : seat));
export const removed = (seats, name) => seats.filter((seat) => seat.seat !== name).map((seat) => ({ ...seat, hidden_by: seat.hidden_by.filter((other) => other !== name) }));
export const inOrder = (seats) => [...seats].sort((a, b) => a.seat.localeCompare(b.seat, "en", { numeric: true }));
export const nextName = (seats) => String(Math.max(0, ...seats.map((s) => Number.parseInt(s.seat, 10) || 0)) + 1);

// The upright rectangle between two places, inside the picture; null where it is too small to be meant.
const SMALLEST = 8;
export const zoneBetween = ([ax, ay], [bx, by], size) => {
  const [x1, x2] = [ax, bx].map((x) => held(x, size.width)).sort((a, b) => a - b), [y1, y2] = [ay, by].map((y) => held(y, size.height)).sort((a, b) => a - b);
  return x2 - x1 < SMALLEST || y2 - y1 < SMALLEST ? null : [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
};

// Who stands in front hides who sits behind: nearer to the camera, and over a tenth of the box.
const box = (seat) => { const xs = seat.polygon.map((q) => q[0]), ys = seat.polygon.map((q) => q[1]); return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]; };
export const withOcclusion = (seats) => seats.map((seat) => {
  const [x1, y1, x2, y2] = box(seat);
  const fronts = seats.filter((other) => {
    if (other.seat === seat.seat || other.head[1] <= seat.head[1] + seat.head_px / 2) return false;
    const [a1, b1, a2, b2] = box(other);
    return Math.max(0, Math.min(x2, a2) - Math.max(x1, a1)) * Math.max(0, Math.min(y2, b2) - Math.max(y1, b1)) >= 0.1 * (x2 - x1) * (y2 - y1);
  });
  return { ...seat, hidden_by: fronts.map((other) => other.seat).sort() };
});
