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

// Left, top, right, bottom of points.
export const sides = (points) => { const xs = points.map((q) => q[0]), ys = points.map((q) => q[1]); return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]; };
export const middle = (points) => { const [x1, y1, x2, y2] = sides(points); return [(x1 + x2) / 2, (y1 + y2) / 2]; };

// A zone moves as a whole and stops at the picture's edge; an upright rectangle stays one when a corner moves, and is never turned inside out.
export const zoneMoved = (zone, dx, dy, size) => {
  const [x1, y1, x2, y2] = sides(zone);
  return shifted(zone, held(x1 + dx, size.width - (x2 - x1)) - x1, held(y1 + dy, size.height - (y2 - y1)) - y1);
};
const edge = (to, far, from, most) => (from > far ? Math.min(Math.max(to, far + SMALLEST), most) : Math.max(Math.min(to, far - SMALLEST), 0));
export const zoneCornerMoved = (zone, corner, dx, dy, size) => {
  const [x, y] = zone[corner], upright = zone.length === 4 && new Set(zone.map((q) => q[0])).size === 2 && new Set(zone.map((q) => q[1])).size === 2;
  if (!upright) return zone.map((q, n) => (n === corner ? [held(x + dx, size.width), held(y + dy, size.height)] : q));
  const far = zone[(corner + 2) % 4], at = [edge(x + dx, far[0], x, size.width), edge(y + dy, far[1], y, size.height)];
  return zone.map((q) => [q[0] === x ? at[0] : q[0], q[1] === y ? at[1] : q[1]]);
};
export const zoneScaled = (zone, factor, size) => {
  const [cx, cy] = middle(zone), [x1, y1, x2, y2] = sides(zone), by = Math.max(factor, SMALLEST / Math.min(x2 - x1, y2 - y1));
  return zone.map(([x, y]) => [held(cx + (x - cx) * by, size.width), held(cy + (y - cy) * by, size.height)]);
};

// A seat given by its box: its head point stays where the box holds it, else it is where a face in such a box is expected.
export const boxed = (seat, box) => {
  const [x1, y1, x2, y2] = sides(box), [x, y] = seat.head, tall = (y2 - y1) / (ABOVE + BELOW);
  const head = x >= x1 && x <= x2 && y >= y1 && y <= y2 ? {} : { head: [(x1 + x2) / 2, y1 + ABOVE * tall], head_px: Math.min(2000, Math.max(4, tall)) };
  return confirmed({ ...seat, ...head, polygon: box });
};

// Who stands in front hides who sits behind: nearer to the camera, and over a tenth of the box.
export const withOcclusion = (seats) => seats.map((seat) => {
  const [x1, y1, x2, y2] = sides(seat.polygon);
  const fronts = seats.filter((other) => {
    if (other.seat === seat.seat || other.head[1] <= seat.head[1] + seat.head_px / 2) return false;
    const [a1, b1, a2, b2] = sides(other.polygon);
    return Math.max(0, Math.min(x2, a2) - Math.max(x1, a1)) * Math.max(0, Math.min(y2, b2) - Math.max(y1, b1)) >= 0.1 * (x2 - x1) * (y2 - y1);
  });
  return { ...seat, hidden_by: fronts.map((other) => other.seat).sort() };
});
