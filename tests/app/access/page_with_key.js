// Runs the page's script (argument 1) against a service (2) with as much of a browser as it uses, three times: without a
// key, with a wrong one, and with the right one (3). Prints what the page shows after each, one JSON object a line.
"use strict";

const { readFileSync } = require("fs");
const { runInNewContext } = require("vm");
const [script, server, key] = process.argv.slice(2);

const elements = {};
const make = (id) => ({
  hidden: ["key", "problem"].includes(id), textContent: "", value: "", children: [], listeners: {},
  classList: { add() {}, remove() {}, toggle() {} },
  addEventListener(name, listener) { this.listeners[name] = listener; },
  append(...more) { this.children.push(...more); },
  replaceChildren(...all) { this.children = all; },
  setAttribute() {},
});
const find = (id) => (elements[id] ??= make(id));
const kept = {};
let open = 0; // answers the page waits for

runInNewContext(readFileSync(script, "utf8"), {
  document: { getElementById: find, createElement: make, querySelectorAll: () => [], querySelector: () => ({ value: "all" }) },
  sessionStorage: { getItem: (name) => kept[name] ?? null, setItem: (name, value) => { kept[name] = value; } },
  location: { href: `${server}/` },
  fetch: (path, options) => { open++; return fetch(`${server}/${path}`, options).finally(() => open--); },
  URL, URLSearchParams, FormData,
});

async function settled() {
  do await new Promise((resolve) => setTimeout(resolve, 200)); while (open);
  const shown = { asks: !find("key").hidden, status: find("status").textContent };
  console.log(JSON.stringify({ ...shown, problem: !find("problem").hidden, facts: find("facts").children.length }));
}

async function type(text) {
  find("key-value").value = text;
  find("key").listeners.submit({ preventDefault() {} });
  await settled();
}

settled().then(() => type("duet_wrong")).then(() => type(key));
