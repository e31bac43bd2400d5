// Where the object was found in the photo: the whole photo is shown then, all but the object a little darker.
import { find } from "./dom.js";
import { hear, state } from "./state.js";

/** The rectangle of `box` (edges in 0…1 of the photo) in the square frame that shows the whole photo, in percent. */
export function placeOf(box, width, height) {
  const long = Math.max(width, height);
  const [across, down] = [width / long, height / long];
  return {
    left: 100 * ((1 - across) / 2 + box.left * across),
    top: 100 * ((1 - down) / 2 + box.top * down),
    width: 100 * (box.right - box.left) * across,
    height: 100 * (box.bottom - box.top) * down,
  };
}

function show(box) {
  const preview = find("preview");
  const place = box && preview.naturalWidth ? placeOf(box, preview.naturalWidth, preview.naturalHeight) : null;
  find("frame").classList.toggle("finds", place !== null);
  find("found").hidden = place === null;
  for (const part of [find("found"), find("heat")]) {
    for (const side of ["left", "top", "width", "height"]) part.style[side] = place === null ? "" : `${place[side]}%`;
  }
}

export function startFound() {
  hear("photo", () => show(null));
  hear("result", async (result) => {
    await find("preview").decode().catch(() => {}); // its size is not known before; a photo this browser cannot show has none
    if (state.result === result) show(result.box ?? null);
  });
}
