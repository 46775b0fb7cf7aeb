// What this seat keeps on its disk: its own key, and the encrypted journal of answers that the server has not
// acknowledged. Keys are non-extractable: a copied disk image holds no key that leaves this browser.
import { openDB } from "idb";
import { bytesOfBase64, bytesOfHex, hexOfBytes } from "./bytes.mjs";

const utf8 = new TextEncoder();

export class Vault {
  static async open() {
    const db = await openDB("gongyuan-seat", 1, { upgrade(db) { db.createObjectStore("seat"); db.createObjectStore("journal"); db.createObjectStore("sitting"); } });
    const vault = new Vault(db);
    vault.journalKey = await db.get("seat", "journal-key");
    if (!vault.journalKey) {
      vault.journalKey = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
      await db.put("seat", vault.journalKey, "journal-key");
    }
    vault.seat = (await db.get("seat", "seat")) ?? null;
    return vault;
  }
  constructor(db) { this.db = db; }

  // Make a new seat key; it is kept only when the server has taken the one-time code for it.
  async newSeatKey() {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return { pair, publicHex: hexOfBytes(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))) };
  }
  async keepSeat(id, room, number, pair) { this.seat = { id, room, number, key: pair.privateKey }; await this.db.put("seat", this.seat, "seat"); }
  async forgetSeat() { this.seat = null; await this.db.delete("seat", "seat"); }
  async sign(bytes) { return new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, this.seat.key, bytes)); }

  async seal(value, name) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, data: await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8.encode(name) }, this.journalKey, utf8.encode(JSON.stringify(value))) };
  }
  async unseal(sealed, name) {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.iv, additionalData: utf8.encode(name) }, this.journalKey, sealed.data);
    return JSON.parse(new TextDecoder().decode(plain));
  }
  // The sitting this device holds: { sitting, lease, token, nextSeq, position }.
  async keepSitting(value) { await this.db.put("sitting", await this.seal(value, "sitting"), "sitting"); }
  async sitting() { const sealed = await this.db.get("sitting", "sitting"); return sealed ? this.unseal(sealed, "sitting") : null; }
  // Answers on their way, by `lease/seq`.
  async keepAnswer(answer) { const name = `${answer.lease}/${answer.seq}`; await this.db.put("journal", await this.seal(answer, name), name); }
  async dropAnswer(lease, seq) { await this.db.delete("journal", `${lease}/${seq}`); }
  async answers() {
    const found = [];
    for (const name of await this.db.getAllKeys("journal")) found.push(await this.unseal(await this.db.get("journal", name), name));
    return found.sort((a, b) => a.lease - b.lease || a.seq - b.seq);
  }
  async forgetCandidate() { await this.db.clear("journal"); await this.db.clear("sitting"); }
}

// Open a sealed paper with the 32 bytes that the bell released; throws when key, ciphertext or hash do not agree.
export const openPaper = async (sealed, keyHex) => {
  const key = await crypto.subtle.importKey("raw", bytesOfHex(keyHex), "AES-GCM", false, ["decrypt"]);
  const plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytesOfBase64(sealed.nonce), additionalData: bytesOfBase64(sealed.aad) }, key, bytesOfBase64(sealed.ciphertext)));
  const hash = hexOfBytes(new Uint8Array(await crypto.subtle.digest("SHA-256", plain)));
  if (hash !== hexOfBytes(bytesOfBase64(sealed.hash))) throw new Error("paper hash differs");
  return JSON.parse(new TextDecoder().decode(plain));
};
