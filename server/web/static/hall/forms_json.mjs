// Sends forms with data-json as one JSON message and shows the page again, or the refusal's sentence beside the form.

function csrf() {
  const name = `${document.documentElement.dataset.csrfCookie}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? "";
}

function message(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.value === "") continue;
    body[field.name] = field.type === "number" ? Number(field.value) : field.value;
  }
  if (body.kind === "erratum") for (const name of ["policy", "sitting", "number"]) delete body[name];
  return body;
}

for (const form of document.querySelectorAll("form[data-json]")) {
  form.inert = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.ask && !confirm(form.dataset.ask)) return;
    const place = form.querySelector("[role=status]");
    const button = form.querySelector("button");
    button.disabled = true;
    const answer = await fetch(form.dataset.json, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json", "x-csrftoken": csrf() },
      body: JSON.stringify(message(form)),
    });
    if (answer.ok) {
      location.reload();
      return;
    }
    const problem = await answer.json();
    place.textContent = problem.title ?? problem.type;
    place.className = "notice bad";
    place.hidden = false;
    button.disabled = false;
  });
}
