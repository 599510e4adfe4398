// Logging in by the link's fragment, live updates, actions and keys. The pages themselves come from the server.
const body = document.body;
const post = (address, value) => fetch(address, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
});

async function logIn() {
  const text = document.getElementById("login");
  const key = new URLSearchParams(location.hash.slice(1)).get("k");
  if (!key) return;
  history.replaceState(null, "", location.pathname);
  const answer = await post("/login", { key });
  if (answer.ok) location.reload();
  else text.textContent = "This link was used already, or has ended. Get a new one in a terminal:";
}

function showTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = Math.round((now - Date.parse(time.dateTime)) / 1000);
    time.title = new Date(time.dateTime).toLocaleString();
    time.textContent = seconds < 60 ? "just now" : seconds < 5400 ? `${Math.round(seconds / 60)} min ago`
      : seconds < 129600 ? `${Math.round(seconds / 3600)} h ago` : new Date(time.dateTime).toLocaleDateString();
  }
}

let toastTimer;
function tell(text, isError = false) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.classList.toggle("error", isError);
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, isError ? 12000 : 4000);
}

// A text that somebody is writing is not thrown away.
const isWriting = () => document.querySelector("dialog[open]")
  || [...document.querySelectorAll("main textarea, main input:not([type=hidden])")]
    .some((field) => field.value !== field.defaultValue || field === document.activeElement);

let isStale = false;
let isLoading = false;
async function refresh() {
  if (isLoading || isWriting()) { isStale = true; return; }
  isLoading = true;
  isStale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (page.body.hasAttribute("data-login")) { location.reload(); return; }
    const open = [...document.querySelectorAll("main details")].map((details) => details.open);
    const place = [...document.querySelectorAll("[data-item]")].indexOf(document.activeElement?.closest("[data-item]"));
    const scroll = document.querySelector(".scroll");
    const [left, top] = [scroll?.scrollLeft ?? 0, scroll?.scrollTop ?? 0];
    const main = document.getElementById("main");
    main.replaceChildren(...page.getElementById("main").childNodes);
    document.title = page.title;
    main.querySelectorAll("details").forEach((details, index) => { details.open = open[index] ?? false; });
    main.querySelector(".scroll")?.scrollTo(left, top);
    if (place >= 0) document.querySelectorAll("[data-item]")[place]?.querySelector("a, button")?.focus({ preventScroll: true });
    showTimes();
  } catch { /* The stream tells when the server is back. */ } finally { isLoading = false; }
  if (isStale) setTimeout(refresh, 300);
}

function follow() {
  const live = document.getElementById("live");
  const readOnly = body.dataset.access === "read" ? "read-only · " : "";
  const stream = new EventSource(`/events${body.dataset.run ? `?run=${encodeURIComponent(body.dataset.run)}` : ""}`);
  let timer;
  stream.addEventListener("open", () => { live.textContent = `${readOnly}live`; });
  stream.addEventListener("news", () => { clearTimeout(timer); timer = setTimeout(refresh, 60); });
  // The server began again, and what came in between was missed.
  stream.addEventListener("hello", () => { if (live.dataset.lost) { delete live.dataset.lost; refresh(); } });
  stream.addEventListener("error", () => { live.textContent = `${readOnly}not connected`; live.dataset.lost = "1"; });
}

function confirmed(text) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function act(form) {
  const values = Object.fromEntries(new FormData(form));
  if (form.dataset.confirm) {
    if (!await confirmed(form.dataset.confirm.replace("ONTO", values.onto ?? ""))) return;
  }
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  try {
    const answer = await post("/act", { tool: form.dataset.act, arguments: values });
    const said = await answer.json();
    if (said.ok) { tell(`Done: ${said.command}`); form.reset(); document.activeElement?.blur(); await refresh(); }
    else tell(`${said.error.message}${said.error.hint ? ` Next: ${said.error.hint}` : ""}`, true);
  } catch { tell("The server did not answer.", true); }
  buttons.forEach((button) => { button.disabled = false; });
}

function move(step) {
  const items = [...document.querySelectorAll("[data-item]")];
  const at = items.indexOf(document.activeElement?.closest("[data-item]"));
  const next = items[Math.min(Math.max(at + step, 0), items.length - 1)];
  next?.querySelector("a, button")?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, dialog")) return;
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "r") refresh();
  else document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
}

if (body.hasAttribute("data-login")) logIn();
else {
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.act) { event.preventDefault(); act(event.target); }
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("focusout", () => { if (isStale) setTimeout(refresh, 100); });
  showTimes();
  setInterval(showTimes, 30000);
  follow();
}
