// The Single sign-on section, once there is JavaScript: asks status and confirm, and puts what they answer in the static section's
// place, with the same plain forms. README.md says how a page embeds it.
//
// Whatever comes from a server or from the address bar is put on the page as text, never as markup.

const language = /^fr\b/i.test(document.documentElement.lang) ? "fr" : "en";
const texts = await (await fetch(new URL(`texts/${language}.json`, import.meta.url))).json();
const dateLocale = language === "fr" ? "fr" : "en-GB";

/** The outcomes that went well, and whether the account is linked after them. */
const successes = new Map([
  ["linked", true],
  ["unlinked", false],
]);

/** The outcomes after which a decision may still be open: what failed may have been telling it. */
const undecided = new Set(["confirm", "temporarily_unavailable", "internal_error"]);

for (const section of document.querySelectorAll(".sso[data-provider]")) {
  start(section);
}

/** Takes a static section over. */
function start(section) {
  const context = {
    section,
    provider: section.dataset.provider,
    name: section.dataset.providerName,
    returnTo: section.querySelector("[name=return_to]")?.value ?? "settings",
    locale: section.querySelector("[name=locale]")?.value ?? language,
    turn: 0,
  };
  section.querySelector("h2").textContent = texts.section.title;

  // A second press while the browser is on its way would only start a second flow; after a while it is a new attempt.
  section.addEventListener("submit", (event) => {
    if (section.ariaBusy === "true") return event.preventDefault();
    section.ariaBusy = "true";
    setTimeout(() => (section.ariaBusy = "false"), 5_000);
  });
  // The back button may bring this page back as it was, before the link was made.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) refresh(context, toldOf(context.provider));
  });
  refresh(context, toldOf(context.provider));
}

/** What this page's address tells about `provider`: the outcome, and what support finds its request by. */
function toldOf(provider) {
  const query = new URLSearchParams(location.search);
  if (query.get("provider") !== provider) return {};
  // An address can claim anything: what cannot be an id of a request is none.
  const [reference] = /^[\w=-]{1,64}$/.exec(query.get("request_id") ?? "") ?? [];
  return { outcome: query.get("sso"), reference };
}

/** Takes the outcome out of the address, so that neither a reload nor a bookmark tells it again. */
function forgetOutcome() {
  const address = new URL(location.href);
  address.searchParams.delete("sso");
  address.searchParams.delete("provider");
  address.searchParams.delete("request_id");
  history.replaceState(history.state, "", address);
}

/** Asks for the state of things and shows it, with what `told` says about how it came to be. */
async function refresh(context, told) {
  const { section } = context;
  const { outcome = null, reference } = told;
  const content = section.querySelector(".sso-content");
  const heldFocus = content.contains(document.activeElement);
  // What is shown may not be so any more: nobody should press anything until the answer is here.
  delete section.dataset.ready;
  section.dataset.loading = "";
  section.ariaBusy = "true";
  const turn = (context.turn += 1);
  const [status, pending] = await Promise.all([
    ask(context.provider, "status"),
    undecided.has(outcome) ? ask(context.provider, "confirm") : null,
  ]);
  if (turn !== context.turn) return; // asked again meanwhile
  context.name = status.answer?.provider.name ?? context.name;

  const isDecided = !pending || pending.problem?.code === "nothing_to_confirm";
  const known = status.answer ? facts(context, status.answer) : nothingKnown(context);
  if (status.answer && pending?.answer) {
    content.replaceChildren(...known, confirmation(context, pending.answer));
  } else if (status.answer && isDecided) {
    content.replaceChildren(...known, ...actions(context, status.answer));
  } else {
    content.replaceChildren(...known, tryAgain(context, told, status.problem ?? pending.problem));
  }
  showMessage(context, messageOf(outcome, reference, status, pending));
  section.dataset.ready = "";
  delete section.dataset.loading;
  section.ariaBusy = "false";

  // Somebody who was just sent here starts reading where it happened, unless they are at work elsewhere on the page.
  const isHere = heldFocus || section.contains(document.activeElement) || document.activeElement === document.body;
  if ((outcome || heldFocus) && isHere) (content.querySelector(".sso-confirm h3") ?? section).focus();
  // An open confirmation survives a reload, and so does what could not be told; everything else is told once.
  if (outcome && status.answer && isDecided) forgetOutcome();
}

/** A function's answer, or the problem (RFC 9457) it answered instead. */
async function ask(provider, route) {
  try {
    const response = await fetch(`/sso/${provider}/${route}`, {
      headers: { accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(10_000),
    });
    const body = await response.json();
    if (response.ok) return { answer: body };
    if (typeof body?.code === "string") return { problem: body };
  } catch {
    // No answer, or none of a function's: the same to whoever asked.
  }
  return { problem: { code: "temporarily_unavailable" } };
}

/** What there is to tell: `{ code, request_id? }`, or null. */
function messageOf(outcome, reference, status, pending) {
  if (outcome === "confirm") return pending.problem ?? status.problem ?? null;
  // An address can claim anything: success is told only when status agrees.
  const linked = status.answer && status.answer.link !== null;
  const stands = !successes.has(outcome) || successes.get(outcome) === linked;
  return outcome && stands ? { code: outcome, request_id: reference } : (status.problem ?? null);
}

function showMessage({ section, name }, message) {
  const place = section.querySelector(".sso-message");
  if (!message) return place.replaceChildren();

  const known = Object.hasOwn(texts.outcomes, message.code);
  const { title, next_step: nextStep } = known ? texts.outcomes[message.code] : texts.unknown_outcome;
  place.dataset.success = String(successes.has(message.code));
  place.replaceChildren(
    element("p", { className: "sso-message-title" }, fill(title, { provider: name })),
    element("p", {}, fill(nextStep, { provider: name })),
  );
  if (message.request_id) {
    const reference = fill(texts.section.request_id, { request_id: message.request_id });
    place.append(element("p", { className: "sso-subdued" }, reference));
  }
}

/** What is known: the provider, the status, the link, the requirement. */
function facts({ section, name }, { link, requirement }) {
  const say = (key, values) => fill(texts.section[key], { provider: name, ...values });
  const lines = link ? [] : [element("p", {}, say("introduction"))];

  const status = element("p", { className: "sso-status" }, say(link ? "status_linked" : "status_not_linked"));
  status.dataset.linked = String(link !== null);
  lines.push(providerLine(section, name), status);

  if (link?.email) lines.push(element("p", {}, say("linked_account", { email: link.email })));
  if (link) lines.push(element("p", {}, say("linked_at", { date: date(link.linked_at) })));

  const required = requirementText(requirement, say);
  if (required) lines.push(element("p", { className: link ? "sso-subdued" : "sso-note" }, required));
  return lines;
}

/** The provider's name, which is part of the section's own. */
function providerLine(section, name) {
  return element("p", { id: `${section.id}-provider` }, fill(texts.section.provider, { provider: name }));
}

/** The requirement's dates are the same everywhere: UTC. An exemption that ends before it begins changes nothing. */
function requirementText({ required, since, exempt_until: exemptUntil }, say) {
  if (!since) return null;
  if (new Date(exemptUntil) > new Date(since)) return say("exempt_until", { date: date(exemptUntil, "UTC") });
  return say(required ? "required_since" : "required_from", { date: date(since, "UTC") });
}

/** What can be done about it. */
function actions({ name, returnTo, locale }, { account, link, actions: paths, reauthenticate }) {
  const say = (key, values) => fill(texts.section[key], { provider: name, ...values });
  const startLink = { locale, return_to: returnTo };

  if (reauthenticate) {
    const href = new URL(reauthenticate, location.href);
    href.searchParams.set("return_to", returnTo);
    const signIn = element("a", { className: "sso-button sso-primary", href }, say("reauthenticate_link"));
    return [
      element("p", { className: "sso-note" }, say("reauthenticate")),
      element("p", { className: "sso-actions" }, signIn),
    ];
  }
  if (!link) {
    return [
      form(paths.start_link, startLink, [
        button(say("connect"), { className: "sso-button sso-primary" }),
        button(say("create"), { className: "sso-button sso-quiet", name: "intent", value: "create" }),
        button(say("choose"), { className: "sso-button sso-quiet", name: "account", value: "choose" }),
      ]),
    ];
  }
  const unknown = texts.confirm.email_unknown;
  const accounts = { email: link.email ?? unknown, account: account.email ?? unknown };
  return [
    form(paths.start_link, { ...startLink, replace: "true", account: "choose" }, [button(say("switch"))]),
    // Nothing is ended by one press: the details name both accounts and hold the form.
    element(
      "details",
      { className: "sso-disconnect" },
      element("summary", {}, say("disconnect")),
      element("p", {}, say("disconnect_warning", accounts)),
      form(paths.unlink, {}, [button(say("disconnect"))]),
    ),
  ];
}

/** The two accounts side by side, and the decision. */
function confirmation({ provider, name }, { account, identity, expires_at: expiresAt, replacing, confirmation }) {
  const say = (key, values) => fill(texts.confirm[key], { provider: name, ...values });
  const side = (label, email, ...more) =>
    element("div", {}, element("dt", {}, label), element("dd", {}, email ?? say("email_unknown"), ...more));
  const unverified =
    identity.email && !identity.email_verified ? [element("small", {}, say("email_unverified"))] : [];

  return element(
    "div",
    { className: "sso-confirm" },
    element("h3", { tabIndex: -1 }, say(replacing ? "title_switch" : "title")),
    element("p", {}, say("explanation")),
    element(
      "dl",
      { className: "sso-accounts" },
      side(say("account"), account.email),
      side(say("identity"), identity.email, ...unverified),
      ...(replacing ? [side(say("replacing"), replacing.email)] : []),
    ),
    form(`/sso/${provider}/confirm`, { confirmation }, [
      button(say(replacing ? "link_switch" : "link"), {
        className: "sso-button sso-primary",
        name: "decision",
        value: "link",
      }),
      button(say("cancel"), { name: "decision", value: "cancel" }),
    ]),
    element("p", { className: "sso-subdued" }, say("expires_at", { time: time(expiresAt) })),
  );
}

/** What is known when status did not answer. */
function nothingKnown({ section, name }) {
  return [providerLine(section, name), element("p", { className: "sso-status" }, texts.section.status_unknown)];
}

/** What can be done about `problem`: ask again what `told` made ask, or have the page see to a session. */
function tryAgain(context, told, problem) {
  const isSignedOut = problem.code === "session_required";
  const again = button(isSignedOut ? texts.section.reauthenticate_link : texts.section.try_again, { type: "button" });
  again.addEventListener("click", () => {
    if (isSignedOut) return location.reload();
    if (context.section.ariaBusy !== "true") refresh(context, told);
  });
  return element("p", { className: "sso-actions" }, again);
}

function form(action, fields, buttons) {
  const hidden = Object.entries(fields).map(([name, value]) => element("input", { type: "hidden", name, value }));
  return element("form", { className: "sso-actions", method: "post", action }, ...hidden, ...buttons);
}

function button(label, properties) {
  return element("button", { className: "sso-button", ...properties }, label);
}

/** An element with these properties; a child that is a string becomes text. */
function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** `template` with each `{key}` replaced by its value. */
function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

function date(instant, timeZone) {
  const day = new Intl.DateTimeFormat(dateLocale, { dateStyle: "long", timeZone }).format(new Date(instant));
  // French counts the first of a month, and no other day.
  return day.replace(/^1 /, `${texts.first_day} `);
}

function time(instant) {
  return new Intl.DateTimeFormat(dateLocale, { timeStyle: "short" }).format(new Date(instant));
}
