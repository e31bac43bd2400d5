// What the parts of the page know together, and how they hear of changes.
export const state = {
  photo: null, // the File that is shown
  hint: null, // name and sentence that belong to a picture of the gallery
  result: null, // the last answer of POST /classify
  versus: null, // id of the class the first is compared with
  gamma: null, // γ asked for; null: the service's
  candidates: "all",
  revision: 0, // of the last write made here: answers are asked from it on
  schema: null, // the answer of GET /attributes
  added: null, // id of the class added last
};

const bus = new EventTarget();

export const tell = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));
export const hear = (name, work) => bus.addEventListener(name, (event) => work(event.detail));
