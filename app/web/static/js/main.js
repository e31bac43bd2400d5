// Starts every part of the page.
import { startAnswer } from "./answer.js";
import { startChips } from "./chips.js";
import { startClasses } from "./classes.js";
import { startDescribe } from "./describe.js";
import { fillWords } from "./dom.js";
import { startFound } from "./found.js";
import { startGallery } from "./gallery.js";
import { startGamma } from "./gamma.js";
import { startHeat } from "./heat.js";
import { startKey } from "./key.js";
import { startPhoto } from "./photo.js";
import { startStatus } from "./status.js";
import { startTabs } from "./tabs.js";
import { startWhy } from "./why.js";

fillWords();
startKey();
startTabs();
startFound();
startHeat();
startChips();
startWhy();
startGamma();
startAnswer();
startDescribe();
startClasses();
startPhoto();
startStatus();
startGallery().catch(() => {}); // without a gallery the page is whole
