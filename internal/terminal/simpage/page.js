// The page of the simulated terminal: it follows the terminal, and sends its
// buttons without leaving the page. Without it, forms are posted.
"use strict";

const places = { now: document.getElementById("now"), truth: document.getElementById("truth") };
const last = {};
let round = 0;

// put shows what has changed. A button in it keeps the focus.
function put(name, html) {
  if (last[name] === html) return;
  last[name] = html;
  const place = places[name], held = place.contains(document.activeElement) && document.activeElement.tagName;
  place.innerHTML = html;
  if (held) place.querySelector(held.toLowerCase())?.focus();
}

// take reads an answer: the part about the screen, then the ledger.
async function take(mine, answer) {
  const text = await answer.text();
  if (!answer.ok || mine < round) return;
  round = mine;
  const parts = new DOMParser().parseFromString(text, "text/html");
  for (const name in places) {
    const part = parts.querySelector(`[data-part="${name}"]`);
    if (part) put(name, part.innerHTML);
  }
}

let turn = 0;
let noteUntil = 0;

async function follow() {
  try {
    if (Date.now() >= noteUntil) await take(++turn, await fetch("/now", { cache: "no-store" }));
  } catch {
    put("now", '<div class="screen dark" role="status" data-screen="gone"><p>The simulator has ended</p></div>');
  }
  setTimeout(follow, 300);
}

document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, button));
  try {
    const answer = await fetch("/", { method: "POST", body, headers: { "X-Part": "now" } });
    await take(++turn, answer);
    noteUntil = document.querySelector(".note")?.textContent ? Date.now() + 4000 : 0;
  } catch {
    noteUntil = 0;
  }
});

follow();
