// The custody pages: begins openings and ceremonies, and encrypts each passphrase before it leaves the browser.
// All sentences stand in the page (data-text-… of #texts); none is written here.

import { offerIsSigned, sealPassphrase } from "/static/hpke.js";

const texts = document.getElementById("texts").dataset;

function csrf() {
  const name = `${document.documentElement.dataset.csrfCookie}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? "";
}

async function ask(path, body) {
  const options = { headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.headers["x-csrftoken"] = csrf();
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const data = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(data?.title ?? texts.failed);
  return data;
}

function show(place, sentence, kind) {
  place.textContent = sentence;
  place.className = `notice ${kind}`;
  place.hidden = false;
}

// The people named in a form's pairs of fields; a pair without a username names nobody.
function peopleOf(fields) {
  const names = fields.getAll("name");
  return fields
    .getAll("username")
    .map((username, i) => ({ username: username.trim(), name: (names[i].trim() || username).trim() }))
    .filter((one) => one.username);
}

function leaving(form, fate) {
  return [...form.querySelectorAll("[data-custodian]")]
    .filter((choice) => choice.value === fate)
    .map((choice) => choice.dataset.custodian);
}

async function begin(form) {
  const fields = new FormData(form);
  switch (form.dataset.kind) {
    case "ceremony":
      return ask("/api/ceremony", {
        custodians: peopleOf(fields), bank: fields.get("bank").trim(), purpose: fields.get("purpose"),
      });
    case "custody":
      return ask("/api/custody/changes", {
        added: peopleOf(fields), retired: leaving(form, "retired"), lost: leaving(form, "lost"),
      });
    case "drill":
      return ask("/api/custody/drill", {});
    case "passphrase":
      return ask("/api/custody/passphrase", { custodian: fields.get("custodian") });
    default: {
      const body = { kind: form.dataset.kind, slot: form.dataset.slot };
      if (body.kind === "draw") {
        body.bank = fields.get("bank");
        body.blueprint = await fields.get("blueprint").text();
      }
      return ask("/api/openings", body);
    }
  }
}

for (const form of document.querySelectorAll("form[data-kind]")) {
  const place = form.querySelector("[role=status]");
  form.inert = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    show(place, texts.starting, "");
    try {
      const offer = await begin(form);
      window.location.assign(`/custody/openings/${offer.id}`);
    } catch (error) {
      show(place, error.message, "bad");
      button.disabled = false;
    }
  });
}

// Nothing more is to be typed; what became of the opening stays readable.
function end(form) {
  for (const part of form.querySelectorAll("label, button")) part.hidden = true;
  form.dataset.over = "";
}

function render(progress, place, form) {
  if (progress.failed) {
    show(place, texts.ended, "bad");
    end(form);
  } else if (progress.done) {
    show(place, texts.done, "ok");
    end(form);
  } else if (progress.accepted.length) {
    show(place, `${texts.accepted} ${progress.accepted.join(", ")}`, "ok");
  }
}

async function follow(id, place, form) {
  for (;;) {
    const progress = await ask(`/api/openings/${id}?wait=20`);
    render(progress, place, form);
    if (progress.done || progress.failed) return;
  }
}

const entry = document.getElementById("passphrase-form");
if (entry) {
  const place = entry.querySelector("[role=status]");
  const offer = await ask(`/api/openings/${entry.dataset.opening}/offer`);
  if (!(await offerIsSigned(offer))) {
    entry.querySelector("button").disabled = true;
    show(place, texts.unsigned, "bad");
  }
  const { custodian, passphrase, again, old } = entry.elements;
  const setsOne = () => "new" in (custodian.selectedOptions[0]?.dataset ?? {});
  const give = async (text, isNew) => {
    const sealed = await sealPassphrase(offer, text);
    return ask(`/api/openings/${offer.id}/passphrases`, { custodian: custodian.value, sealed, new: isNew });
  };
  const showAgain = () => {
    if (again) again.closest("label").hidden = !setsOne();
  };
  custodian.addEventListener("change", showAgain);
  showAgain();
  entry.inert = false;
  entry.elements.passphrase.focus();
  entry.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (setsOne() && again.value !== passphrase.value) {
      show(place, texts.differ, "bad");
      return;
    }
    const button = entry.querySelector("button");
    button.disabled = true;
    try {
      if (old) await give(old.value, false);
      const progress = await give(passphrase.value, setsOne());
      render(progress, place, entry);
      if (progress.accepted.length >= progress.needed && !progress.done) {
        show(place, texts.working, "");
        await follow(offer.id, place, entry);
      }
    } catch (error) {
      show(place, error.message, "bad");
    }
    for (const field of [passphrase, again, old]) if (field) field.value = "";
    button.disabled = false;
    passphrase.focus();
  });
}
