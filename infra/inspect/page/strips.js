// Film strips made here, and what becomes of a picture that does not load.

/** A strip of a story; its pictures where the page has them. */
function makeStrip(story, extra = []) {
  const clip = story.clip;
  return make("figure", { class: "strip", "data-clip": clip.clip_id, tabindex: 0, role: "button" },
    make("div", { class: "frames" }, picturesOf(clip.clip_id)),
    make("figcaption", {},
      make("span", { class: "source", title: cut(story.video.uri ?? "") }, make("bdi", {}, cut(fileName(story.video.uri), 200))),
      make("span", { class: "line" },
        make("span", { class: "span" }, `${(clip.start_s ?? 0).toFixed(2)}–${(clip.end_s ?? 0).toFixed(2)} s`), " ",
        make("code", {}, clip.clip_id.slice(0, 10))), extra));
}

/** Its pictures: from the server, or those that the page already shows. */
function picturesOf(clipId) {
  const sources = data.live
    ? [0, 1, 2].map((k) => `preview/${clipId}/${k}.jpg`)
    : data.pictures[clipId] ?? findAll(`figure.strip[data-clip="${CSS.escape(clipId)}"] img`).map((image) => image.src).slice(0, 3);
  return sources.length
    ? [...new Set(sources)].map((src) => make("img", { src, alt: "", decoding: "async" }))
    : make("p", { class: "none" }, "no pictures on this page");
}

function watchPictures() {
  document.addEventListener("error", (event) => {
    if (!(event.target instanceof HTMLImageElement)) return;
    const frames = event.target.parentElement;
    event.target.remove();
    if (frames && !find("img, .none", frames)) frames.append(make("p", { class: "none" }, "no previews"));
  }, true);
  for (const image of findAll(".frames img")) if (image.complete && !image.naturalWidth && image.loading !== "lazy") image.dispatchEvent(new Event("error"));
}
