// RFC 9180 base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, on WebCrypto alone.
// Names follow the RFC. Output: encapsulated key (32 bytes) followed by ciphertext with tag.

const text = new TextEncoder();
const KEM_SUITE = Uint8Array.of(...text.encode("KEM"), 0x00, 0x20);
const HPKE_SUITE = Uint8Array.of(...text.encode("HPKE"), 0x00, 0x20, 0x00, 0x01, 0x00, 0x02);
const VERSION = text.encode("HPKE-v1");
const NOTHING = new Uint8Array(0);
const HASH_BYTES = 32;

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function hmac(key, data) {
  // WebCrypto refuses an empty HMAC key; a key of zeros is the same key to HMAC.
  const raw = key.length ? key : new Uint8Array(HASH_BYTES);
  const handle = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", handle, data));
}

function labeledExtract(suite, salt, label, input) {
  return hmac(salt, join(VERSION, suite, text.encode(label), input));
}

async function labeledExpand(suite, key, label, info, length) {
  // every length here is at most one block of the hash
  const labeled = join(Uint8Array.of(length >> 8, length & 255), VERSION, suite, text.encode(label), info);
  return (await hmac(key, join(labeled, Uint8Array.of(1)))).slice(0, length);
}

async function encapsulate(receiver) {
  const pair = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
  const enc = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const key = await crypto.subtle.importKey("raw", receiver, { name: "X25519" }, true, []);
  const shared = await crypto.subtle.deriveBits({ name: "X25519", public: key }, pair.privateKey, 256);
  const extracted = await labeledExtract(KEM_SUITE, NOTHING, "eae_prk", new Uint8Array(shared));
  const secret = await labeledExpand(KEM_SUITE, extracted, "shared_secret", join(enc, receiver), HASH_BYTES);
  return { enc, secret };
}

/** Encrypt `plaintext` (bytes) to a raw X25519 public key under `info` (bytes); returns bytes. */
export async function seal(receiver, plaintext, info) {
  const { enc, secret } = await encapsulate(receiver);
  const pskIdHash = await labeledExtract(HPKE_SUITE, NOTHING, "psk_id_hash", NOTHING);
  const infoHash = await labeledExtract(HPKE_SUITE, NOTHING, "info_hash", info);
  const context = join(Uint8Array.of(0), pskIdHash, infoHash);
  const extracted = await labeledExtract(HPKE_SUITE, secret, "secret", NOTHING);
  const key = await labeledExpand(HPKE_SUITE, extracted, "key", context, 32);
  const nonce = await labeledExpand(HPKE_SUITE, extracted, "base_nonce", context, 12);
  const handle = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, handle, plaintext);
  return join(enc, new Uint8Array(sealed));
}

/** Return the bytes of a hex text. */
export function bytesOf(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Return bytes as lower-case hex. */
export function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a passphrase of one opening is bound to. */
export function openingInfo(opening) {
  return text.encode(`gongyuan/opening/${opening}`);
}

/** Tell whether the centre (raw Ed25519 key, hex) signed this offer. The bytes are canonical JSON (RFC 8785). */
export async function offerIsSigned(offer) {
  const signed = {
    key: offer.public_key,
    kind: offer.kind,
    opening: offer.id,
    purpose: "gongyuan/opening-offer/1",
    subject: offer.subject,
  };
  const node = await crypto.subtle.importKey("raw", bytesOf(offer.node), { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify("Ed25519", node, bytesOf(offer.signature), text.encode(JSON.stringify(signed)));
}

/** Encrypt a passphrase for an offer whose signature was checked; returns hex for the server. */
export async function sealPassphrase(offer, passphrase) {
  const plain = text.encode(passphrase.normalize("NFC"));
  return hexOf(await seal(bytesOf(offer.public_key), plain, openingInfo(offer.id)));
}
