// What pages do besides, where scripts run. Without this file every page works but those that ask an authenticator.

for (const part of document.querySelectorAll(".scripted")) {
  if (!part.dataset.webauthn || window.PublicKeyCredential) part.hidden = false;
}

// A form is sent once, however often its button is pressed. Coming back to the page by "back" makes it usable again.
const sent = new WeakSet();
addEventListener("submit", (event) => {
  const form = event.target;
  if (sent.has(form)) { event.preventDefault(); return; }
  if (event.defaultPrevented) return;
  sent.add(form);
  event.submitter?.setAttribute("aria-disabled", "true");
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.forms) sent.delete(form);
  for (const button of document.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
});

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!isNaN(at)) time.textContent = at.toLocaleString(document.documentElement.lang, {dateStyle: "medium", timeStyle: "short"});
}
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
  });
}

// WebAuthn Level 3, section 5.1.8 and 5.1.9. The form's data-options are what the service asks for; what the authenticator
// answers goes into its field "credential", and the form is sent.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const list = (all) => (all ?? []).map((c) => ({...c, id: bytes(c.id)}));
function parse(kind, options) {
  const own = kind === "get" ? PublicKeyCredential.parseRequestOptionsFromJSON : PublicKeyCredential.parseCreationOptionsFromJSON;
  if (own) return own.call(PublicKeyCredential, options);
  const made = {...options, challenge: bytes(options.challenge)};
  if (kind === "get") return {...made, allowCredentials: list(options.allowCredentials)};
  return {...made, user: {...options.user, id: bytes(options.user.id)}, excludeCredentials: list(options.excludeCredentials)};
}

let waiting; // of a passkey that is offered while somebody types (conditional mediation)

async function ask(form, mediation) {
  waiting?.abort("another is asked");
  const stop = waiting = new AbortController();
  const kind = form.dataset.webauthn;
  const publicKey = parse(kind, JSON.parse(form.dataset.options));
  const made = await navigator.credentials[kind === "get" ? "get" : "create"]({publicKey, mediation, signal: stop.signal});
  form.elements.credential.value = JSON.stringify(made.toJSON());
  form.submit();
}

// What was asked for on loading the page is over after some minutes; then it is asked for anew.
async function renew(form) {
  if (!form.dataset.renew) return;
  const answer = await fetch(form.dataset.renew, {method: "POST"});
  if (!answer.ok) return;
  const {challenge_id: id, options} = await answer.json();
  form.elements.challenge.value = id;
  form.dataset.options = JSON.stringify(options);
}

function offer(form) {
  ask(form, "conditional").catch(() => {});
}

for (const form of document.querySelectorAll("form[data-webauthn]")) {
  if (!window.PublicKeyCredential) continue;
  const said = form.querySelector("[data-said]");
  let since = Date.now();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (said) said.hidden = true;
    try {
      if (form.dataset.renew && Date.now() - since > 240_000) { await renew(form); since = Date.now(); }
      await ask(form);
    } catch (problem) {
      if (said) { said.textContent = said.dataset.said; said.hidden = false; }
      if ("conditional" in form.dataset) { await renew(form); offer(form); }
    }
  });
  if ("conditional" in form.dataset && await PublicKeyCredential.isConditionalMediationAvailable?.()) {
    offer(form);
    setInterval(async () => { if (!document.hidden) { await renew(form); since = Date.now(); offer(form); } }, 240_000);
  }
}
