// What the page was made with.

const data = JSON.parse(find("#data").textContent);

function unpack(text, type) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new type(bytes.buffer);
}

const sample = {
  numClips: data.sample.num_clips,
  weight: data.sample.num_clips ? data.sample.num_all / data.sample.num_clips : 1,
  isPart: data.sample.num_clips < data.sample.num_all,
  seconds: unpack(data.sample.seconds, Float32Array),
  reasons: data.sample.reasons,
  reason: unpack(data.sample.reason, Int16Array),
  columns: new Map(Object.entries(data.sample.columns).map(([name, text]) => [name, unpack(text, Float32Array)])),
  passes: new Map(Object.entries(data.sample.passes).map(([k, text]) => [Number(k), unpack(text, Uint8Array)])),
};
