// The sealed local journal's bytes, as server/protocol/journal.py has them: what is signed, and what is bound to what.
import { hexOfBytes } from "./bytes.mjs";

const utf8 = new TextEncoder();
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
export const joined = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
};
export const wrapInfo = (sitting, lease, seat) => utf8.encode(`gongyuan/journal-key/1\n${sitting}\n${lease}\n${seat}`);
export const headBytes = (sitting, lease, seat, wrappedHex) => utf8.encode(`gongyuan/journal/1\n${sitting}\n${lease}\n${seat}\n${wrappedHex}`);
export const entryAad = (sitting, lease, seq) => utf8.encode(`gongyuan/journal-answer/1\n${sitting}\n${lease}\n${seq}`);
export const entryBytes = async (previous, seq, iv, data) =>
  utf8.encode(`gongyuan/journal-entry/1\n${hexOfBytes(previous)}\n${seq}\n${hexOfBytes(await sha256(joined(iv, data)))}`);
export const settledBytes = (sitting, lease, { seq, outcome, number, hash, mac }) =>
  utf8.encode(`gongyuan/journal-receipt/1\n${sitting}\n${lease}\n${seq}\n${outcome}\n${number}\n${hash}\n${mac}`);

// Entries of one frame: at most 40, and at most 64 KB of ciphertext (the server reads no longer frames).
const MOST_ENTRIES = 40, MOST_BYTES = 65536;
export const frameOf = (copy, first) => {
  const entries = [];
  let length = 0;
  for (const entry of copy.entries.slice(first, first + MOST_ENTRIES)) {
    length += entry.data.length;
    if (entries.length && length > MOST_BYTES) break;
    entries.push(entry);
  }
  return { type: "late_journal", head: copy.head, first, entries };
};
export const fileOf = (copies) => JSON.stringify({ type: "gongyuan-journal/1", journals: copies });
