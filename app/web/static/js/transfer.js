// Many classes at once: import a file, export all. With a key a plain link would not do, so files come by script.
import { ask, request } from "./api.js";
import { announce, find, make } from "./dom.js";
import { clearProblem, showProblem } from "./problems.js";
import { state, tell } from "./state.js";
import { words } from "./words.js";

const TYPES = { jsonl: "application/x-ndjson", ndjson: "application/x-ndjson", csv: "text/csv" };

/** The controls; `refresh` shows the list anew. */
export function transferControls(refresh) {
  const box = make("div", { id: "transfer-problem", class: "problem", role: "alert", hidden: true });
  const done = make("p", { id: "transfer-done", class: "done", role: "status" });
  const replace = make("input", { id: "replace", type: "checkbox" });
  const file = make("input", { id: "import", class: "hidden-input", type: "file", accept: ".jsonl,.ndjson,.csv" });
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = "";
    if (chosen) await importFile(chosen, replace.checked, { box, done, refresh });
  });
  const save = (format) => () => exportFile(format).catch((error) => showProblem(box, error, { retry: save(format) }));
  return make(
    "section",
    { class: "transfer" },
    make("h2", { "data-say": "files" }),
    make("p", { class: "small", "data-say": "filesMore" }),
    make(
      "div",
      { class: "row" },
      make("label", { class: "button", for: "import" }, make("span", { "data-say": "import" })),
      file,
      make("label", { class: "check" }, replace, make("span", { "data-say": "replace" })),
    ),
    make("div", { class: "row" }, make("button", { id: "export-jsonl", type: "button", class: "button", "data-say": "exportJson", onclick: save("jsonl") }), make("button", { id: "export-csv", type: "button", class: "button", "data-say": "exportCsv", onclick: save("csv") })),
    done,
    box,
  );
}

async function importFile(file, replace, { box, done, refresh }) {
  clearProblem(box);
  done.textContent = "";
  const type = TYPES[file.name.split(".").pop().toLowerCase()];
  if (!type) {
    box.replaceChildren(make("strong", {}, words.wrongFile));
    box.hidden = false;
    return;
  }
  try {
    const options = { method: "POST", body: file, headers: { "Content-Type": type }, query: { mode: replace ? "replace" : "create" } };
    const answer = await ask("import", options);
    state.revision = answer.revision;
    const twins = answer.near_duplicates.length ? words.importTwins(answer.near_duplicates.slice(0, 3)) : "";
    done.textContent = `${words.imported(answer.imported)} ${twins}`.trim();
    announce(done.textContent);
    refresh();
    tell("imported");
  } catch (error) {
    showProblem(box, error, { retry: () => importFile(file, replace, { box, done, refresh }) });
  }
}

async function exportFile(format) {
  const answer = await request("export", { query: { format } });
  const named = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "");
  const url = URL.createObjectURL(await answer.blob());
  make("a", { href: url, download: named?.[1] ?? `classes.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  clearProblem(find("transfer-problem"));
}
