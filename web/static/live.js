// Keeps the part of the page that may change (#live) as the server would show it now.
// Without scripts the page loads itself again instead.
(() => {
  const source = document.getElementById("live")?.dataset.events;
  if (!source || !window.EventSource) return;
  let waiting = false;

  const renew = async () => {
    waiting = false;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    const old = document.getElementById("live");
    if (!fresh || fresh.innerHTML === old.innerHTML) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const log = old.querySelector("#log");
    if (log && !log.open) fresh.querySelector("#log")?.removeAttribute("open");
    old.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus();
  };

  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(renew, 500);
  };

  const events = new EventSource(source);
  const kinds = ["queued", "started", "done", "failed", "dead", "released", "retried", "lapsed",
    "cancelled", "rerun", "log", "priority", "withdrawn", "job"];
  for (const kind of kinds) events.addEventListener(kind, soon);
  events.addEventListener("end", () => { events.close(); soon(); });
})();
