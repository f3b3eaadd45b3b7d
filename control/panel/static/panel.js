// Everything works without this script, but what moves only when the page is loaded anew. It makes times local, keeps parts fresh, asks before what
// cannot be undone or would be lost, opens Microsoft's pages in a popup, says when a session is over, and offers only fields that fit.
"use strict";

const language = document.documentElement.lang;
const locale = navigator.language.startsWith(language) ? navigator.language : language; // days and months as this person writes them

function localTimes(root) {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "short" });
  for (const each of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    each.title = each.dateTime;
    each.textContent = format.format(moment);
  }
}

// Elements with data-live (and an id) are read anew every so many seconds, while nobody writes in them and the page can be seen.
async function refreshed() {
  const parts = [...document.querySelectorAll("[data-live][id]")];
  if (document.hidden || parts.length === 0) return;
  const answer = await fetch(document.body.dataset.here, { headers: { "X-Live": "1" }, redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  localTimes(page);
  for (const part of parts) {
    const fresh = page.getElementById(part.id);
    if (fresh && fresh.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) part.replaceWith(fresh);
  }
}

function seconds() {
  const wanted = [...document.querySelectorAll("[data-live][id]")].map((each) => Number(each.dataset.live)).filter((number) => number > 0);
  return wanted.length ? Math.min(...wanted) : 0;
}

// What does not answer is asked less and less often, and after the third time the page says that it is old.
let failures = 0;

function again() {
  const wait = seconds();
  if (!wait) return;
  const ask = () => refreshed().then(() => (failures = 0), () => (failures += 1)).then(told).then(again);
  setTimeout(ask, Math.min(wait * 2 ** failures, 300) * 1000);
}

function told() {
  const said = document.querySelector("main > .stale");
  if (failures < 3) said?.remove();
  else if (!said) document.getElementById("main").prepend(document.getElementById("stale").content.cloneNode(true));
}

// Preferences that were typed and not saved: in the fields, or in a form that came back refused.
function unsaved() {
  const form = document.querySelector("form#preferences");
  if (!form) return false;
  const differs = (field) => {
    if (field.type === "checkbox") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((each) => each.selected !== each.defaultSelected);
    return "defaultValue" in field && field.value !== field.defaultValue;
  };
  return Boolean(document.querySelector("main [role=alert]")) || [...form.elements].some(differs);
}

// Connect and consent: Microsoft's page in a popup, which tells us on this channel when it is over.
function popup(event) {
  const link = event.target.closest("a[data-popup]");
  if (!link) return;
  if (link.dataset.unsaved && unsaved() && !window.confirm(link.dataset.unsaved)) {
    event.preventDefault();
    return;
  }
  const opened = window.open(link.href, "vtesync-connect", "popup,width=520,height=720");
  if (opened) event.preventDefault();
}

document.addEventListener("click", popup);
new BroadcastChannel("vtesync-connect").addEventListener("message", () => {
  if (!document.querySelector("a[data-popup]")) return; // nothing here shows it, and somebody may be writing
  if (unsaved()) refreshed();
  else location.replace(document.body.dataset.here);
});

// Who picks a colour wants it.
document.addEventListener("input", (event) => {
  if (event.target.name === "colour") event.target.form.elements.coloured.checked = true;
});

document.addEventListener("submit", (event) => {
  const asked = (event.submitter && event.submitter.dataset.confirm) || event.target.dataset.confirm;
  if (asked && !window.confirm(asked)) event.preventDefault();
});

// A form whose answer leads to Microsoft's sign-in is followed by no browser (form-action): its page stays as it is, and says why.
document.addEventListener("securitypolicyviolation", (event) => {
  const said = document.getElementById("signed-out");
  if (event.effectiveDirective !== "form-action" || !said) return;
  document.getElementById("main").prepend(said.content.cloneNode(true));
  window.scrollTo(0, 0);
  said.remove();
});

localTimes(document);
again();
document.querySelector("main > [role=alert], main > [role=status]")?.focus(); // what came of a form is read first

// The mapping editor offers only fields that fit the one that is chosen beside them; the server refuses the others anyway.
const types = (option) => (option?.dataset.types || "").split(" ");

function offer(select, partner) {
  for (const option of select.options) {
    option.hidden = Boolean(option.value && partner?.value) && !types(option).some((each) => types(partner).includes(each));
    option.disabled = option.hidden && !option.selected;
  }
}

for (const row of document.querySelectorAll("form#mapping tbody tr")) {
  const [crm, mailbox] = row.querySelectorAll("select[name=crm], select[name=mailbox]");
  if (!crm) continue;
  const fit = () => [offer(mailbox, crm.selectedOptions[0]), offer(crm, mailbox.selectedOptions[0])];
  row.addEventListener("change", fit);
  fit();
}
