// A photo comes in: dropped, pasted, taken, chosen or picked from the gallery.
import { find } from "./dom.js";
import { clearProblem } from "./problems.js";
import { state, tell } from "./state.js";
import { words } from "./words.js";

const LONG_SIDE = 1280; // pixels of a copy that is made to fit; the model looks at far fewer

/** Show this file and have it judged. `hint` is what the gallery says of it. */
export function choose(file, hint = null) {
  if (!file) return;
  state.photo = file;
  state.hint = hint;
  const preview = find("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.alt = words.shown(hint?.label ?? (file.name || words.photo));
  preview.hidden = false;
  find("hint").hidden = true;
  document.body.classList.add("has-photo");
  clearProblem(find("photo-problem"));
  tell("photo", file);
}

/** A smaller JPEG of the photo, for one that is too big or of a type only the browser reads. Raises when it cannot. */
export async function shrink(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONG_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff"; // JPEG has no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return new File([blob], "photo.jpg", { type: "image/jpeg" });
}

const pictureOf = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? transfer?.files?.[0];

export function startPhoto() {
  const frame = find("frame");
  for (const input of [find("file"), find("camera")]) {
    input.addEventListener("change", () => {
      choose(input.files[0]);
      input.value = ""; // the same photo can be chosen again
    });
  }
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      frame.classList.toggle("over", name === "dragover");
      if (name === "drop") choose(pictureOf(event.dataTransfer));
    });
  }
  document.addEventListener("paste", (event) => {
    const file = pictureOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    choose(file);
  });
  find("hint").addEventListener("click", () => find("file").click());
  find("preview").addEventListener("error", () => {
    find("preview").hidden = true; // not a picture that this browser shows; the service says what it is
    find("hint").hidden = false;
  });
}
