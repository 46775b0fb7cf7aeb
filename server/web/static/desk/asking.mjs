// Requests of the desk's pages: JSON in both directions, the CSRF token with each act, the server's sentence as the error.
export function csrf() {
  const name = `${document.documentElement.dataset.csrfCookie}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? "";
}

// Send a form's data, files among them.
export async function send(path, form) {
  const headers = { accept: "application/json", "x-csrftoken": csrf() };
  return told(await fetch(path, { method: "POST", headers, body: form }));
}

export async function ask(path, body, signal) {
  const options = { headers: { accept: "application/json" }, signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.headers["x-csrftoken"] = csrf();
    options.body = JSON.stringify(body);
  }
  return told(await fetch(path, options));
}

async function told(answer) {
  const data = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(data?.title ?? "");
  return data;
}
