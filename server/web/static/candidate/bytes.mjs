// Hexadecimal and base64 to bytes and back.
export const hexOfBytes = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
export const bytesOfHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
export const bytesOfBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export const base64OfBytes = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
