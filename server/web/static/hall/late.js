// The page of late answers: takes a carried journal, sends what is proposed, confirmed or returned. Its sentences
// stand in the page; the server decides everything.
const texts = document.getElementById("late-texts").dataset;

function csrf() {
  const name = `${document.documentElement.dataset.csrfCookie}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? "";
}

async function send(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { accept: "application/json", "content-type": "application/json", "x-csrftoken": csrf() }, body });
  const data = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(data?.title ?? texts.failed);
  return data;
}

function show(place, sentence, kind) {
  place.textContent = sentence;
  place.className = `notice ${kind}`;
  place.hidden = false;
}

// One act of a form: what it says when it was refused stays there; when it was done the page is read again.
function acting(form, act) {
  const place = form.querySelector("[role=status]");
  form.inert = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try { if (await act(event, place)) location.reload(); } catch (error) { show(place, error.message, "bad"); }
  });
}

const carry = document.getElementById("carry-form");
if (carry) {
  acting(carry, async (_, place) => {
    const taken = await send("/api/hall/journals", await carry.elements.file.files[0].text());
    const refused = taken.filter((one) => one.kept === null), kept = taken.reduce((sum, one) => sum + (one.kept ?? 0), 0);
    show(place, [texts.kept.replace("#", kept), ...refused.map((one) => one.title)].join(" "), refused.length ? "bad" : "ok");
    return refused.length === 0;
  });
}

for (const article of document.querySelectorAll("article[data-sitting]")) {
  const path = `/api/hall/sittings/${article.dataset.sitting}/late`;
  const judge = article.querySelector("form.judge"), settle = article.querySelector("form.settle");
  if (judge) {
    acting(judge, async () => {
      const decisions = [...judge.querySelectorAll("tr[data-open]")].map((row) => ({
        number: Number(row.dataset.number), lease: Number(row.dataset.lease), seq: Number(row.dataset.seq),
        accept: row.querySelector("input[type=radio]:checked")?.value === "yes", reason: row.querySelector("input[name=reason]").value,
      }));
      await send(`${path}/proposal`, JSON.stringify({ decisions }));
      return true;
    });
  }
  if (settle) {
    acting(settle, async (event) => {
      const act = event.submitter.value, reason = settle.elements.reason.value.trim();
      await send(`${path}/${act}`, act === "return" ? JSON.stringify({ reason: reason || "—" }) : undefined);
      return true;
    });
  }
}
