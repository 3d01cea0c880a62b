// Talking to the server that shows the page; on a page from a file none of it is used.

async function get(path) {
  const answer = await fetch(path, { credentials: "same-origin" });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `the server said ${answer.status}`);
  return body;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", credentials: "same-origin", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Rushes-Token": data.live.token },
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? `the server said ${answer.status}`);
  return said;
}

const loadStory = async (clipId) => data.live ? get(`api/clip/${clipId}`).catch(() => null) : data.stories[clipId] ?? null;
const searchAll = (query) => data.live ? get(`api/search?q=${encodeURIComponent(query)}`) : searchPage(query);
