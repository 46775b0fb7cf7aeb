// The desk's first page: asks for the opening, encrypts each passphrase before it leaves the browser, counts down.
// All sentences stand in the page; none is written here.
import { offerIsSigned, sealPassphrase } from "/static/hpke.js";
import { ask } from "/static/desk/asking.mjs";

function show(place, sentence, kind) {
  place.textContent = sentence;
  place.className = `notice ${kind}`;
  place.hidden = !sentence;
}

const begin = document.getElementById("begin-form");
if (begin) {
  const place = begin.querySelector("[role=status]");
  begin.inert = false;
  begin.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = begin.querySelector("button");
    button.disabled = true;
    try {
      await ask("/api/desk", { bank: begin.elements.bank.value, minutes: Number(begin.elements.minutes.value) });
      window.location.reload();
    } catch (error) {
      show(place, error.message || begin.dataset.failed, "bad");
      button.disabled = false;
    }
  });
}

const entry = document.getElementById("passphrase-form");
if (entry) {
  const place = entry.querySelector("[role=status]");
  const button = entry.querySelector("button");
  const offer = await ask("/api/desk/offer");
  if (!(await offerIsSigned(offer))) {
    button.disabled = true;
    show(place, entry.dataset.unsigned, "bad");
  }
  const known = (await ask("/api/desk")).accepted.length;
  entry.inert = false;
  entry.elements.passphrase.focus();
  entry.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const field = entry.elements.passphrase;
    try {
      const sealed = await sealPassphrase(offer, field.value);
      await ask("/api/desk/passphrases", { opening: offer.id, custodian: entry.elements.custodian.value, sealed });
      window.location.reload();
    } catch (error) {
      show(place, error.message || entry.dataset.failed, "bad");
      button.disabled = false;
    }
    field.value = "";
    field.focus();
  });
  // The other custodian may sit at another browser: look now and then whether he has been here.
  setInterval(async () => {
    // Asked before and after: what was begun while the answer was on its way is not thrown away.
    const typing = () => entry.elements.passphrase.value || button.disabled;
    if (typing()) return;
    const now = await ask("/api/desk").catch(() => null);
    if (!typing() && now && (now.state !== "waiting" || now.accepted.length !== known)) window.location.reload();
  }, 4000);
}

const open = document.querySelector("#desk[data-state=open]");
if (open) {
  const until = performance.now() + Number(open.dataset.left) * 1000;
  const left = document.getElementById("left"), soon = document.getElementById("soon");
  const two = (n) => String(n).padStart(2, "0");
  const tick = () => {
    const s = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    left.textContent = `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
    const words = s === 0 ? open.dataset.over : s < 600 ? open.dataset.soon : "";
    if (soon.textContent !== words) show(soon, words, "warn");
  };
  tick();
  setInterval(tick, 1000);
}
