// Shows the state of the sandbox. Content of messages is inserted as text, never as markup.
"use strict";

const POLL_MS = 1000;
const LISTED = 200; // the maximum of phones and mailings in /_sandbox/overview
const byId = (id) => document.getElementById(id);
let zone = "UTC";
let lastRequest = 0; // a late answer to an earlier request is discarded
let lastIds = new Map(); // phone → id of its last message shown, to detect new ones

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// A text of unknown script: its direction does not affect the surrounding text.
function isolated(text, className = "") {
  const made = element("bdi", className, text);
  made.dir = "auto";
  return made;
}

// 2026-12-01 10:00:00 in the time zone of the account.
function time(seconds) {
  const two = "2-digit";
  const form = { year: "numeric", month: two, day: two, hour: two, minute: two, second: two, hourCycle: "h23", timeZone: zone };
  const pairs = new Intl.DateTimeFormat("en", form).formatToParts(seconds * 1000).map((part) => [part.type, part.value]);
  const parts = Object.fromEntries(pairs);
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}`;
}

// The time for today, the date for any other day.
function shortTime(seconds, today) {
  const [date, clock] = time(seconds).split(" ");
  return date === today ? clock : date;
}

function counted(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

// Updates the children of `list` to `items`, changing only what differs, to keep focus and scroll position.
function show(list, items, keyOf, draw) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const key = String(keyOf(item));
    const look = JSON.stringify(item) + zone;
    let child = known.get(key);
    known.delete(key);
    if (!child) {
      child = element("li");
      child.dataset.key = key;
    }
    if (child.look !== look) {
      draw(child, item);
      child.look = look;
    }
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] || null);
  });
  known.forEach((child) => child.remove());
}

function statusOf(message, now) {
  if (message.at > now) return ["wait", `scheduled for ${time(message.at)}`];
  const kind = { DELIVERED: "good", NEW: "wait", SENT: "wait" }[message.status] || "bad";
  return [kind, message.status.toLowerCase()];
}

function drawPhone(item, { row, today }) {
  let link = item.querySelector("a");
  if (!link) {
    link = element("a");
    item.append(link);
  }
  link.href = `#/phone/${row.phone}`;
  link.replaceChildren(
    element("div", "row", element("span", "phone", `+${row.phone}`), element("span", "when", shortTime(row.last.at, today))),
    element("div", "snippet", isolated(row.last.text)),
    element("div", "when", counted(row.messages, "message", "messages")),
  );
}

function drawMessage(item, { message, now }) {
  const [kind, status] = statusOf(message, now);
  const text = element("p", "text", message.text);
  text.dir = "auto";
  const meta = element(
    "p",
    "meta",
    element("span", "", time(message.at)),
    element("span", "", counted(message.parts, "part", "parts")),
    element("span", "", counted([...message.text].length, "character", "characters")),
    element("span", kind, status),
  );
  if (message.channel !== "sms") meta.append(element("span", "", message.channel));
  if (message.mailing) meta.append(isolated(message.mailing));
  item.replaceChildren(element("p", "sender", isolated(message.sender)), text, meta);
}

function drawMailing(item, { mailing, currency }) {
  const kind = { sent: "good", draft: "wait", scheduled: "wait", sending: "wait" }[mailing.state] || "wait";
  const facts = [
    ["Sender", isolated(mailing.sender)],
    ["Send time", time(mailing.due)],
    ["Phones", String(mailing.phones)],
    ["Parts", String(mailing.parts)],
    ["Cost", `${mailing.cost} ${currency}`],
    ["Id", `${mailing.id}, ${mailing.kind}${mailing.listed ? "" : ", not in getSMSMessages"}`],
  ];
  if (["sending", "sent"].includes(mailing.state)) {
    const pending = mailing.phones - mailing.delivered - mailing.undelivered;
    facts.splice(3, 0, ["Delivered", `${mailing.delivered}, undelivered ${mailing.undelivered}, pending ${pending}`]);
  }
  const list = element("dl");
  for (const [name, value] of facts) list.append(element("dt", "", name), element("dd", "", value));
  item.replaceChildren(
    element("div", "row", element("span", "name", isolated(mailing.name || "(no name)")), element("span", `state ${kind}`, mailing.state)),
    list,
  );
}

function place() {
  const phone = /^#\/phone\/(\d{1,20})$/.exec(location.hash);
  return { phone: phone && phone[1], isMailings: location.hash === "#/mailings" };
}

function arrange() {
  const { phone, isMailings } = place();
  byId("phones-view").hidden = isMailings;
  byId("mailings-view").hidden = !isMailings;
  byId("phones-view").classList.toggle("one", Boolean(phone));
  byId("to-phones").toggleAttribute("aria-current", false);
  byId("to-mailings").toggleAttribute("aria-current", false);
  byId(isMailings ? "to-mailings" : "to-phones").setAttribute("aria-current", "page");
  byId("thread-title").textContent = phone ? `+${phone}` : "No phone selected";
  document.title = isMailings ? "Mailings · sms.by sandbox" : phone ? `+${phone} · sms.by sandbox` : "sms.by sandbox";
  markSelected(phone);
}

function markSelected(phone) {
  for (const link of byId("phones").querySelectorAll("a")) {
    if (phone && link.hash === `#/phone/${phone}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function showAccount(overview) {
  byId("balance").textContent = `${overview.balance} ${overview.currency}`;
  byId("clock").textContent = `${time(overview.now)} ${overview.timezone}${overview.clock_moved ? " (moved)" : ""}`;
}

function showPhones(overview, search) {
  const today = time(overview.now).split(" ")[0];
  const rows = overview.phones.map((row) => ({ row, today }));
  show(byId("phones"), rows, (shown) => shown.row.phone, drawPhone);
  byId("phones-empty").hidden = overview.phones.length > 0;
  byId("phones-empty").textContent = search ? "No phone number contains these digits." : "No messages yet. Messages sent here never leave this machine.";
  byId("phones-more").hidden = overview.phones.length < LISTED;
  byId("phones-more").textContent = `The latest ${LISTED} phones. Search for others.`;
  markSelected(place().phone);
}

function showMailings(overview) {
  const rows = overview.mailings.map((mailing) => ({ mailing, currency: overview.currency }));
  show(byId("mailings"), rows, (row) => row.mailing.id, drawMailing);
  byId("mailings-empty").hidden = rows.length > 0;
  byId("mailings-more").hidden = overview.mailings_in_all <= rows.length;
  byId("mailings-more").textContent = `The latest ${rows.length} of ${overview.mailings_in_all} mailings.`;
}

function showThread(phone, messages, now) {
  const thread = byId("thread");
  const isAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
  const isOther = thread.dataset.phone !== String(phone);
  // Only whether a message is due depends on the time, so the time itself is not compared.
  const rows = messages.map((message) => ({ message, now: message.at > now ? 0 : message.at }));
  show(thread, rows, (row) => row.message.id, drawMessage);
  byId("thread-empty").hidden = messages.length > 0;
  byId("thread-empty").textContent = phone ? "This phone has no messages." : "Choose a phone to read its messages.";
  if (isOther || isAtEnd) thread.scrollTop = thread.scrollHeight;
  thread.dataset.phone = phone;
}

function announceNew(overview) {
  const isFirst = byId("news").dataset.ready !== "yes";
  const fresh = overview.phones.filter((row) => lastIds.get(row.phone) !== row.last.id);
  if (!isFirst && fresh.length) byId("news").textContent = `New: ${counted(fresh.length, "phone", "phones")} got a message.`;
  byId("news").dataset.ready = "yes";
  lastIds = new Map(overview.phones.map((row) => [row.phone, row.last.id]));
}

async function read(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

async function refresh() {
  const request = ++lastRequest;
  const { phone } = place();
  const search = byId("search").value.trim();
  try {
    const [overview, inbox] = await Promise.all([
      read(`/_sandbox/overview?search=${encodeURIComponent(search)}`),
      phone ? read(`/_sandbox/inbox?phone=${phone}`) : {},
    ]);
    if (request !== lastRequest) return;
    zone = overview.timezone;
    byId("offline").hidden = true;
    showAccount(overview);
    showPhones(overview, search);
    showMailings(overview);
    showThread(phone, (phone && inbox[phone]) || [], overview.now);
    if (!search) announceNew(overview);
  } catch (error) {
    if (request === lastRequest) byId("offline").hidden = false;
  }
}

async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, POLL_MS);
}

addEventListener("hashchange", async () => {
  const { phone, isMailings } = place();
  arrange();
  await refresh();
  if (isMailings) byId("mailings-title").focus();
  else if (phone) byId("thread-title").focus();
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
byId("search").addEventListener("input", refresh);
arrange();
poll();
