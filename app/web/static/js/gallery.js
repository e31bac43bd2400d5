// A few pictures to try, with their licences: those shipped, or those of the operator's folder.
import { request } from "./api.js";
import { find, make } from "./dom.js";
import { choose } from "./photo.js";
import { words } from "./words.js";

async function pick(picture) {
  const blob = await (await request(`gallery/${encodeURIComponent(picture.file)}`)).blob();
  choose(new File([blob], picture.file, { type: blob.type }), picture);
}

export async function startGallery() {
  const { pictures } = await (await request("gallery")).json();
  if (!pictures.length) return;
  find("pictures").replaceChildren(
    ...pictures.map((picture) => {
      const image = make("img", { src: `gallery/${encodeURIComponent(picture.file)}`, alt: "", loading: "lazy", width: 72, height: 72 });
      const button = make("button", { type: "button", "aria-label": words.tryPicture(picture.label), onclick: () => pick(picture).catch(() => {}) }, image);
      return make("li", {}, button);
    }),
  );
  const credited = pictures.filter((picture) => picture.credit);
  find("credits").textContent = credited.length ? words.credit(credited) : "";
  find("gallery").hidden = false;
}
