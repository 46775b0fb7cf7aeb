// The markers' page: brings one answer after the other and sends the points. Number keys type points wherever the
// focus is, "." adds a half, Enter sends. All sentences come from /marking/texts.

const place = document.getElementById("marking");
const form = document.getElementById("form");
const points = document.getElementById("points");
const note = document.getElementById("note");
const send = document.getElementById("send");
const status = document.getElementById("status");
const answer = document.getElementById("answer");
const progress = document.getElementById("progress");
const ticks = [...document.querySelectorAll("[data-score]")];
const most = Number(place.dataset.most);
const texts = await (await fetch("/marking/texts")).json();
let code = null;
let wanted = true;      // the next answer is still to be brought: the points of the one on the screen are in
let busy = false;

function csrf() {
  const name = `${document.documentElement.dataset.csrfCookie}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? "";
}

function said(sentence, facts) {
  return texts[sentence].replace(/\{(\w+)\}/g, (whole, name) => facts[name] ?? whole);
}

function tell(sentence, kind) {
  status.textContent = sentence;
  status.className = `notice ${kind}`;
  status.hidden = false;
}

async function bring() {
  const found = await fetch(place.dataset.next);
  const data = await found.json();
  if (!found.ok) return tell(data.title, "bad");
  progress.textContent = said("marker-progress", data);
  code = data.answer?.code ?? null;
  wanted = false;
  document.getElementById("code").textContent = code ?? "";
  answer.textContent = data.answer?.text ?? texts["marker-none-left"];
  points.value = "";
  note.value = "";
  for (const tick of ticks) tick.checked = false;
  for (const field of [points, note, send, ...ticks]) field.disabled = code === null;
  place.dataset.code = code ?? "none";
  if (code !== null) points.focus();
}

async function give() {
  const worth = points.value;
  const given = await fetch(`/api/marking/answers/${code}`, {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json", "x-csrftoken": csrf() },
    body: JSON.stringify({ points: Number(worth), note: note.value }),
  });
  if (given.ok) {
    tell(said("marker-sent", { code, points: worth }), "ok");
    wanted = true;
    return;
  }
  const problem = await given.json();
  tell(problem.title, "bad");
  wanted = problem.type === "answer-marked-already";
}

// One step at a time: what is pressed before the next answer stands on the screen is meant for none.
async function go() {
  if (busy || (code === null && !wanted)) return;
  busy = true;
  send.disabled = true;
  try {
    if (!wanted) await give();
    if (wanted) await bring();
  } catch {
    tell(texts["marker-no-answer"], "bad");
  }
  busy = false;
  send.disabled = code === null && !wanted;
  form.noValidate = wanted;      // then it is only asked again for the next answer
}

form.inert = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  go();
});

for (const tick of ticks) {
  tick.addEventListener("change", () => {
    const sum = ticks.reduce((all, one) => all + (one.checked ? Number(one.dataset.score) : 0), 0);
    points.value = Math.min(Math.round(sum * 2) / 2, most);
  });
}

document.addEventListener("keydown", (event) => {
  if ((code === null && !wanted) || event.ctrlKey || event.metaKey || event.altKey || event.target === note) return;
  if (/^\d$/.test(event.key) && event.target !== points) {
    const typed = Number(`${points.value.replace(/\..*$/, "")}${event.key}`);
    points.value = typed <= most ? typed : Number(event.key);
  } else if (event.key === ".") {
    points.value = Math.min(Math.floor(Number(points.value)) + 0.5, most);
  } else if (event.key === "Enter" && event.target !== points && event.target !== send) {
    form.requestSubmit();
  } else {
    return;
  }
  event.preventDefault();
});

await go();
