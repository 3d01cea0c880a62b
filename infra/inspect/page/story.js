// One clip's whole story, in a panel.

class StoryPanel {
  constructor(load) {
    this.load = load;
    this.dialog = find("#story");
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target instanceof Element && event.target.matches("figure.strip")) this.clicked(event);
    });
    for (const figure of findAll("figure.strip")) { figure.tabIndex = 0; figure.setAttribute("role", "button"); }
  }

  clicked(event) {
    const at = event.target instanceof Element ? event.target.closest("[data-clip]") : null;
    if (at) this.open(at.dataset.clip);
    else if (event.target === this.dialog) this.dialog.close();
  }

  async open(clipId) {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    close.addEventListener("click", () => this.dialog.close());
    this.wanted = clipId;
    if (!this.dialog.open) this.dialog.showModal();
    fill(this.dialog, close, make("p", { class: "none" }, "…"));
    const story = await this.load(clipId);
    if (this.wanted !== clipId) return;
    fill(this.dialog, close, story ? storyBody(story) : make("p", { class: "none" }, "This page does not hold this clip's story; --serve has all of them."));
    this.dialog.scrollTop = 0;
  }
}

function storyBody(story) {
  return make("div", { class: "story" },
    make("div", { class: "frames large" }, picturesOf(story.clip.clip_id)),
    make("h2", {}, make("bdi", {}, cut(fileName(story.video.uri), 300))),
    make("p", { class: "soft" }, make("code", {}, story.clip.clip_id)),
    verdict(story), captionsOf(story), duplicatesOf(story), labelsOf(story), bucketsOf(story), sourceOf(story), scoresOf(story), othersOf(story));
}

function verdict(story) {
  const row = (story.tables.selection ?? [])[0];
  if (!row) return make("p", { class: "verdict" }, "not selected yet");
  if (row.kept) return make("p", { class: "verdict kept" }, "kept");
  const value = row.score_value === null ? "" : ` (${number(row.score_value)}${row.threshold === null ? "" : `, limit ${number(row.threshold)}`})`;
  return make("p", { class: "verdict lost" }, "dropped: " + cut(row.reason ?? "unknown", 300) + value);
}

function captionsOf(story) {
  return (story.tables.captions ?? []).map((row) =>
    make("blockquote", {}, make("bdi", {}, cut(row.text ?? row.outcome ?? "")),
      make("footer", {}, `${row.kind} · ${row.model_id ?? "with the footage"}${row.alignment === null ? "" : ` · alignment ${number(row.alignment)}`}`)));
}

function facts(title, pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return rows.length ? make("section", {}, make("h3", {}, title),
    make("dl", { class: "told" }, rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value instanceof Node ? value : make("bdi", {}, cut(value)))]))) : null;
}

function sourceOf(story) {
  const { clip, video, shot } = story;
  const rate = video.frame_rate_num ? number(video.frame_rate_num / video.frame_rate_den) + " frames/s" : "";
  const cropped = clip.crop_width !== null && (clip.crop_width !== clip.width || clip.crop_height !== clip.height);
  return facts("Source", [
    ...story.files.flatMap((file) => [["file", file.uri], ["title", file.title], ["licence", file.license], ["from", file.source_url]]),
    ["video", [video.is_image ? "still image" : "", `${video.width}×${video.height}`, video.codec, rate, hours(video.duration_s)].filter(Boolean).join(", ")],
    ["video id", clip.video_id],
    ["shot", shot.detector ? `${clip.shot_index}, ${shot.transition_in} → ${shot.transition_out}, found by ${shot.detector}` : clip.shot_index],
    ["span", `${number(clip.start_s, 6)} s to ${number(clip.end_s, 6)} s (${hours(clip.end_s - clip.start_s)}), ${grouped(clip.num_frames)} frames`],
    ["PTS", `[${clip.start_pts}, ${clip.end_pts}) of ${clip.time_base_num}/${clip.time_base_den} s`],
    ["picture", `${clip.width}×${clip.height}` + (cropped ? `, without its border ${clip.crop_width}×${clip.crop_height} at (${clip.crop_x}, ${clip.crop_y})` : "")],
  ]);
}

/** The share of clips with a lower value, from the percentiles; equal ones counted half. */
function rankOf(name, value) {
  const score = data.scores.find((some) => some.name === name);
  if (!score || !score.quantiles.length || typeof value !== "number" || score.quantiles[0] === score.quantiles.at(-1)) return null;
  const below = score.quantiles.filter((q) => q < value).length, upTo = score.quantiles.filter((q) => q <= value).length;
  return (below + upTo) / 2 / score.quantiles.length;
}

function scoresOf(story) {
  const rows = Object.entries(story.scores).flatMap(([scorer, values]) => Object.entries(values).map(([name, value]) => {
    const rank = rankOf(name, value);
    const doc = data.scores.find((some) => some.name === name)?.doc ?? "";
    const meter = make("td", { class: "wide" });
    if (rank !== null) {
      const svg = makeSvg("svg", { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none" });
      svg.append(makeSvg("rect", { class: "track", width: 100, height: 6 }), makeSvg("rect", { class: "mark", x: Math.min(rank * 100, 97), width: 3, height: 6 }));
      meter.append(svg);
    }
    return make("tr", { title: doc }, make("th", { scope: "row" }, name, make("small", {}, scorer)), make("td", { class: "n" }, number(value)), meter);
  }));
  return rows.length ? make("section", {}, make("h3", {}, "Scores ", make("small", {}, "and where they lie among all clips")), make("table", { class: "told-scores" }, make("tbody", {}, rows))) : null;
}

function duplicatesOf(story) {
  const line = (row, clipId, role) => make("li", {}, make("button", { type: "button", class: "link", "data-clip": clipId }, clipId.slice(0, 10)),
    ` ${role} · ${row.method}, similarity ${number(row.similarity)}${row.offset_s === null ? "" : `, offset ${number(row.offset_s)} s`}`,
    make("div", { class: "frames", "data-clip": clipId }, picturesOf(clipId)));
  const lines = [
    ...(story.duplicate && story.duplicate.duplicate_of ? [line(story.duplicate, String(story.duplicate.duplicate_of), "stays in its place")] : []),
    ...story.stays_for.map((row) => line(row, String(row.clip_id), "goes, this one stays")),
  ];
  return lines.length ? make("section", {}, make("h3", {}, "Duplicates"), make("ul", { class: "plain" }, lines)) : null;
}

function bucketOf(row) {
  const rate = row.frame_rate_num && row.frame_rate_den ? `, ${number(row.frame_rate_num / row.frame_rate_den)} frames/s` : "";
  return facts("Bucket", [
    ["size", `${row.width}×${row.height}, ${grouped(row.frames)} frame${row.frames === 1 ? "" : "s"}${rate}`],
    ["taken", row.frame_step > 1 ? `every ${row.frame_step}th frame` : "every frame"],
    ["tokens", row.num_tokens === null ? null : grouped(row.num_tokens)],
  ]);
}

const bucketsOf = (story) => (story.tables.buckets ?? []).map(bucketOf);

const TOLD_ABOVE = new Set(["captions", "buckets"]);
const NOT_TOLD = new Set(["clip_id", "video_id", "kept", "reason", "score_value", "threshold"]);
function othersOf(story) {
  return Object.entries(story.tables).filter(([table]) => !TOLD_ABOVE.has(table)).flatMap(([table, rows]) => rows.map((row) =>
    facts(table, Object.entries(row).filter(([name]) => !NOT_TOLD.has(name)).map(([name, value]) => [name, value === null ? null : typeof value === "object" ? JSON.stringify(value) : number(value, 6)]))));
}

function labelsOf(story) {
  return story.labels.length ? facts("Labels", story.labels.map((row) => [row.reviewer, (row.good ? "good" : "bad") + (row.note ? `: ${row.note}` : "")])) : null;
}
