// What the page asks the server for; a page from a file has it all in itself.

const post = (path, body) => send(path, data.live.token, JSON.stringify(body));
const loadStory = async (clipId) => data.live ? get(`api/clip/${clipId}`).catch(() => null) : data.stories[clipId] ?? null;
const searchAll = (query) => data.live ? get(`api/search?q=${encodeURIComponent(query)}`) : searchPage(query);
