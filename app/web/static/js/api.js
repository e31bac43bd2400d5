// Asking the service. A key lives in sessionStorage only: it is forgotten with the tab.
import { tell } from "./state.js";

/** An answer that is no success: what the service says (problem+json), or that it cannot be reached (status 0). */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || String(status));
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Last part of the problem's type, such as `overloaded`; "offline" where nothing answered. */
  get slug() {
    return this.status === 0 ? "offline" : (this.problem.type || "").split("/").pop() || `http-${this.status}`;
  }
}

const address = (path, query) => {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
};

/** The answer's Response. Raises Refused; an AbortError passes through. */
export async function request(path, { query = {}, headers = {}, ...options } = {}) {
  const key = sessionStorage.getItem("key");
  const sent = key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
  let answer;
  try {
    answer = await fetch(address(path, query), { ...options, headers: sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell("reached", false);
    throw new Refused(0, {});
  }
  tell("reached", true);
  if (answer.headers.has("X-Registry-Revision")) {
    const stale = answer.headers.get("X-Registry-Stale");
    tell("stale", stale === null ? null : Number(stale));
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) tell("key-needed", Boolean(key));
  throw new Refused(answer.status, problem, Number(answer.headers.get("Retry-After")) || undefined);
}

/** The answer as JSON. */
export const ask = async (path, options) => (await request(path, options)).json();

/** Send JSON; gives the answer's body and its ETag. */
export async function send(method, path, body, { headers = {}, ...options } = {}) {
  const sent = { ...options, method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
  const answer = await request(path, sent);
  return { body: await answer.json(), etag: answer.headers.get("ETag") };
}

/** A form with the photo, as POST /classify and /explain/map want it. */
export function photoForm(photo) {
  const form = new FormData();
  form.append("image", photo, photo.name || "photo");
  return form;
}
