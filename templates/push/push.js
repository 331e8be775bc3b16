"use strict";
// Subscribes this browser to notices, or ends that. Everything it shows is already in the page's attributes.
(function () {
  const box = document.getElementById("push");
  if (!box) return;
  const status = document.getElementById("push-status");
  const start = document.getElementById("push-start");
  const end = document.getElementById("push-end");
  box.hidden = false;

  function show(text, subscribed) {
    status.textContent = text;
    start.hidden = subscribed !== false;
    end.hidden = subscribed !== true;
  }

  function bytes(text) {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4);
    return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
  }

  function sameKey(subscription, key) {
    const used = subscription.options && subscription.options.applicationServerKey;
    if (!used) return true;
    const one = new Uint8Array(used);
    return one.length === key.length && one.every((value, place) => value === key[place]);
  }

  async function post(path, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(String(answer.status));
  }

  async function active() {
    const registration = await navigator.serviceWorker.register("/r/assets/push-worker.js");
    if (registration.active) return registration;
    const worker = registration.installing || registration.waiting;
    await new Promise((resolve, reject) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated") resolve();
        if (worker.state === "redundant") reject(new Error("redundant"));
      });
      if (worker.state === "activated") resolve();
    });
    return registration;
  }

  async function subscribe() {
    const key = bytes(box.dataset.key);
    if ((await Notification.requestPermission()) !== "granted") return show(box.dataset.denied, false);
    const registration = await active();
    let found = await registration.pushManager.getSubscription();
    if (found && !sameKey(found, key)) {
      // Made for a key that we do not have any more.
      await found.unsubscribe();
      found = null;
    }
    const kept = found || (await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
    const told = kept.toJSON();
    await post(box.dataset.path + "?lang=" + encodeURIComponent(box.dataset.lang), {
      endpoint: told.endpoint,
      keys: { p256dh: told.keys.p256dh, auth: told.keys.auth },
    });
    show(box.dataset.on, true);
  }

  async function unsubscribe() {
    const registration = await active();
    const found = await registration.pushManager.getSubscription();
    if (found) {
      await post(box.dataset.path + "/end", { endpoint: found.endpoint });
      await found.unsubscribe();
    }
    show(box.dataset.off, false);
  }

  function guarded(work, subscribed) {
    return function () {
      start.disabled = end.disabled = true;
      work()
        .catch(() => show(box.dataset.failed, subscribed))
        .finally(() => {
          start.disabled = end.disabled = false;
        });
    };
  }

  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) {
    return show(box.dataset.unsupported, null);
  }
  start.addEventListener("click", guarded(subscribe, false));
  end.addEventListener("click", guarded(unsubscribe, true));
  navigator.serviceWorker
    .getRegistration("/r/assets/")
    .then((registration) => (registration ? registration.pushManager.getSubscription() : null))
    .then((found) => show(found ? box.dataset.on : box.dataset.off, Boolean(found)))
    .catch(() => show(box.dataset.off, false));
})();
