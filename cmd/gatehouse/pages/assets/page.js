// What pages do besides, where scripts run. Without this file every page works but those that ask an authenticator.

for (const part of document.querySelectorAll(".scripted")) {
  if (!part.dataset.webauthn || window.PublicKeyCredential) part.hidden = false;
}

// A form is sent once, however often its button is pressed. Coming back by "back" makes it usable again, and so does time:
// somebody may have stopped the page from loading.
const sent = new Set();
function usable(form) {
  sent.delete(form);
  for (const button of form.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
}
addEventListener("submit", (event) => {
  const form = event.target;
  if (sent.has(form)) event.preventDefault();
  if (event.defaultPrevented) return;
  sent.add(form);
  event.submitter?.setAttribute("aria-disabled", "true");
  setTimeout(usable, 5000, form);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) [...document.forms].forEach(usable);
});

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!isNaN(at)) time.textContent = at.toLocaleString(document.documentElement.lang, {dateStyle: "medium", timeStyle: "short"});
}
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
for (const button of document.querySelectorAll("[data-copy]")) {
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", () => navigator.clipboard.writeText(button.dataset.copy).then(() => {
    button.textContent = button.dataset.copied;
  }, () => {}));
}

// WebAuthn as JSON (Level 3, sections 5.1.8 to 5.1.10) by hand: browsers know it by themselves since 2025, and extensions that
// keep passkeys put objects in the place of theirs that do not.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const list = (all) => (all ?? []).map((c) => ({...c, id: bytes(c.id)}));
const attempt = (call, otherwise) => { try { return call() ?? otherwise; } catch { return otherwise; } };

function parse(kind, options) {
  const made = {...options, challenge: bytes(options.challenge)};
  if (kind === "get") return {...made, allowCredentials: list(options.allowCredentials)};
  return {...made, user: {...options.user, id: bytes(options.user.id)}, excludeCredentials: list(options.excludeCredentials)};
}

function render(made) {
  const response = {};
  for (const name of ["clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"]) {
    const part = attempt(() => made.response[name]);
    if (part) response[name] = text(part);
  }
  const transports = attempt(() => made.response.getTransports());
  if (transports) response.transports = transports;
  return {
    id: made.id, rawId: text(made.rawId), type: made.type, response, authenticatorAttachment: attempt(() => made.authenticatorAttachment, undefined),
    clientExtensionResults: attempt(() => JSON.parse(JSON.stringify(made.getClientExtensionResults())), {}),
  };
}

// One question at a time is put to the browser: either a passkey is offered while somebody types (conditional mediation), or
// somebody has pressed a button and is looking at the browser's own window. Who presses ends the offer; after some minutes another takes its place.
let offer; // to end it by
let asking = false;

async function ask(form, mediation, signal) {
  const kind = form.dataset.webauthn;
  const publicKey = parse(kind, JSON.parse(form.dataset.options));
  const made = await navigator.credentials[kind === "get" ? "get" : "create"]({publicKey, mediation, signal});
  form.elements.credential.value = JSON.stringify(render(made));
  form.submit();
}

// What was asked for when the page was made is over after five minutes; then it is asked for anew.
const lasts = 240_000;
async function renew(form) {
  if (!form.dataset.renew || Date.now() - form.since < lasts) return;
  const answer = await fetch(form.dataset.renew, {method: "POST"});
  if (!answer.ok) throw new Error(answer.status);
  const {challenge_id: id, options} = await answer.json();
  form.elements.challenge.value = id;
  form.dataset.options = JSON.stringify(options);
  form.since = Date.now();
}

async function makeOffer(form) {
  if (asking || document.hidden) return;
  offer?.abort();
  const mine = offer = new AbortController();
  try {
    await renew(form);
    if (offer === mine && !asking) await ask(form, "conditional", mine.signal);
  } catch { /* it was an offer, and nobody took it */ }
}

async function offers() {
  try { return await PublicKeyCredential.isConditionalMediationAvailable(); } catch { return false; }
}

for (const form of document.querySelectorAll("form[data-webauthn]")) {
  const said = form.querySelector("[data-said]");
  form.since = Date.now();
  // Before anything is waited for: a press that came through would send a form with nothing in it.
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) return;
    asking = true;
    offer?.abort();
    said.hidden = true;
    try {
      await renew(form);
      await ask(form);
    } catch {
      said.textContent = said.dataset.said;
      said.hidden = false;
    } finally {
      asking = false;
    }
    if (form.offers && !said.hidden) makeOffer(form);
  });
  if (!("conditional" in form.dataset) || !(await offers())) continue;
  form.offers = true;
  makeOffer(form);
  setInterval(makeOffer, lasts, form);
  document.addEventListener("visibilitychange", () => { if (Date.now() - form.since >= lasts) makeOffer(form); });
  addEventListener("pageshow", (event) => { if (event.persisted) makeOffer(form); });
}
