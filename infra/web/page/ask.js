// Talking to the server that shows the page; on a page from a file none of it is used.

/** What the server says to a request, as JSON; its refusal is an error with the field that it is about. */
async function ask(path, given = {}) {
  const answer = await fetch(path, { credentials: "same-origin", ...given });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(said.error ?? `the server said ${answer.status}`), { field: said.field });
  return said;
}

const get = (path) => ask(path);

/** Send a change; only pages that the server itself has shown know its token. */
function send(path, token, body, type = "application/json") {
  return ask(path, { method: "POST", body, headers: { "Content-Type": type, "X-Rushes-Token": token } });
}
