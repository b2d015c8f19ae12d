'use strict';
// The browser as a witness of the audit trail. It keeps the last checkpoint
// that this box showed it, and at each sign-in and every quarter of an hour has
// the box prove that the trail of today begins with that of then (RFC 6962,
// sections 2.1.2 and 2.1.4). A box that cannot is reported on every page until
// the privacy officer has looked. What is kept says nothing about anybody.

const KEPT = 'coffer-witness', ALARM = 'coffer-alarm';
const QUARTER = 15 * 60e3, DAY = 24 * 3600e3;
const recall = (name) => { try { return JSON.parse(localStorage.getItem(name)); } catch { return null; } };
const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const equal = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

async function node(left, right) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array([1, ...left, ...right])));
}

// consistent says whether proof shows that the tree of size b with root two
// begins with the tree of size a with root one, 0 < a < b (RFC 9162, 2.1.4.2).
async function consistent(a, b, one, two, proof) {
  const path = proof.map(bytesOf), first = bytesOf(one), second = bytesOf(two);
  if (!(a > 0 && a < b) || path.some((h) => h.length !== 32)) return false;
  let fn = BigInt(a) - 1n, sn = BigInt(b) - 1n;
  while (fn & 1n) fn >>= 1n, sn >>= 1n;
  if ((BigInt(a) & (BigInt(a) - 1n)) === 0n) path.unshift(first);
  if (!path.length) return false;
  let fr = path[0], sr = path[0];
  for (const c of path.slice(1)) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      fr = await node(c, fr);
      sr = await node(c, sr);
      while (!(fn & 1n) && fn !== 0n) fn >>= 1n, sn >>= 1n;
    } else {
      sr = await node(sr, c);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && equal(fr, first) && equal(sr, second);
}

// complaint names what is wrong with what the box shows now; '' is nothing.
async function complaint(kept, shown) {
  if (!shown) return 'gone';
  if (shown.origin !== kept.origin) return 'other';
  if (shown.size < kept.size) return 'back';
  if (shown.size === kept.size) return shown.root === kept.root ? '' : 'rewritten';
  return (await consistent(kept.size, shown.size, kept.root, shown.root, shown.proof)) ? '' : 'rewritten';
}

// witness asks the box once, for all tabs together.
async function witness() {
  const kept = recall(KEPT), session = document.body.dataset.witness;
  if (left || recall(ALARM) || (kept?.session === session && Date.now() - kept.asked < QUARTER)) return;
  const answer = await fetch('/witness?size=' + (kept?.size || 0)).catch(() => null);
  if (left) return;
  if (answer?.status !== 200 && answer?.status !== 204) {
    if (kept && Date.now() - kept.asked > DAY) show('The box has not proved its audit trail to this browser since ' + when(kept.asked) + '. Tell the privacy officer.', null);
    return;
  }
  const shown = answer.status === 200 ? await answer.json() : null;
  const why = kept ? await complaint(kept, shown) : '';
  if (why) return alarm({ why, at: Date.now(), kept, shown });
  if (shown) keep(KEPT, { origin: shown.origin, size: shown.size, root: shown.root, note: shown.note, signed: shown.signed, at: Date.now(), asked: Date.now(), session });
}

const when = (at) => new Date(at).toLocaleString();
const reasons = {
  gone: (a) => `This box has no audit trail to show, but on ${when(a.kept.at)} it showed this browser ${a.kept.size} events.`,
  other: (a) => `Another store answers at this address than on ${when(a.kept.at)}.`,
  back: (a) => `The audit trail has become shorter: ${a.kept.size} events on ${when(a.kept.at)}, ${a.shown.size} now. Events were removed, or an older state of the books was put back.`,
  rewritten: (a) => `The audit trail is not the one that this browser saw on ${when(a.kept.at)}, with more after it: what was recorded until then was changed, removed, or put back to an older state.`,
};

async function alarm(found) {
  keep(ALARM, found);
  showAlarm(found);
  await tell('/witness/alarm', found);
}
function tell(path, found) {
  const body = new URLSearchParams({ csrf: find('#lock [name=csrf]').value, why: found.why, kept: found.kept.size, shown: found.shown?.size || 0 });
  return fetch(path, { method: 'POST', body }).catch(() => null);
}
const restored = ({ kept, shown }) => Date.parse(shown?.restored) > Date.parse(kept.signed) ? ` The box itself says that an earlier state was put in place on purpose on ${when(Date.parse(shown.restored))}.` : '';
const showAlarm = (found) => show('Stop. ' + (reasons[found.why] || reasons.rewritten)(found) + restored(found) +
  ' Tell the owner and the privacy officer now, not IT alone. If the box was restored from a backup on purpose,' +
  ' the privacy officer knows by whom and why, and ends this alarm; if nobody knows of it, treat it as an attack.', found);

// show puts the notice over every page; with a finding it stays.
function show(words, found) {
  document.getElementById('witness')?.remove();
  const box = make('div', '', { id: 'witness', className: 'notice bad banner alarm', role: 'alert' });
  box.append(make('p', words, {}));
  if (found) {
    const save = make('a', 'Save the evidence', { className: 'button', download: 'coffer-evidence-' + new Date(found.at).toISOString().slice(0, 10) + '.json' });
    save.href = URL.createObjectURL(new Blob([JSON.stringify(found, null, 1)], { type: 'application/json' }));
    save.addEventListener('click', () => keep(ALARM, { ...found, saved: true }));
    box.append(save);
    if (document.body.dataset.officer) box.append(judged(found));
  }
  document.querySelector('header.top').before(box);
}

// judged is the privacy officer's button: goes on from what the box shows now.
function judged(found) {
  const button = make('button', 'I have looked into it: go on from here', { type: 'button' });
  button.addEventListener('click', async () => {
    if (!recall(ALARM)?.saved) return button.textContent = 'Save the evidence first, then press again';
    if (!(await tell('/witness/judged', found))?.ok) return button.textContent = 'The box does not record it; press again';
    localStorage.removeItem(ALARM);
    localStorage.removeItem(KEPT);
    location.reload();
  });
  return button;
}
function make(tag, text, properties) {
  const element = document.createElement(tag);
  element.textContent = text;
  const { role, ...rest } = properties;
  if (role) element.setAttribute('role', role);
  return Object.assign(element, rest);
}

if (recall(ALARM)) showAlarm(recall(ALARM));
if (document.body.dataset.witness) {
  const ask = () => navigator.locks.request(KEPT, witness);
  ask();
  setInterval(ask, QUARTER / 3);
}
