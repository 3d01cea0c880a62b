// Brings the page to life.

const compare = new Compare();
const form = new Form(() => waiting.ask());
const results = new Results(form, compare);
const waiting = new Waiting(() => results.refresh());
// A file that is dropped beside its place must not take the page's.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
document.documentElement.classList.add("alive");
