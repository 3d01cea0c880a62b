// Brings the page to life; without it everything is still there to be read.

const selection = new Selection(data.rules, sample);
const effect = new Effect(selection, () => { histograms.show(); effect.show(); });
const histograms = new Histograms(selection, () => effect.show());
watchPictures();
new StoryPanel(loadStory);
find(".tools").hidden = false;
new Search(searchAll);
if (data.live) new Review();
document.documentElement.classList.add("alive");
