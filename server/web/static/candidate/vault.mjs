// What this seat keeps on its disk: its own key, and the sealed journal of every answer, written before it is sent.
// A journal (one lease of one sitting) has a data key of its own: here non-extractable, and wrapped for the centre's
// journal recovery key. When the candidate is gone the key is deleted: what is left can be offered to the centre or
// carried there, and nobody at this machine can read it.
import { openDB } from "idb";
import { seal as sealTo } from "/static/hpke.js";
import { base64OfBytes, bytesOfBase64, bytesOfHex, hexOfBytes } from "./bytes.mjs";
import { entryAad, entryBytes, headBytes, settledBytes, sha256, wrapInfo } from "./journal.mjs";

const utf8 = new TextEncoder();
const SETTLED_KEPT = 40;     // journals without an open entry that stay on the disk, for a centre that lost its own
const nameOf = (sitting, lease) => `${sitting}/${lease}`;
const placeName = (name, place) => `${name}/${String(place).padStart(7, "0")}`;
const rangeOf = (name) => IDBKeyRange.bound(`${name}/`, `${name}/\uffff`);

export class Vault {
  static async open() {
    const db = await openDB("gongyuan-seat", 2, {
      upgrade(db, from) {
        if (from === 1) db.deleteObjectStore("journal");
        for (const store of ["seat", "sitting", "journals", "entries"]) if (!db.objectStoreNames.contains(store)) db.createObjectStore(store);
      },
    });
    const vault = new Vault(db);
    vault.sittingKey = await db.get("seat", "sitting-key");
    if (!vault.sittingKey) {
      vault.sittingKey = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
      await db.put("seat", vault.sittingKey, "sitting-key");
    }
    vault.seat = (await db.get("seat", "seat")) ?? null;
    return vault;
  }
  constructor(db) { this.db = db; this.journal = null; this.places = new Map(); this.order = Promise.resolve(); }

  // Make a new seat key; it is kept only when the server has taken the one-time code for it.
  async newSeatKey() {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return { pair, publicHex: hexOfBytes(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))) };
  }
  async keepSeat(id, room, number, pair, kind = "page") { this.seat = { id, room, number, kind, key: pair.privateKey }; await this.db.put("seat", this.seat, "seat"); }
  async forgetSeat() { this.seat = null; await this.db.delete("seat", "seat"); }
  async sign(bytes) { return new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, this.seat.key, bytes)); }

  // The sitting this device holds: { sitting, lease, token, position }. In turn with the answers: of two positions the
  // later one stays, an answer's entry comes after the place it was given at, and what is forgotten stays forgotten.
  keepSitting(value) { return this.inTurn(() => this.writeSitting(value)); }
  // What the disk refuses is told to whoever asked for it, and stops nothing that comes after it.
  inTurn(work) {
    const done = this.order.then(work);
    this.order = done.catch(() => {});
    return done;
  }
  async writeSitting(value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.sittingKey, utf8.encode(JSON.stringify(value)));
    await this.db.put("sitting", { iv, data }, "sitting");
  }
  async sitting() {
    const sealed = await this.db.get("sitting", "sitting");
    return sealed ? JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.iv }, this.sittingKey, sealed.data))) : null;
  }

  // Go on with the journal of this lease, or begin it. Without a recovery key the journal stays this browser's own.
  async beginJournal(sitting, lease, recoveryHex) {
    const name = nameOf(sitting, lease);
    if (this.journal?.name === name) return;
    let row = await this.db.get("journals", name);
    if (!row?.key) row = await this.newJournal(sitting, lease, recoveryHex);
    const last = (await this.db.getAll("entries", rangeOf(name))).at(-1);
    this.journal = { name, sitting, lease, key: row.key, place: last ? last.place + 1 : 0, last: last ? last.hash : row.last };
  }
  async newJournal(sitting, lease, recoveryHex) {
    const seat = this.seat.id, raw = crypto.getRandomValues(new Uint8Array(32));
    const wrapped = recoveryHex ? hexOfBytes(await sealTo(bytesOfHex(recoveryHex), raw, wrapInfo(sitting, lease, seat))) : null;
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    raw.fill(0);
    const signed = headBytes(sitting, lease, seat, wrapped ?? "");
    const head = wrapped && { sitting, lease, seat, wrapped, signature: hexOfBytes(await this.sign(signed)) };
    const row = { sitting, lease, head, key, last: await sha256(signed), begun: Date.now() };
    await this.db.put("journals", row, nameOf(sitting, lease));
    return row;
  }
  // Entries are written one after the other: each signs the one before.
  keepAnswer(answer) { return this.inTurn(() => this.write(answer)); }
  async write({ seq, number, value, beacon, elapsed_ms, opening }) {
    const { journal } = this, { sitting, lease } = journal;
    const first = journal.place === 0 && opening?.beacon ? { opened: opening.beacon, opened_ms: opening.elapsed } : {};
    const iv = crypto.getRandomValues(new Uint8Array(12)), clear = utf8.encode(JSON.stringify({ number, value, beacon, elapsed_ms, ...first }));
    const data = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: entryAad(sitting, lease, seq) }, journal.key, clear));
    const signed = await entryBytes(journal.last, seq, iv, data), signature = hexOfBytes(await this.sign(signed)), hash = await sha256(signed);
    // Strict: on the disk itself before it is sent, so that a power cut takes nothing.
    const act = this.db.transaction("entries", "readwrite", { durability: "strict" });
    act.store.put({ seq, place: journal.place, iv, data, signature, hash, settled: false, receipt: null }, placeName(journal.name, journal.place));
    await act.done;
    this.places.set(`${journal.name}/${seq}`, journal.place);
    journal.last = hash;
    journal.place += 1;
  }
  // The server has it on disk (`told` is its acknowledgement, kept under this seat's signature), or will never take
  // it: it is not sent again.
  settleAnswer(sitting, lease, seq, told = null) {
    return this.inTurn(async () => {
      const named = told && { seq, outcome: told.outcome, ...told.receipt };
      const receipt = named && { ...named, signature: hexOfBytes(await this.sign(settledBytes(sitting, lease, named))) };
      const name = nameOf(sitting, lease), place = this.places.get(`${name}/${seq}`);
      const found = place === undefined ? null : await this.db.get("entries", placeName(name, place));
      if (found) await this.db.put("entries", { ...found, settled: true, receipt }, placeName(name, place));
      this.places.delete(`${name}/${seq}`);
    });
  }
  // Answers that this candidate gave here and the server has not acknowledged, in order.
  async answers() {
    const found = [];
    for (const row of await this.db.getAll("journals")) {
      if (!row.key) continue;
      for (const entry of await this.db.getAll("entries", rangeOf(nameOf(row.sitting, row.lease)))) {
        if (entry.settled) continue;
        this.places.set(`${nameOf(row.sitting, row.lease)}/${entry.seq}`, entry.place);
        const clear = await crypto.subtle.decrypt({ name: "AES-GCM", iv: entry.iv, additionalData: entryAad(row.sitting, row.lease, entry.seq) }, row.key, entry.data);
        const { number, value, beacon, elapsed_ms } = JSON.parse(new TextDecoder().decode(clear));
        found.push({ sitting: row.sitting, lease: row.lease, seq: entry.seq, number, value, beacon, elapsed_ms });
      }
    }
    return found.sort((a, b) => a.lease - b.lease || a.seq - b.seq);
  }
  // Nothing of the candidate can be read here any more, but for a sitting named; sealed entries stay.
  async forgetCandidate(but = null) {
    await this.order;
    if (!but) { this.journal = null; await this.db.clear("sitting"); }
    const rows = (await this.db.getAll("journals")).sort((a, b) => b.begun - a.begun);
    let settled = 0;
    for (const row of rows) {
      if (row.sitting === but) continue;
      const name = nameOf(row.sitting, row.lease), open = (await this.db.getAll("entries", rangeOf(name))).some((entry) => !entry.settled);
      if (!row.head || (!open && ++settled > SETTLED_KEPT)) { await this.db.delete("entries", rangeOf(name)); await this.db.delete("journals", name); }
      else if (row.key) await this.db.put("journals", { ...row, key: null }, name);
    }
  }

  // Journals that the server has not all of, as they are offered (those of candidates who are gone) or carried
  // (`mine`: the present candidate's whole one, too; `all`: whatever is kept, with receipts, for a centre that lost
  // its answers).
  async copies({ mine, all = false }) {
    await this.order;     // what was given a moment ago is still on its way to the disk
    const found = [];
    for (const row of await this.db.getAll("journals")) {
      if (!row.head || (!mine && (row.key || row.refused))) continue;
      const rows = await this.db.getAll("entries", rangeOf(nameOf(row.sitting, row.lease)));
      if (!rows.length || (!all && !row.key && rows.every((entry) => entry.settled))) continue;
      const entries = rows.map(({ seq, iv, data, signature }) => ({ seq, iv: base64OfBytes(iv), data: base64OfBytes(data), signature }));
      const receipts = rows.map((entry) => entry.receipt).filter((receipt) => receipt?.signature);
      found.push(all ? { head: row.head, entries, receipts } : { head: row.head, entries });
    }
    return found;
  }
  // The centre will not take it from here: it is not offered again, and can still be carried.
  async refuseJournal(sitting, lease, code) {
    const name = nameOf(sitting, lease), row = await this.db.get("journals", name);
    if (row) await this.db.put("journals", { ...row, refused: code }, name);
  }
  async settleJournal(sitting, lease) {
    const name = nameOf(sitting, lease);
    for (const entry of await this.db.getAll("entries", rangeOf(name))) if (!entry.settled) await this.db.put("entries", { ...entry, settled: true }, placeName(name, entry.place));
  }
}

// Open a sealed paper with the 32 bytes that the bell released; throws when key, ciphertext or hash do not agree.
export const openPaper = async (sealed, keyHex) => {
  const key = await crypto.subtle.importKey("raw", bytesOfHex(keyHex), "AES-GCM", false, ["decrypt"]);
  const plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytesOfBase64(sealed.nonce), additionalData: bytesOfBase64(sealed.aad) }, key, bytesOfBase64(sealed.ciphertext)));
  const hash = hexOfBytes(new Uint8Array(await crypto.subtle.digest("SHA-256", plain)));
  if (hash !== hexOfBytes(bytesOfBase64(sealed.hash))) throw new Error("paper hash differs");
  return JSON.parse(new TextDecoder().decode(plain));
};
