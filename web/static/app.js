'use strict';
// What the pages do beyond plain HTML: keys in lists, the payment panel, the
// doorbell, the idle warning and the lock. Every form works without this file.

// Trusted Types: htmx makes HTML of what this server has sent; nothing else may.
if (window.trustedTypes) trustedTypes.createPolicy('default', { createHTML: (s) => s });

const find = (selector) => document.querySelector(selector);
const raise = (name) => document.body.dispatchEvent(new CustomEvent(name));
const rows = () => [...document.querySelectorAll('[data-row]')];
const rowOf = (element) => element.closest('[data-list]') && element.closest('tr, li')?.querySelector('[data-row]');
let opener = '';   // id of what had the focus when the panel was opened
let shown = '';    // state that the panel shows, to move the focus once for each

function openPanel(address) {
  if (!find('#sheet').open) opener = document.activeElement.id;
  htmx.ajax('GET', address, { target: '#panel', swap: 'innerHTML' });
}

function move(step) {
  const all = rows();
  const at = all.indexOf(rowOf(document.activeElement));
  all[Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
}

// Keys. One-letter keys act only while the focus is in a list (WCAG 2.1.4).
const keys = {
  j: () => move(1), k: () => move(-1), '/': () => find('#find-text')?.focus(),
  p: () => rowOf(document.activeElement)?.closest('tr, li').querySelector('[data-pay]')?.click(),
  '?': () => openPanel('/help/keys'),
};
document.addEventListener('keydown', (e) => {
  if (e.ctrlKey && e.altKey && e.key.toLowerCase() === 'l') return e.preventDefault(), lock();
  if (e.ctrlKey || e.altKey || e.metaKey || find('#sheet')?.open) return;
  const at = document.activeElement, inList = at.closest('[data-list]');
  const arrow = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (arrow && rows().length && (inList || at === document.body || at.id === 'find-text')) e.preventDefault(), move(arrow);
  else if (inList && keys[e.key]) e.preventDefault(), keys[e.key]();
});
document.addEventListener('click', (e) => {
  const link = e.target.closest('a[data-panel], [data-done], [data-print]');
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey || !find('#sheet')) return;
  if (link.matches('[data-print]')) return e.preventDefault(), window.print();
  if (link.matches('[data-done]')) { if (link.closest('#panel')) e.preventDefault(), find('#sheet').close(); return; }
  e.preventDefault();
  openPanel(link.href);
});

// The panel: a dialog over the page. For each new state, once, the focus moves
// and what the terminal does is spoken.
document.addEventListener('htmx:afterSettle', () => {
  const sheet = find('#sheet'), state = find('[data-state]')?.dataset.state || '';
  if (!sheet || !state || state === shown) return;
  shown = state;
  if (find('#panel [data-state]') && !sheet.open) {
    if (!opener) opener = document.activeElement.id;
    sheet.showModal();
  }
  const to = find('[data-state] [autofocus]') || find('#panel-title');
  to?.focus();
  if (to?.select) to.select();
  over(find('#spoken')).textContent = find('#said')?.textContent || '';
});
// What must stay reachable is moved into the panel while that is open.
function over(element) {
  const home = find('#sheet').open ? find('#sheet') : document.body;
  if (element.parentNode !== home) home.append(element);
  return element;
}
find('#sheet')?.addEventListener('cancel', (e) => { if (find('#panel [data-busy]')) e.preventDefault(); });
find('#sheet')?.addEventListener('close', () => {
  find('#panel').replaceChildren();
  document.getElementById(opener)?.focus();
  shown = opener = '';
  raise('refresh');
});
document.body.addEventListener('focus-rows', () => find('#hits [data-row]')?.focus());

// Who locks the screen or signs out leaves: what was asked is dropped, since
// its answer would be a refusal, and nothing is asked any more.
let bell, left = false;
document.addEventListener('submit', (e) => {
  if (!e.target.matches('[action="/lock"], [action="/sign-out"]')) return;
  left = true;
  bell?.close();
  window.stop();
});
document.addEventListener('htmx:beforeRequest', (e) => { if (left) e.preventDefault(); });

// The doorbell: says that something has changed; the page then asks.
if (document.body.dataset.bell) {
  bell = new EventSource('/bell');
  let again = false;
  bell.onopen = () => { if (again) raise('bell:all'); again = true; };
  bell.onmessage = (e) => raise('bell:' + e.data);
  bell.addEventListener('ended', () => check());
  addEventListener('pagehide', () => bell.close());
  addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
}

// The session: the server is the clock; this only warns, asks and clears.
let seen = Date.now();
const limit = (name) => 1000 * Number(document.body.dataset[name] || 0);
document.addEventListener('htmx:afterRequest', (e) => {
  if (left) return;
  if (e.detail.elt.dataset.passive === undefined) seen = Date.now(), warn(false);
  if (e.detail.xhr.status) find('#offline').hidden = true;
});
for (const failure of ['htmx:sendError', 'htmx:timeout']) {
  document.addEventListener(failure, () => { if (!left) find('#offline').hidden = false; });
}
const warn = (on) => { if (find('#idle')) over(find('#idle')).firstElementChild.hidden = !on; };
async function check() {
  if (left) return;
  const answer = await fetch('/session').catch(() => null);
  if (left || answer?.status !== 401) return;
  document.body.replaceChildren();
  location.replace('/sign-in?next=' + encodeURIComponent(location.pathname + location.search));
}
function lock() {
  const form = find('#lock');
  if (!form) return;
  document.body.replaceChildren(form);
  form.hidden = true;
  form.requestSubmit();
}
if (limit('idleEnd')) {
  setInterval(() => {
    const idle = Date.now() - seen;
    if (idle > limit('idleEnd')) check();
    else warn(idle >= limit('idleWarn'));
  }, 1000);
}
